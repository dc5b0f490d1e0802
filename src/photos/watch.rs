//! `photoPublished`: photos as they are published, on whatever server.
//!
//! One task looks for all listeners of this server: woken by a commit of this server, by a signal of another one, or by
//! itself every so often. It looks for photos that were announced lately, and hands out those that it has not seen.
//! Clocks of servers differ and commits take time, so it looks back further than its last look, and remembers.
//!
//! **Invariant:** nothing is looked for while nobody listens. **Invariant:** a listener that is slow misses the oldest:
//! at most [`KEPT`] photos wait for it, and what has waited is looked up once more before it is handed out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::Stream;
use sea_orm::entity::prelude::*;
use tokio::sync::{Notify, broadcast, oneshot};
use tokio::task::AbortHandle;

use crate::accounts::user;
use crate::caller::{Caller, Scope};
use crate::clock::Clock;
use crate::error::Error;
use crate::id::PhotoId;
use crate::photos::photo::{self, Column};
use crate::photos::{Filter, Photos, caption, list};
use crate::store::Database;

const CHANNEL: &str = "cloakroom_photos";
/// Photos that wait for a listener at most.
const KEPT: usize = 256;
/// How far clocks may differ, and a commit take.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(30);
/// How often to look where nothing tells of other servers' photos, and where something does.
const POLL: Duration = Duration::from_millis(500);
const POLL_BESIDE_SIGNALS: Duration = Duration::from_secs(5);
/// What was found longer ago may have been unpublished since.
const FRESH: TimeDelta = TimeDelta::seconds(1);
/// Before the next attempt to listen or to look.
const PAUSE: Duration = Duration::from_secs(1);

/// A photo that was published.
struct News {
    photo: photo::Model,
    /// Its author's username, in the form that compares.
    author: String,
    /// In the form that compares.
    tags: Vec<String>,
    found_at: DateTime<Utc>,
}

impl News {
    fn of(photo: photo::Model, author: String, found_at: DateTime<Utc>) -> Self {
        let tags = caption::tags(photo.caption.as_deref().unwrap_or_default());
        Self { photo, author, tags: tags.into_iter().map(|tag| tag.key).collect(), found_at }
    }
}

/// What a listener wants to hear of, in the forms that compare.
struct Wanted {
    author: Option<String>,
    tags: Vec<String>,
}

impl Wanted {
    fn has(&self, news: &News) -> bool {
        self.author.as_ref().is_none_or(|author| *author == news.author)
            && self.tags.iter().all(|tag| news.tags.contains(tag))
    }
}

/// What comes to a listener.
pub(super) type Published = std::pin::Pin<Box<dyn Stream<Item = Result<photo::Model, Error>> + Send>>;

impl Photos {
    /// Every photo that is published from now on and passes the filter.
    ///
    /// # Errors
    /// As [`Photos::list`].
    pub async fn watch(&self, caller: &Caller, filter: &Filter) -> Result<Published, Error> {
        caller.require(Scope::PhotosRead)?;
        let author = filter.author.as_ref();
        // What cannot be a username is nobody's: no key is empty.
        let author = author.map(|author| self.accounts.username_key(author).unwrap_or_default());
        let wanted = Wanted { author, tags: list::keys(&filter.tags)? };
        let (listener, shared) = (self.watch.begin().await?, Arc::clone(&self.watch.shared));
        let heard = futures_util::stream::unfold((listener, wanted, shared), |(mut listener, wanted, shared)| async {
            loop {
                let news = match listener.recv().await {
                    Ok(news) => news,
                    Err(broadcast::error::RecvError::Lagged(_)) => continue,
                    Err(broadcast::error::RecvError::Closed) => return None,
                };
                if wanted.has(&news) {
                    match shared.still(news).await {
                        Ok(Some(news)) if wanted.has(&news) => {
                            return Some((Ok(news.photo.clone()), (listener, wanted, shared)));
                        }
                        Ok(_) => {}
                        Err(error) => return Some((Err(error), (listener, wanted, shared))),
                    }
                }
            }
        });
        Ok(Box::pin(heard))
    }
}

/// The listeners of this server.
pub(super) struct Watch {
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

struct Shared {
    database: Database,
    clock: Clock,
    news: broadcast::Sender<Arc<News>>,
    wake: Notify,
    /// Wakes whoever is to hear other servers.
    begun: Notify,
    /// Who waits for the look that begins their listening.
    arriving: Mutex<Vec<oneshot::Sender<Listener>>>,
}

type Listener = broadcast::Receiver<Arc<News>>;

impl Shared {
    /// The same news as they are now; none if they are over.
    async fn still(&self, news: Arc<News>) -> Result<Option<Arc<News>>, Error> {
        let now = self.clock.now();
        if now - news.found_at <= FRESH {
            return Ok(Some(news));
        }
        let found = photo::published().filter(Column::Id.eq(news.photo.id)).select_also(user::Entity);
        // What was announced once more is other news.
        let found = found.filter(Column::AnnouncedAt.eq(news.photo.announced_at)).one(self.database.reader()).await?;
        let Some((photo, Some(author))) = found else { return Ok(None) };
        Ok(Some(Arc::new(News::of(photo, author.username_key, now))))
    }

