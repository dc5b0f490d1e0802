//! The side queue: writes of counters whose rows other transactions have locked.
//!
//! A task with a connection of its own tries them again and again, and skips the rows that are still locked. A counter
//! stays in the queue until none of its writes is left, so that they keep their order.
//!
//! **Invariant:** while a counter is in the queue, the group commit does not write it.
//! **Invariant:** a write that leaves the queue without having been run was not done.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::counters::counter::Key;
use crate::counters::group_commit::batch::Commit;
use crate::counters::group_commit::{Lines, Waiting};
use crate::counters::order::Refusal;
use crate::error::{Dependency, Error};
use crate::supervise;

/// Shortest and longest time between two attempts.
const MIN_PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(50);
/// The pause is this fraction (1/8) of the time without progress.
const PAUSE_SHARE: u32 = 8;
/// Age at which a locked counter is worth a line in the log.
const WORTH_LOGGING: Duration = Duration::from_secs(5);
/// Time that a counter stays in the queue after its last write has expired: it is locked still.
const KEPT: Duration = Duration::from_secs(60);
/// Time that [`Blocked::drain`] waits for locked counters.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// One counter may have this fraction (1/4) of all places.
const COUNTER_SHARE: usize = 4;

/// The bounds of the queue.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Writes that wait at most, of all counters together.
    pub(super) waiting: usize,
    /// Writes of one attempt at most; one of each counter if those are more.
    pub(super) batch: usize,
    /// Time that a write waits at most.
    pub(super) max_wait: Duration,
}

/// The side queue.
pub(super) struct Blocked {
    shared: Arc<Shared>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    limits: Limits,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    lines: HashMap<Key, Line>,
    /// Writes in all lines, including those of the attempt that is under way.
    waiting: usize,
    /// When a write was last done or a counter was last added.
    progress: Option<Instant>,
    /// Time until which to try; set by [`Blocked::drain`].
    ends: Option<Instant>,
}

/// The writes of one counter.
struct Line {
    writes: VecDeque<Write>,
    /// True while an attempt has writes from the front of the line.
    is_tried: bool,
    since: Instant,
    is_logged: bool,
    /// When its last write expired, if it has none.
    emptied: Option<Instant>,
}

struct Write {
    waiting: Waiting,
    expires: Instant,
}

impl Blocked {
    /// Starts the task on the current runtime.
    pub(super) fn start(commit: Commit, limits: Limits) -> Self {
        let shared = Arc::new(Shared { limits, state: Mutex::default(), wake: Notify::new() });
        let tried = Arc::clone(&shared);
        let task =
            supervise::spawn("queue of locked counters", move || try_until_closed(Arc::clone(&tried), commit.clone()));
        Self { shared, task: tokio::sync::Mutex::new(Some(task)) }
    }

    /// Adds the lines of counters that are in the queue already, and returns the others.
    pub(super) fn divert(&self, mut lines: Lines) -> Lines {
        let mut state = self.shared.lock();
        if state.lines.is_empty() {
            return lines;
        }
        let diverted: Lines = lines.extract_if(|key, _| state.lines.contains_key(key)).collect();
        if !diverted.is_empty() {
            state.add(diverted, self.shared.limits);
            drop(state);
            self.shared.wake.notify_one();
        }
        lines
    }

    /// Adds the lines of counters that were found locked.
    pub(super) fn add(&self, lines: Lines) {
        if !lines.is_empty() {
            self.shared.lock().add(lines, self.shared.limits);
            self.shared.wake.notify_one();
        }
    }

    /// Tries what is left for a few seconds, and answers the rest. Nothing may be added any more.
    pub(super) async fn drain(&self) {
        self.shared.lock().ends = Some(Instant::now() + DRAIN_LIMIT);
        self.shared.wake.notify_one();
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the queue of locked counters did not end cleanly");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, lines: Lines, limits: Limits) {
        let now = Instant::now();
        let (expires, share) = (now + limits.max_wait, (limits.waiting / COUNTER_SHARE).max(1));
        for (key, arrived) in lines {
            let line = match self.lines.entry(key) {
                Entry::Occupied(line) => line.into_mut(),
                Entry::Vacant(place) => {
                    self.progress = Some(now);
                    place.insert(Line::new(now))
                }
            };
            for waiting in arrived {
                let is_full = self.waiting >= limits.waiting || line.writes.len() >= share;
                if is_full {
                    waiting.give(Err(Refusal::Failed(Error::Unavailable { retry_after_seconds: 1 })));
                } else {
                    line.writes.push_back(Write { waiting, expires });
                    self.waiting += 1;
                }
            }
            if line.writes.is_empty() && !line.is_tried {
                line.emptied = Some(now);
            }
        }
    }

