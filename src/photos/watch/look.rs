//! The search for announcements: one for all listeners of this server.
//!
//! It reads ids in pages, from the last announcement on. A commit takes time, so an announcement can become visible after
//! later ones: the last half minute is read again, with rests of nine times as long as that took.
//!
//! Moments are those of the database's clock, so the clocks of servers do not matter.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};
use tokio::time::{sleep, timeout};

use crate::error::Error;
use crate::photos::photo::{Column, Entity};
use crate::photos::watch::log::{Announcement, Seen};
use crate::photos::watch::{Listener, Shared};

/// Ids that are read at once.
const PAGE: u64 = 500;
/// How often to look where nothing tells of other servers' photos, and where something does.
const POLL: Duration = Duration::from_millis(500);
const POLL_BESIDE_SIGNALS: Duration = Duration::from_secs(5);
/// Before the next attempt to look.
const PAUSE: Duration = Duration::from_secs(1);
/// The rest after the last half minute was read again, in times of how long that took.
const REST: u32 = 9;

/// A search that has begun.
struct Search {
    seen: Seen,
    /// When the last half minute is to be read again.
    due_at: Instant,
    /// Whether a look since then did without it.
    is_due: bool,
}

/// Looks for as long as the server runs.
pub(super) async fn look_on(shared: Arc<Shared>) {
    let poll = if shared.database.has_signals() { POLL_BESIDE_SIGNALS } else { POLL };
    // Nothing before the first look.
    let mut search: Option<Search> = None;
    loop {
        let arriving = shared.arrivals();
        if shared.listeners() == 0 {
            search = None;
            if arriving.is_empty() {
                shared.wake.notified().await;
                continue;
            }
        }
        let looked = match &mut search {
            // Whoever arrives is told of nothing that was announced before.
            Some(search) => search.look(&shared, !arriving.is_empty()).await,
            None => Search::begin(&shared).await.map(|begun| search = Some(begun)),
        };
        if let Err(error) = looked {
            // Whoever arrives is told by the dropped answer.
            drop(arriving);
            tracing::warn!(error = error.reason(), "published photos could not be looked for");
            sleep(PAUSE).await;
            continue;
        }
        arriving.into_iter().for_each(|answer| _ = answer.send(Listener::begin(&shared)));
        let pause = search.as_ref().map_or(poll, |search| search.pause(poll));
        drop(timeout(pause, shared.wake.notified()).await);
    }
}

impl Search {
    /// Has seen what is announced now.
    async fn begin(shared: &Shared) -> Result<Self, Error> {
        let latest = announced().order_by_desc(Column::AnnouncedAt).order_by_desc(Column::Id).limit(1);
        let latest = read(shared, latest).await?.into_iter().next();
        let nothing = Announcement { announced_at: DateTime::UNIX_EPOCH, id: Uuid::nil().into() };
        let mut seen = Seen::up_to(latest.unwrap_or(nothing));
        let mut after = Announcement { announced_at: seen.overlap_from(), ..nothing };
        while let Some(page) = next_page(shared, &mut after).await? {
            for found in page {
                seen.insert(found);
            }
            seen.forget();
        }
        Ok(Self { seen, due_at: Instant::now(), is_due: false })
    }

    /// Logs what was announced since the last look; and what was committed late, if that is due or asked for.
    async fn look(&mut self, shared: &Shared, is_whole: bool) -> Result<(), Error> {
        let mut after = self.seen.last;
        self.log(shared, &mut after).await?;
        let begun = Instant::now();
        self.is_due = !is_whole && begun < self.due_at;
        if self.is_due {
            return Ok(());
        }
        let id = Uuid::nil().into();
        let mut after = Announcement { announced_at: self.seen.overlap_from(), id };
        self.log(shared, &mut after).await?;
        self.due_at = Instant::now() + begun.elapsed() * REST;
        Ok(())
    }

    async fn log(&mut self, shared: &Shared, after: &mut Announcement) -> Result<(), Error> {
        while let Some(page) = next_page(shared, after).await? {
            let new: Vec<Announcement> = page.into_iter().filter(|found| self.seen.insert(*found)).collect();
            self.seen.forget();
            shared.log_all(new);
        }
        Ok(())
    }

    /// The time after which to look although nothing wakes the search.
    fn pause(&self, poll: Duration) -> Duration {
        if self.is_due { self.due_at.saturating_duration_since(Instant::now()).min(poll) } else { poll }
    }
}

/// The next announcements of published photos, or `None` behind the last one.
async fn next_page(shared: &Shared, after: &mut Announcement) -> Result<Option<Vec<Announcement>>, Error> {
    let Announcement { announced_at, id } = *after;
    let later = Condition::any()
        .add(Column::AnnouncedAt.gt(announced_at))
        .add(Condition::all().add(Column::AnnouncedAt.eq(announced_at)).add(Column::Id.gt(id)));
    // The first condition is implied by the second one; with it the index is entered there.
    let page = announced().filter(Column::AnnouncedAt.gte(announced_at)).filter(later);
    let page = page.filter(Column::Published.eq(true));
    let page = page.order_by_asc(Column::AnnouncedAt).order_by_asc(Column::Id).limit(PAGE);
    let page = read(shared, page).await?;
    let Some(last) = page.last() else { return Ok(None) };
    *after = *last;
    Ok(Some(page))
}

fn announced() -> Select<Entity> {
    Entity::find().filter(Column::AnnouncedAt.is_not_null())
}

async fn read(shared: &Shared, announced: Select<Entity>) -> Result<Vec<Announcement>, Error> {
    let announced = announced.select_only().columns([Column::AnnouncedAt, Column::Id]);
    let rows: Vec<(DateTime<Utc>, crate::id::PhotoId)> = announced.into_tuple().all(shared.database.reader()).await?;
    Ok(rows.into_iter().map(|(announced_at, id)| Announcement { announced_at, id }).collect())
}
