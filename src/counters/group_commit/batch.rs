//! One batch: its statements, and the outcome of each of its writes.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::counters::counter::Key;
use crate::counters::group_commit::{Answer, Lines, Waiting};
use crate::counters::idempotency::BatchRecords;
use crate::counters::order::{Order, Outcome, Refusal};
use crate::counters::record_quota::RecordQuota;
use crate::counters::statements::OnLock;
use crate::counters::watch::Watch;
use crate::counters::{answer, counter, statements};
use crate::error::Error;
use crate::id::{CounterId, UserId};
use crate::store::{Backend, Database, DatabaseTransaction, DatabaseWriter, is_lock_timeout};

/// The writes of each counter's line, with their idempotency keys.
type Orders = HashMap<Key, Vec<(Order, Option<Arc<str>>)>>;

/// The outcome of a transaction.
struct Decided {
    /// The answers of each line, but for those of counters that are locked.
    answers: HashMap<Key, Vec<Answer>>,
    /// Numbers of idempotency records that users have added.
    added: HashMap<UserId, i64>,
}

/// The lines of a transaction that has waited too long for a lock. Nothing was done for any of them.
struct LockTimeout(Lines);

/// The database that batches are committed to, and what is updated after a commit.
#[derive(Clone)]
pub(super) struct Commit {
    pub(super) database: Database,
    pub(super) watch: Arc<Watch>,
    pub(super) quota: Arc<RecordQuota>,
    pub(super) clock: Clock,
}

impl Commit {
    /// Commits a batch. Returns the lines of counters that other transactions have locked: nothing was done for them.
    pub(super) async fn run(self, lines: Lines) -> Lines {
        // A subscriber that arrives before this batch commits may have read the old value, so all
        // of these are announced again.
        let written: Vec<Key> = lines.keys().cloned().collect();
        let now = self.clock.now();
        let plain = |line: &Vec<Waiting>| {
            line.iter().all(|waiting| waiting.once.is_none() && matches!(waiting.order, Order::Take { .. }))
        };
        let (plain, mut mixed): (Lines, Lines) = lines.into_iter().partition(|(_, line)| plain(line));
        let (refused, on_lock) = self.take(now, plain).await;
        mixed.extend(refused);
        let writer = self.database.group_commit_writer();
        let locked = match self.decide(writer, now, mixed, on_lock).await {
            Err(LockTimeout(lines)) if on_lock == OnLock::Wait => {
                self.decide(writer, now, lines, OnLock::Skip).await.unwrap_or_else(|LockTimeout(lines)| lines)
            }
            decided => decided.unwrap_or_else(|LockTimeout(lines)| lines),
        };
        self.watch.changed(written.iter());
        locked
    }

    /// Commits lines of counters that may be locked, without waiting for them. Returns those that are.
    pub(super) async fn run_blocked(self, lines: Lines) -> Lines {
        let written: Vec<Key> = lines.keys().cloned().collect();
        let (writer, now) = (self.database.blocked_writer(), self.clock.now());
        let locked = match self.decide(writer, now, lines, OnLock::Skip).await {
            Ok(locked) => locked,
            // One of them waits for another lock than that of its counter's row. It shall not hold up the others.
            Err(LockTimeout(lines)) => {
                let mut locked = Lines::new();
                for line in lines {
                    let decided = self.decide(writer, now, Lines::from([line]), OnLock::Skip).await;
                    locked.extend(decided.unwrap_or_else(|LockTimeout(line)| line));
                }
                locked
            }
        };
        self.watch.changed(written.iter());
        locked
    }

    /// Lines that only take, under no key: one statement for all of them, which is its own transaction. Returns the
    /// lines that it left out, because their counter does not exist, is locked or has not room for the whole line.
    async fn take(&self, now: DateTime<Utc>, mut lines: Lines) -> (Lines, OnLock) {
        let mut on_lock = match self.database.backend() {
            Backend::Sqlite | Backend::Postgres => OnLock::Wait,
            // The shortest time that a statement can wait there is a second.
            Backend::Mysql => OnLock::Skip,
        };
        if lines.is_empty() {
            return (lines, on_lock);
        }
        let mut amounts: Vec<_> = lines.iter().map(|(key, line)| (key.clone(), steps(line))).collect();
        // Every replica names the rows in one order. Should a database lock them in another, and two replicas each other
        // out, it gives one of them up, which is run again.
        amounts.sort_unstable();
        let mut taken = statements::take(&self.database, now, &amounts, on_lock).await;
        if on_lock == OnLock::Wait && taken.as_ref().is_err_and(is_lock_timeout) {
            on_lock = OnLock::Skip;
            taken = statements::take(&self.database, now, &amounts, on_lock).await;
        }
        match taken {
            Ok(taken) => {
                for counter in taken {
                    hand_out(lines.remove(&key_of(&counter)).unwrap_or_default(), &counter);
                }
                (lines, on_lock)
            }
            Err(error) if is_lock_timeout(&error) => (lines, on_lock),
            Err(error) => {
                fail(lines, &error);
                (Lines::new(), on_lock)
            }
        }
    }

