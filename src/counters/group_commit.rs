//! The group commit: one task that gathers writes, commits them together and hands out the outcomes.
//!
//! There is no delay: what is waiting is committed at once, and the next batch forms while that commit is in
//! flight. A lone caller waits for its own commit only; 256 callers share one sync.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config;
use crate::counters::counter::Key;
use crate::counters::idempotency::{BatchRecords, Room};
use crate::counters::order::{Order, Outcome, Refusal};
use crate::counters::record_quota::RecordQuota;
use crate::counters::watch::Watch;
use crate::counters::{answer, counter, statements};
use crate::error::Error;
use crate::id::{CounterId, UserId};
use crate::store::{Database, DatabaseTransaction};

type Answer = Result<Outcome, Refusal>;
/// What each counter's line asks for, and under which idempotency keys.
type Orders = HashMap<Key, Vec<(Order, Option<Arc<str>>)>>;
/// The outcome of a batch.
struct Decided {
    answers: HashMap<Key, Vec<Answer>>,
    /// Numbers of idempotency records that users have added.
    added: HashMap<UserId, i64>,
}

/// A write that waits for its commit.
struct Waiting {
    key: Key,
    order: Order,
    /// The idempotency key, if there is one.
    once: Option<Arc<str>>,
    answer: oneshot::Sender<Answer>,
}

