//! `photoPublished`: photos as they are published, on whatever server.
//!
//! One task looks for all listeners of this server (`look.rs`): woken by a commit of this server, by a signal of another
//! one, or after a while. It logs the ids that it finds (`log.rs`). Each listener goes through the log at its own speed,
//! and rows are read when the first one needs them (`rows.rs`).
//!
//! **Invariant:** nothing is looked for while nobody listens. **Invariant:** a listener that is slow misses the oldest:
//! at most [`log::LOGGED`] photos wait for it, and what has waited is read once more before it is handed out.

mod log;
mod look;
mod rows;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::AbortHandle;

use crate::caller::{Caller, Scope};
use crate::clock::Clock;
use crate::error::Error;
use crate::photos::{Filter, Photos, caption, list, photo};
use crate::store::Database;
use crate::supervise;

use log::{Announcement, Log};
use rows::{Next, Rows};

const CHANNEL: &str = "cloakroom_photos";
/// Before the next attempt to listen.
const PAUSE: Duration = Duration::from_secs(1);

/// A photo that was published.
struct News {
    photo: photo::Model,
    /// Its author's username, in the form that compares.
    author: String,
    /// In the form that compares.
    tags: Vec<String>,
}

impl News {
    fn of(photo: photo::Model, author: String) -> Self {
        let tags = caption::tags(photo.caption.as_deref().unwrap_or_default());
        Self { photo, author, tags: tags.into_iter().map(|tag| tag.key).collect() }
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
                match listener.next(&shared).await? {
                    Ok(Some(news)) if wanted.has(&news) => {
                        return Some((Ok(news.photo.clone()), (listener, wanted, shared)));
                    }
                    Ok(_) => {}
                    Err(error) => return Some((Err(error), (listener, wanted, shared))),
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
    log: Mutex<Log>,
    rows: Rows,
    /// The end of the log. Each listener has a receiver.
    end: watch::Sender<u64>,
    wake: Notify,
    /// Wakes whoever is to hear other servers.
    begun: Notify,
    /// Who waits for the look that begins their listening.
    arriving: Mutex<Vec<oneshot::Sender<Listener>>>,
}

/// A place in the log.
struct Listener {
    next: u64,
    end: watch::Receiver<u64>,
}

impl Listener {
    /// At the end of the log.
    fn begin(shared: &Shared) -> Self {
        Self { next: shared.log().end(), end: shared.end.subscribe() }
    }

    /// Waits for the next announcement, and returns its photo, if that is still published. `None` when the server ends.
    async fn next(&mut self, shared: &Shared) -> Option<Result<Option<Arc<News>>, Error>> {
        loop {
            // Before the log is read, so that whatever is logged after that wakes this.
            self.end.borrow_and_update();
            match shared.rows.next(shared, self.next).await {
                Ok(Some(Next { number, news })) => {
                    self.next = number + 1;
                    return Some(Ok(news));
                }
                Ok(None) => self.end.changed().await.ok()?,
                Err(error) => {
                    // The next answer is about the next one.
                    self.next += 1;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_all(&self, announcements: Vec<Announcement>) {
        if announcements.is_empty() {
            return;
        }
        let end = {
            let mut log = self.log();
            announcements.into_iter().for_each(|announcement| log.push(announcement));
            log.end()
        };
        self.end.send_replace(end);
    }

    fn listeners(&self) -> usize {
        self.end.receiver_count()
    }

    fn arrivals(&self) -> Vec<oneshot::Sender<Listener>> {
        std::mem::take(&mut *self.arriving.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watch {
    /// Starts to look, on the current runtime.
    pub(super) fn start(database: Database, clock: Clock) -> Self {
        let (log, rows, arriving) = (Mutex::default(), Rows::default(), Mutex::default());
        let (end, wake, begun) = (watch::Sender::new(0), Notify::new(), Notify::new());
        let shared = Arc::new(Shared { database, clock, log, rows, end, wake, begun, arriving });
        let of_looking = Arc::clone(&shared);
        let looking = supervise::spawn("search for published photos", move || look::look_on(Arc::clone(&of_looking)));
        let of_hearing = Arc::clone(&shared);
        let hearing = supervise::spawn("signals of photos", move || hear(Arc::clone(&of_hearing)));
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

/// Listens to other servers from the first listener on.
async fn hear(shared: Arc<Shared>) {
    if !shared.database.has_signals() {
        return;
    }
    shared.begun.notified().await;
    // For the next run, should this one panic.
    shared.begun.notify_one();
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