    fn arrivals(&self) -> Vec<oneshot::Sender<Listener>> {
        std::mem::take(&mut *self.arriving.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watch {
    /// Starts to look, on the current runtime.
    pub(super) fn start(database: Database, clock: Clock) -> Self {
        let (news, _) = broadcast::channel(KEPT);
        let (wake, begun, arriving) = (Notify::new(), Notify::new(), Mutex::default());
        let shared = Arc::new(Shared { database, clock, news, wake, begun, arriving });
        let looking = tokio::spawn(look_on(Arc::clone(&shared)));
        let hearing = tokio::spawn(hear(Arc::clone(&shared)));
        Self { shared, tasks: [looking.abort_handle(), hearing.abort_handle()] }
    }

    /// Photos were published: to be called after the commit.
    pub(super) fn announced(&self) {
        self.shared.wake.notify_one();
        if self.shared.database.has_signals() {
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                if let Err(error) = shared.database.signal(CHANNEL, String::new()).await {
                    tracing::warn!(error = error.reason(), "other servers were not told of published photos");
                }
            });
        }
    }

    /// Begins to listen behind a look: what that finds is old.
    async fn begin(&self) -> Result<Listener, Error> {
        let (answer, looked) = oneshot::channel();
        self.shared.arriving.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
        self.shared.wake.notify_one();
        self.shared.begun.notify_one();
        looked.await.map_err(|_| Error::Unavailable { retry_after_seconds: 1 })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Looks for as long as the server runs.
async fn look_on(shared: Arc<Shared>) {
    let poll = if shared.database.has_signals() { POLL_BESIDE_SIGNALS } else { POLL };
    // When those were announced that need not be handed out again; nothing before the first look.
    let mut seen: Option<HashMap<PhotoId, DateTime<Utc>>> = None;
    loop {
        let arriving = shared.arrivals();
        if shared.news.receiver_count() == 0 {
            seen = None;
            if arriving.is_empty() {
                shared.wake.notified().await;
                continue;
            }
        }
        match look(&shared, seen.as_ref()).await {
            Ok(found) => seen = Some(found),
            Err(error) => {
                // Whoever arrives is told by the dropped answer.
                drop(arriving);
                tracing::warn!(error = error.reason(), "published photos could not be looked for");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        }
        arriving.into_iter().for_each(|answer| _ = answer.send(shared.news.subscribe()));
        drop(tokio::time::timeout(poll, shared.wake.notified()).await);
    }
}

/// Hands out what was announced lately and not seen, and returns what was announced lately.
async fn look(
    shared: &Shared,
    seen: Option<&HashMap<PhotoId, DateTime<Utc>>>,
) -> Result<HashMap<PhotoId, DateTime<Utc>>, Error> {
    let now = shared.clock.now();
    let lately = photo::published().filter(Column::AnnouncedAt.gte(now - LOOK_BACK));
    let lately = lately.select_also(user::Entity).all(shared.database.reader()).await?;
    let mut found = HashMap::with_capacity(lately.len());
    let mut news = Vec::new();
    for (photo, author) in lately {
        let (Some(announced_at), Some(author)) = (photo.announced_at, author) else { continue };
        found.insert(photo.id, announced_at);
        if seen.is_some_and(|seen| seen.get(&photo.id) != Some(&announced_at)) {
            news.push(News::of(photo, author.username_key, now));
        }
    }
    news.sort_by_key(|news| (news.photo.announced_at, news.photo.id));
    for news in news {
        // Nobody may be listening any more.
        drop(shared.news.send(Arc::new(news)));
    }
    Ok(found)
}

/// Listens to other servers from the first listener on.
async fn hear(shared: Arc<Shared>) {
    if !shared.database.has_signals() {
        return;
    }
    shared.begun.notified().await;
    loop {
        if let Err(error) = listen(&shared).await {
            tracing::warn!(error = error.reason(), "other servers are not heard");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen(shared: &Shared) -> Result<(), Error> {
    let Some(mut signals) = shared.database.listen(CHANNEL).await? else { return Ok(()) };
    shared.wake.notify_one();
    while signals.next().await?.is_some() {
        shared.wake.notify_one();
    }
    Ok(())
}