/// The way into the group commit.
pub(super) struct GroupCommit {
    queue: std::sync::RwLock<Option<mpsc::Sender<Waiting>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl GroupCommit {
    pub(super) fn start(
        database: Database,
        clock: Clock,
        watch: Arc<Watch>,
        quota: Arc<RecordQuota>,
        settings: &config::Counters,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(settings.queue);
        let commit = Commit { database, watch, quota };
        let task = tokio::spawn(commit_until_closed(commit, clock, waiting, settings.max_batch));
        Self { queue: std::sync::RwLock::new(Some(queue)), task: Mutex::new(Some(task)) }
    }

    /// Puts a write in line, and waits for its commit. Under an idempotency key it is done once.
    pub(super) async fn order(&self, key: Key, order: Order, once: Option<Arc<str>>) -> Answer {
        let (answer, outcome) = oneshot::channel();
        let full = || Refusal::Failed(Error::Unavailable { retry_after_seconds: 1 });
        {
            let queue = self.queue.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let queue = queue.as_ref().ok_or_else(full)?;
            queue.try_send(Waiting { key, order, once, answer }).map_err(|_| full())?;
        }
        let lost = |_| Err(Refusal::Failed(Error::internal(anyhow::anyhow!("a batch of counters was lost"))));
        outcome.await.unwrap_or_else(lost)
    }

    pub(super) async fn drain(&self) {
        drop(self.queue.write().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the group commit did not end cleanly");
        }
    }
}

/// What a batch is committed to, and who hears of it.
#[derive(Clone)]
struct Commit {
    database: Database,
    watch: Arc<Watch>,
    quota: Arc<RecordQuota>,
}

async fn commit_until_closed(to: Commit, clock: Clock, mut waiting: mpsc::Receiver<Waiting>, max_batch: usize) {
    let mut batch = Vec::with_capacity(max_batch);
    while waiting.recv_many(&mut batch, max_batch).await > 0 {
        let full = std::mem::replace(&mut batch, Vec::with_capacity(max_batch));
        // In a task of its own: should it panic, its callers get an error and the next batch goes on.
        let commit = tokio::spawn(commit(to.clone(), clock.now(), full));
        if let Err(error) = commit.await {
            tracing::error!(%error, "a batch of counters was lost");
        }
    }
}

async fn commit(Commit { database, watch, quota }: Commit, now: DateTime<Utc>, batch: Vec<Waiting>) {
    let mut by_counter: HashMap<Key, Vec<Waiting>> = HashMap::new();
    for waiting in batch {
        match by_counter.get_mut(&waiting.key) {
            Some(line) => line.push(waiting),
            None => drop(by_counter.insert(waiting.key.clone(), vec![waiting])),
        }
    }
    // Whoever begins to watch before the end of this may have read what was there before it.
    let written: Vec<Key> = by_counter.keys().cloned().collect();
    let plain = |line: &Vec<Waiting>| {
        line.iter().all(|waiting| waiting.once.is_none() && matches!(waiting.order, Order::Take { .. }))
    };
    let (plain, mixed) = by_counter.into_iter().partition(|(_, line)| plain(line));
    let refused = take(&database, now, plain).await;
    decide(&database, &quota, now, mixed.into_iter().chain(refused).collect()).await;
    watch.changed(written.iter());
}

/// Lines that only take, under no key: one statement for all of them, which is its own transaction. Returns the lines
/// that it left out, because their counter does not exist or has not room for the whole line.
async fn take(
    database: &Database,
    now: DateTime<Utc>,
    lines: HashMap<Key, Vec<Waiting>>,
) -> HashMap<Key, Vec<Waiting>> {
    if lines.is_empty() {
        return lines;
    }
    let mut amounts: Vec<_> = lines.iter().map(|(key, line)| (key.clone(), steps(line))).collect();
    // Every replica names the rows in one order. Should a database lock them in another, and two replicas each other out,
    // it gives one of them up, which is run again.
    amounts.sort_unstable();
    let taken = match statements::take(database, now, &amounts).await {
        Ok(taken) => taken,
        Err(error) => {
            fail(lines, &error);
            return HashMap::new();
        }
    };
    let mut lines = lines;
    for counter in taken {
        hand_out(lines.remove(&key_of(&counter)).unwrap_or_default(), &counter);
    }
    lines
}

/// The statement added the whole line's steps at once; each caller gets its own place in it.
fn hand_out(line: Vec<Waiting>, counter: &counter::Model) {
    let step = i64::from(counter.step);
    let mut current = counter.current - step * steps(&line);
    for waiting in line {
        let previous = current;
        current += step * waiting.order.steps();
        let counter = counter::Model { current, ..counter.clone() };
        give(waiting, Ok(Outcome { previous, counter, replayed: false }));
    }
}

/// By how many steps a line takes its counter on.
fn steps(line: &[Waiting]) -> i64 {
    line.iter().map(|waiting| waiting.order.steps()).sum()
}

/// Everything else: the rows are locked and read, the orders applied one after the other, and what changed
/// is written, in one transaction.
async fn decide(database: &Database, quota: &RecordQuota, now: DateTime<Utc>, lines: HashMap<Key, Vec<Waiting>>) {
    if lines.is_empty() {
        return;
    }
    let orders: Orders = lines
        .iter()
        .map(|(key, line)| (key.clone(), line.iter().map(|waiting| (waiting.order, waiting.once.clone())).collect()))
        .collect();
    let is_keyed = |line: &Vec<(Order, Option<Arc<str>>)>| line.iter().any(|(_, once)| once.is_some());
    let keyed = orders.iter().filter(|(_, line)| is_keyed(line)).map(|(key, _)| key.owner).collect();
    let (room, orders) = (quota.room(&keyed, now).await, Arc::new(orders));
    let decided =
        database.write(move |transaction| Box::pin(decide_within(transaction, now, Arc::clone(&orders), room.clone())));
    match decided.await {
        Ok(Decided { mut answers, added }) => {
            added.into_iter().for_each(|(owner, records)| quota.add(owner, records));
            for (key, line) in lines {
                let answers = answers.remove(&key).unwrap_or_default();
                line.into_iter().zip(answers).for_each(|(waiting, given)| give(waiting, given));
            }
        }
        Err(error) => fail(lines, &error),
    }
}

async fn decide_within(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
    orders: Arc<Orders>,
    room: Room,
) -> Result<Decided, Error> {
    let mut counters: HashMap<Key, counter::Model> = statements::lock(transaction, orders.keys())
        .await?
        .into_iter()
        .map(|counter| (key_of(&counter), counter))
        .collect();
    let keys = keys_in(&orders, &counters);
    let mut records = BatchRecords::read(transaction, now, &keys, room).await?;
    let (mut answers, mut changed, mut kept) = (HashMap::new(), Vec::new(), Vec::new());
    for (key, orders) in orders.iter() {
        let Some(counter) = counters.get_mut(key) else {
            answers.insert(key.clone(), orders.iter().map(|_| Err(Refusal::NotFound)).collect());
            continue;
        };
        let mut outcomes = Vec::with_capacity(orders.len());
        for (order, once) in orders {
            outcomes.push(match once {
                None => order.apply(counter, now),
                Some(once) => records.apply_once(*order, once, counter, now).inspect(|outcome| {
                    kept.extend((!outcome.replayed).then(|| answer::Model::new(once, *order, outcome)));
                }),
            });
        }
        if outcomes.iter().flatten().any(|outcome| !outcome.replayed) {
            changed.push((counter.id, counter.current, counter.idempotency_records));
        }
        answers.insert(key.clone(), outcomes);
    }
    statements::store(transaction, now, &changed).await?;
    statements::keep_answers(transaction, now, &kept).await?;
    Ok(Decided { answers, added: records.into_added() })
}

/// The idempotency keys of these orders, each with its counter, if there is one.
fn keys_in<'o>(orders: &'o Orders, counters: &HashMap<Key, counter::Model>) -> Vec<(CounterId, &'o str)> {
    let mut keys = Vec::new();
    for (key, orders) in orders {
        if let Some(counter) = counters.get(key) {
            keys.extend(orders.iter().filter_map(|(_, once)| Some((counter.id, once.as_deref()?))));
        }
    }
    keys
}

fn key_of(counter: &counter::Model) -> Key {
    Key { owner: counter.user_id, name: counter.name.as_str().into() }
}

fn fail(lines: HashMap<Key, Vec<Waiting>>, error: &Error) {
    for waiting in lines.into_values().flatten() {
        give(waiting, Err(Refusal::Failed(error.clone())));
    }
}

/// A caller that has gone away does not hear the answer; what was committed stays committed.
fn give(waiting: Waiting, answer: Answer) {
    drop(waiting.answer.send(answer));
}
