//! Watching counters: the counter now, then every change of its integer, and only the newest for
//! who is slow.
//!
//! One task reads for all watchers of this server, in rounds: it learns which counters may have changed (by a commit
//! of this server, by a signal of another one, by looking for itself), reads those that are watched in one statement,
//! and hands out what differs. A commit leaves only the counter's name behind, so a hot counter costs its watchers one
//! read a round, not one a commit.
//!
//! **Invariant:** a watcher begins with a read that began after it came: it misses nothing that was acknowledged before.
//! **Invariant:** what it sees follows the order of the commits, because nobody else reads for it.
//! **Invariant:** the newest integer always arrives; those between may be left out. Nothing piles up.

mod replicas;
mod round;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::AbortHandle;

use crate::caller::{Caller, Scope};
use crate::counters::counter::Key;
use crate::counters::{Counters, counter};
use crate::error::Error;
use crate::store::Database;
use crate::supervise;
use replicas::Hints;

impl Counters {
    /// Returns the caller's counter, then its new state after every change of `current`. Ends with
    /// [`Error::NotFound`] when the counter is deleted.
    ///
    /// # Errors
    /// As [`Counters::current`].
    pub async fn watch(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<impl Stream<Item = Result<Arc<counter::Model>, Error>> + use<>, Error> {
        let key = Key::of(caller.require_on(Scope::CountersRead, name)?, name).ok_or(Error::NotFound("counter"))?;
        let mut watcher = self.watch.begin(key).await?;
        let first = watcher.now().ok_or(Error::NotFound("counter"))?;
        let id = first.id;
        Ok(futures_util::stream::unfold((Some(watcher), Some(first)), move |(watcher, first)| async move {
            let mut watcher = watcher?;
            if let Some(first) = first {
                return Some((Ok(first), (Some(watcher), None)));
            }
            // A new counter of the same name is another counter.
            match watcher.change().await.filter(|counter| counter.id == id) {
                Some(counter) => Some((Ok(counter), (Some(watcher), None))),
                None => Some((Err(Error::NotFound("counter")), (None, None))),
            }
        }))
    }
}

/// The watchers of this server.
pub(super) struct Watch {
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

struct Shared {
    database: Database,
    /// How often to look where no signals come.
    poll: Duration,
    /// Whether signals come.
    hears: AtomicBool,
    /// How many watch, so that a commit that nobody watches costs one look.
    watchers: AtomicUsize,
    wake: Notify,
    begun: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was shown last; `None` for a counter that does not exist.
    watched: HashMap<Key, watch::Sender<Option<Arc<counter::Model>>>>,
    /// What may have changed since it was read.
    changed: HashSet<Key>,
    /// Who waits for their first read.
    arriving: Vec<(Key, oneshot::Sender<Result<(), Error>>)>,
    /// What other servers are to be told.
    hints: Hints,
}

impl Watch {
    /// Starts the rounds, on the current runtime.
    pub(super) fn start(database: Database, poll: Duration) -> Self {
        let shared = Arc::new(Shared {
            database,
            poll,
            hears: AtomicBool::new(false),
            watchers: AtomicUsize::new(0),
            wake: Notify::new(),
            begun: Notify::new(),
            state: Mutex::default(),
        });
        let of_rounds = Arc::clone(&shared);
        let rounds = supervise::spawn("reading of watched counters", move || round::go_on(Arc::clone(&of_rounds)));
        let of_replicas = Arc::clone(&shared);
        let hearing = supervise::spawn("signals of counters", move || replicas::hear(Arc::clone(&of_replicas)));
        Self { shared, tasks: [rounds.abort_handle(), hearing.abort_handle()] }
    }

    /// Whether anybody cares about commits.
    fn wants_changes(&self) -> bool {
        self.shared.database.has_signals() || self.shared.watchers.load(Ordering::SeqCst) > 0
    }

    /// These counters have changed: to be called after the commit.
    pub(super) fn changed<'k>(&self, keys: impl Iterator<Item = &'k Key>) {
        if !self.wants_changes() {
            return;
        }
        let mut state = self.shared.lock();
        let State { watched, changed, hints, .. } = &mut *state;
        for key in keys {
            if self.shared.database.has_signals() {
                hints.add(key);
            }
            if watched.contains_key(key) {
                changed.insert(key.clone());
            }
        }
        let woken = !changed.is_empty() || !hints.is_empty();
        drop(state);
        if woken {
            self.shared.wake.notify_one();
        }
    }

    /// Has every watcher, of this server and of others, read its counter again.
    pub(super) async fn announce_all(&self) {
        replicas::tell_all(&self.shared).await;
    }

    /// Begins to watch, with a read.
    async fn begin(&self, key: Key) -> Result<Watcher, Error> {
        let (answer, read) = oneshot::channel();
        let shown = {
            let mut state = self.shared.lock();
            // Before the read: a commit that does not see it has ended, and is seen by the read.
            self.shared.watchers.fetch_add(1, Ordering::SeqCst);
            let sender = state.watched.entry(key.clone()).or_insert_with(|| watch::Sender::new(None));
            let shown = sender.subscribe();
            state.arriving.push((key.clone(), answer));
            shown
        };
        let watcher = Watcher { shown, key, shared: Arc::clone(&self.shared) };
        self.shared.wake.notify_one();
        self.shared.begun.notify_one();
        read.await.map_err(|_| Error::Unavailable { retry_after_seconds: 1 })??;
        Ok(watcher)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at everything that is watched.
    fn doubt_all(&self) {
        let mut state = self.lock();
        let State { watched, changed, .. } = &mut *state;
        changed.extend(watched.keys().cloned());
    }
}

/// One who watches a counter.
struct Watcher {
    shown: watch::Receiver<Option<Arc<counter::Model>>>,
    key: Key,
    shared: Arc<Shared>,
}

impl Watcher {
    /// The counter as it was read last; `None` if there is none.
    fn now(&mut self) -> Option<Arc<counter::Model>> {
        self.shown.borrow_and_update().clone()
    }

    /// The counter after its next change.
    async fn change(&mut self) -> Option<Arc<counter::Model>> {
        self.shown.changed().await.ok()?;
        self.now()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        self.shared.watchers.fetch_sub(1, Ordering::SeqCst);
        // This one is still among the receivers.
        if state.watched.get(&self.key).is_some_and(|sender| sender.receiver_count() <= 1) {
            state.watched.remove(&self.key);
        }
    }
}
