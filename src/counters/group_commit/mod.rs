//! The group commit: one task that gathers writes, commits them together and hands out the outcomes.
//!
//! There is no delay: what is waiting is committed at once, and the next batch forms while that commit is in flight. A
//! lone caller waits for its own commit only; 256 callers share one sync.
//!
//! A counter whose row another transaction has locked does not hold up a batch: its writes move to the side queue of
//! `blocked.rs`, in their order, and later writes of that counter follow them until it is empty.

mod batch;
mod blocked;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config;
use crate::counters::counter::Key;
use crate::counters::order::{Order, Outcome, Refusal};
use crate::counters::record_quota::RecordQuota;
use crate::counters::watch::Watch;
use crate::error::Error;
use crate::store::Database;
use crate::supervise;
use batch::Commit;
use blocked::{Blocked, Limits};

type Answer = Result<Outcome, Refusal>;
/// The writes of a batch by counter, each line in the order of its arrival.
type Lines = HashMap<Key, Vec<Waiting>>;

/// A write that waits for its commit.
struct Waiting {
    key: Key,
    order: Order,
    /// The idempotency key, if there is one.
    once: Option<Arc<str>>,
    answer: oneshot::Sender<Answer>,
}

impl Waiting {
    /// A caller that has gone away does not hear the answer; what was committed stays committed.
    fn give(self, answer: Answer) {
        drop(self.answer.send(answer));
    }
}

/// The way into the group commit.
pub(super) struct GroupCommit {
    queue: RwLock<Option<mpsc::Sender<Waiting>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    blocked: Arc<Blocked>,
}

impl GroupCommit {
    /// `max_wait`: the time that a write waits for a counter that another transaction has locked.
    pub(super) fn start(
        database: Database,
        clock: Clock,
        watch: Arc<Watch>,
        quota: Arc<RecordQuota>,
        settings: &config::Counters,
        max_wait: Duration,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(settings.queue);
        let commit = Commit { database, watch, quota, clock };
        let limits = Limits { waiting: settings.queue, batch: settings.max_batch, max_wait };
        let blocked = Arc::new(Blocked::start(commit.clone(), limits));
        let (waiting, diverted, max_batch) = (Arc::new(Mutex::new(waiting)), Arc::clone(&blocked), settings.max_batch);
        let task = supervise::spawn("group commit", move || {
            let (commit, waiting, diverted) = (commit.clone(), Arc::clone(&waiting), Arc::clone(&diverted));
            async move { commit_until_closed(commit, &mut *waiting.lock().await, diverted, max_batch).await }
        });
        Self { queue: RwLock::new(Some(queue)), task: Mutex::new(Some(task)), blocked }
    }

    /// Puts a write in line, and waits for its commit. Under an idempotency key it is done once.
    pub(super) async fn order(&self, key: Key, order: Order, once: Option<Arc<str>>) -> Answer {
        let (answer, outcome) = oneshot::channel();
        let full = || Refusal::Failed(Error::Unavailable { retry_after_seconds: 1 });
        {
            let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
            let queue = queue.as_ref().ok_or_else(full)?;
            queue.try_send(Waiting { key, order, once, answer }).map_err(|_| full())?;
        }
        let lost = |_| Err(Refusal::Failed(Error::internal(anyhow::anyhow!("a batch of counters was lost"))));
        outcome.await.unwrap_or_else(lost)
    }

    /// Commits what waits. Writes that wait for a locked counter get a few seconds more.
    pub(super) async fn drain(&self) {
        drop(self.queue.write().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the group commit did not end cleanly");
        }
        self.blocked.drain().await;
    }
}

async fn commit_until_closed(
    commit: Commit,
    waiting: &mut mpsc::Receiver<Waiting>,
    blocked: Arc<Blocked>,
    max_batch: usize,
) {
    let mut batch = Vec::with_capacity(max_batch);
    while waiting.recv_many(&mut batch, max_batch).await > 0 {
        let full = std::mem::replace(&mut batch, Vec::with_capacity(max_batch));
        let lines = blocked.divert(by_counter(full));
        if lines.is_empty() {
            continue;
        }
        let commit = commit.clone();
        // In a task of its own: should it panic, its callers get an error and the next batch goes on.
        match tokio::spawn(async move { commit.run(lines).await }).await {
            Ok(locked) => blocked.add(locked),
            Err(error) => tracing::error!(%error, "a batch of counters was lost"),
        }
    }
}

fn by_counter(batch: Vec<Waiting>) -> Lines {
    let mut lines = Lines::new();
    for waiting in batch {
        match lines.get_mut(&waiting.key) {
            Some(line) => line.push(waiting),
            None => drop(lines.insert(waiting.key.clone(), vec![waiting])),
        }
    }
    lines
}