    /// Takes the writes of the next attempt from the front of the lines, each line its share.
    fn take(&mut self, limits: Limits) -> Vec<Write> {
        self.expire();
        let share = (limits.batch / self.lines.len().max(1)).max(1);
        let mut taken = Vec::new();
        for line in self.lines.values_mut().filter(|line| !line.writes.is_empty()) {
            taken.extend(line.writes.drain(..share.min(line.writes.len())));
            line.is_tried = true;
        }
        taken
    }

    /// Puts writes back whose counters are still locked.
    fn put_back(&mut self, tried: usize, locked: HashMap<Key, Vec<Write>>) {
        let now = Instant::now();
        self.waiting = self.waiting.saturating_sub(tried);
        for line in self.lines.values_mut().filter(|line| line.is_tried) {
            line.is_tried = false;
            line.emptied = None;
        }
        let mut left: usize = 0;
        for (key, writes) in locked {
            left += writes.len();
            let line = self.lines.entry(key.clone()).or_insert_with(|| Line::new(now));
            for write in writes.into_iter().rev() {
                line.writes.push_front(write);
            }
            line.log_once(&key, now);
        }
        self.waiting += left;
        if left < tried {
            self.progress = Some(now);
        }
        self.lines.retain(|_, line| !line.writes.is_empty() || line.is_kept(now));
    }

    /// Answers the writes that have waited too long, and drops those whose callers have gone.
    fn expire(&mut self) {
        let now = Instant::now();
        let mut dropped = 0;
        for line in self.lines.values_mut() {
            let before = line.writes.len();
            for write in std::mem::take(&mut line.writes) {
                if write.expires <= now {
                    write.waiting.give(Err(locked()));
                } else if !write.waiting.answer.is_closed() {
                    line.writes.push_back(write);
                }
            }
            dropped += before - line.writes.len();
            if before > 0 && line.writes.is_empty() {
                line.emptied = Some(now);
            }
        }
        self.waiting = self.waiting.saturating_sub(dropped);
        self.lines.retain(|_, line| !line.writes.is_empty() || line.is_kept(now));
    }

    fn pause(&self) -> Duration {
        let stuck = self.progress.map_or(MAX_PAUSE, |progress| progress.elapsed());
        (stuck / PAUSE_SHARE).clamp(MIN_PAUSE, MAX_PAUSE)
    }
}

impl Line {
    fn new(now: Instant) -> Self {
        Self { writes: VecDeque::new(), is_tried: false, since: now, is_logged: false, emptied: None }
    }

    fn is_kept(&self, now: Instant) -> bool {
        self.emptied.is_some_and(|emptied| now - emptied < KEPT)
    }

    fn log_once(&mut self, key: &Key, now: Instant) {
        if !self.is_logged && now - self.since >= WORTH_LOGGING {
            self.is_logged = true;
            let (user, name) = (key.owner.uuid(), &*key.name);
            tracing::warn!(
                user.id = %user,
                counter.name = name,
                "another transaction has locked the row of counter {name}; its writes wait"
            );
        }
    }
}

async fn try_until_closed(shared: Arc<Shared>, commit: Commit) {
    loop {
        let (tried, ends) = {
            let mut state = shared.lock();
            let ends = state.ends;
            if ends.is_some_and(|ends| ends <= Instant::now()) {
                let left = state.lines.drain().flat_map(|(_, line)| line.writes);
                left.for_each(|write| write.waiting.give(Err(locked())));
                return;
            }
            (state.take(shared.limits), ends)
        };
        if tried.is_empty() {
            if ends.is_some() {
                return;
            }
            shared.wake.notified().await;
            continue;
        }
        let are_locked = attempt(&shared, &commit, tried).await;
        if are_locked {
            let pause = shared.lock().pause();
            tokio::time::sleep(pause).await;
        }
    }
}

/// Runs writes, and puts those back whose counters are locked. True if there are such.
async fn attempt(shared: &Shared, commit: &Commit, writes: Vec<Write>) -> bool {
    let tried = writes.len();
    let (mut lines, mut expiries) = (Lines::new(), HashMap::<Key, Vec<Instant>>::new());
    for Write { waiting, expires } in writes {
        expiries.entry(waiting.key.clone()).or_default().push(expires);
        lines.entry(waiting.key.clone()).or_default().push(waiting);
    }
    let commit = commit.clone();
    // In a task of its own: should it panic, its callers get an error and the next attempt goes on.
    let locked = tokio::spawn(async move { commit.run_blocked(lines).await }).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a batch of counters was lost");
        Lines::new()
    });
    let are_locked = !locked.is_empty();
    let back = locked.into_iter().map(|(key, line)| {
        let expiries = expiries.remove(&key).unwrap_or_default();
        let writes = line.into_iter().zip(expiries).map(|(waiting, expires)| Write { waiting, expires });
        (key, writes.collect())
    });
    let back = back.collect();
    shared.lock().put_back(tried, back);
    are_locked
}

fn locked() -> Refusal {
    let cause = anyhow::anyhow!("another transaction has locked the row of the counter");
    Refusal::Failed(Error::dependency_unavailable(Dependency::Database, 1, cause))
}
