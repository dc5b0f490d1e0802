//! The rows of announcements: read in pages when the first listener needs them, and shared by all.
//!
//! **Invariant:** at most [`KEPT`] rows are in memory, however many listeners there are and wherever they are in the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::entity::prelude::*;
use tokio::sync::Mutex;

use crate::accounts::user;
use crate::error::Error;
use crate::photos::photo::{self, Column};
use crate::photos::watch::log::Announcement;
use crate::photos::watch::{News, Shared};

/// Rows in memory. A caption has 2,000 characters at most, so they take 4 MB at most.
const KEPT: usize = 256;
/// Rows that are read at once.
const PAGE: usize = 50;
/// What was read longer ago may have been unpublished since.
const FRESH: Duration = Duration::from_secs(1);

/// Rows that were read lately.
#[derive(Default)]
pub(super) struct Rows(Mutex<VecDeque<Loaded>>);

/// An announcement with its row.
struct Loaded {
    number: u64,
    /// Of [`crate::clock::Clock::uptime`].
    loaded_at: Duration,
    /// None if the photo is not published any more, or announced again since.
    news: Option<Arc<News>>,
}

/// The next announcement for a listener.
pub(super) struct Next {
    /// Its number, which is a later one if the listener was slow.
    pub(super) number: u64,
    /// None if it is over.
    pub(super) news: Option<Arc<News>>,
}

impl Rows {
    /// The announcement with this number, or the next one that is still known. `None` if there is none yet.
    pub(super) async fn next(&self, shared: &Shared, number: u64) -> Result<Option<Next>, Error> {
        let mut rows = self.0.lock().await;
        // Listeners in different places leave each other some of what is kept.
        let ahead = (KEPT / shared.listeners().max(1)).clamp(1, PAGE);
        let (number, announcements) = shared.log().from(number, ahead);
        if announcements.is_empty() {
            return Ok(None);
        }
        let now = shared.clock.uptime();
        let is_fresh = |row: &&Loaded| now.saturating_sub(row.loaded_at) <= FRESH;
        if let Some(known) = rows.iter().filter(|row| row.number == number).find(is_fresh) {
            return Ok(Some(Next { number, news: known.news.clone() }));
        }
        let loaded = load(shared, &announcements).await?;
        let news = loaded.first().cloned().flatten();
        let numbers = number..number + loaded.len() as u64;
        rows.retain(|row| !numbers.contains(&row.number));
        rows.extend(numbers.zip(loaded).map(|(number, news)| Loaded { number, loaded_at: now, news }));
        while rows.len() > KEPT {
            rows.pop_front();
        }
        Ok(Some(Next { number, news }))
    }
}

/// The photos of these announcements, of authors who are there.
async fn load(shared: &Shared, announcements: &[Announcement]) -> Result<Vec<Option<Arc<News>>>, Error> {
    let ids = announcements.iter().map(|announcement| announcement.id);
    let photos = photo::published().filter(Column::Id.is_in(ids)).select_also(user::Entity);
    let photos = photos.all(shared.database.reader()).await?;
    let find = |announcement: &Announcement| {
        let is_of =
            |photo: &photo::Model| photo.id == announcement.id && photo.announced_at == Some(announcement.announced_at);
        let (photo, author) = photos.iter().find(|(photo, _)| is_of(photo))?;
        Some(Arc::new(News::of(photo.clone(), author.as_ref()?.username_key.clone())))
    };
    Ok(announcements.iter().map(find).collect())
}