    /// Everything else: the rows are locked and read, the orders applied one after the other, and what changed is
    /// written, in one transaction. Returns the lines of counters that other transactions have locked.
    async fn decide(
        &self,
        writer: &DatabaseWriter,
        now: DateTime<Utc>,
        mut lines: Lines,
        on_lock: OnLock,
    ) -> Result<Lines, LockTimeout> {
        if lines.is_empty() {
            return Ok(lines);
        }
        let orders = |line: &Vec<Waiting>| line.iter().map(|waiting| (waiting.order, waiting.once.clone())).collect();
        let orders: Orders = lines.iter().map(|(key, line)| (key.clone(), orders(line))).collect();
        let (orders, quota) = (Arc::new(orders), Arc::clone(&self.quota));
        let decided = writer.write(move |transaction| {
            let (orders, quota) = (Arc::clone(&orders), Arc::clone(&quota));
            Box::pin(async move { decide_within(transaction, now, &orders, &quota, on_lock).await })
        });
        match decided.await {
            Ok(Decided { answers, added }) => {
                added.into_iter().for_each(|(owner, records)| self.quota.add(owner, records));
                for (key, answers) in answers {
                    let line = lines.remove(&key).unwrap_or_default();
                    line.into_iter().zip(answers).for_each(|(waiting, answer)| waiting.give(answer));
                }
                Ok(lines)
            }
            Err(error) if is_lock_timeout(&error) => Err(LockTimeout(lines)),
            Err(error) => {
                fail(lines, &error);
                Ok(Lines::new())
            }
        }
    }
}

/// The statement added the whole line's steps at once; each caller gets its own place in it.
fn hand_out(line: Vec<Waiting>, counter: &counter::Model) {
    let step = i64::from(counter.step);
    let mut current = counter.current - step * steps(&line);
    for waiting in line {
        let previous = current;
        current += step * waiting.order.steps();
        let counter = counter::Model { current, ..counter.clone() };
        waiting.give(Ok(Outcome { previous, counter, replayed: false }));
    }
}

/// By how many steps a line takes its counter on.
fn steps(line: &[Waiting]) -> i64 {
    line.iter().map(|waiting| waiting.order.steps()).sum()
}

async fn decide_within(
    transaction: &DatabaseTransaction,
    now: DateTime<Utc>,
    orders: &Orders,
    quota: &RecordQuota,
    on_lock: OnLock,
) -> Result<Decided, Error> {
    let is_keyed = |line: &[(Order, Option<Arc<str>>)]| line.iter().any(|(_, once)| once.is_some());
    let keyed = orders.iter().filter(|(_, line)| is_keyed(line)).map(|(key, _)| key.owner).collect();
    let room = quota.room(transaction, &keyed).await?;
    let mut counters: HashMap<Key, counter::Model> = statements::lock(transaction, orders.keys(), on_lock)
        .await?
        .into_iter()
        .map(|counter| (key_of(&counter), counter))
        .collect();
    let missing: Vec<Key> = orders.keys().filter(|key| !counters.contains_key(*key)).cloned().collect();
    let locked = match on_lock {
        OnLock::Skip if !missing.is_empty() => statements::show(transaction, &missing).await?,
        _ => HashMap::new(),
    };
    let keys = keys_in(orders, &counters);
    let mut records = BatchRecords::read(transaction, now, &keys, room).await?;
    let (mut answers, mut changed, mut kept) = (HashMap::new(), Vec::new(), Vec::new());
    for (key, orders) in orders {
        if locked.contains_key(key) {
            continue;
        }
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

fn fail(lines: Lines, error: &Error) {
    lines.into_values().flatten().for_each(|waiting| waiting.give(Err(Refusal::Failed(error.clone()))));
}
