//! Background removal of expired idempotency records, and of the rows of deleted counters.
//!
//! `deleteCounter` only marks the counter. What refers to it is removed here in short transactions, the row last, so
//! that no other writer waits for millions of rows. The marks are in the database: a purge that is cut off continues
//! with the next one, on whatever server.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{Condition, QuerySelect as _};

use crate::accounts::{api_key, idempotency};
use crate::clock::Clock;
use crate::counters::counter::{Column, Entity, Key};
use crate::counters::statements::OnLock;
use crate::counters::{Counters, answer, counter, statements};
use crate::error::Error;
use crate::id::{CounterId, UserId};
use crate::store::{Database, DatabaseTransaction, Pace};

/// Expired records that one statement lists.
const LISTED_RECORDS: u64 = 10_000;

/// Interval between removals of expired records, and between searches for counters that other servers deleted.
const PAUSE: Duration = Duration::from_secs(60);

impl Counters {
    /// Begins to remove what has expired or was deleted, on the current runtime, until [`Counters::drain`].
    pub fn start_upkeep(self: &Arc<Self>) {
        // Two tasks: a user who deletes counters all the time must not keep the records of others in the database.
        let counters = Arc::downgrade(self);
        let expiry = tokio::spawn(async move {
            while let Some(counters) = counters.upgrade() {
                log_failure(counters.remove_expired_records().await, "failed to remove expired idempotency records");
                drop(counters);
                tokio::time::sleep(PAUSE).await;
            }
        });
        let (counters, wanted) = (Arc::downgrade(self), Arc::clone(&self.purge_wanted));
        let purge = tokio::spawn(async move {
            while let Some(counters) = counters.upgrade() {
                log_failure(counters.purge_deleted().await, "failed to purge deleted counters");
                drop(counters);
                drop(tokio::time::timeout(PAUSE, wanted.notified()).await);
            }
        });
        let mut upkeep = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        upkeep.extend([expiry.abort_handle(), purge.abort_handle()]);
    }

    /// Removes expired idempotency records, and purges deleted counters.
    ///
    /// # Errors
    /// Database errors. The next sweep continues.
    pub async fn sweep(&self) -> Result<(), Error> {
        self.remove_expired_records().await?;
        self.purge_deleted().await
    }

    /// Removes deleted counters with everything that refers to them. It ends when there is none left.
    ///
    /// # Errors
    /// Database errors. The next purge continues.
    pub async fn purge_deleted(&self) -> Result<(), Error> {
        purge(&self.database, counter::is_deleted()).await?;
        self.record_quota.clear();
        Ok(())
    }

    /// Removes the idempotency records that no retry gets any more.
    ///
    /// # Errors
    /// Database errors. The next call continues.
    pub async fn remove_expired_records(&self) -> Result<(), Error> {
        let (moment, mut pace) = (idempotency::live_since(self.clock.now()), Pace::default());
        loop {
            let expired = answer::list_expired(self.database.reader(), moment, LISTED_RECORDS).await?;
            let mut left = expired.as_slice();
            while !left.is_empty() {
                let begun = Instant::now();
                let (batch, others) = left.split_at(pace.rows().min(left.len()));
                left = others;
                remove_expired(&self.database, moment, batch.to_vec()).await?;
                pace.rest(&self.database, begun).await?;
            }
            if (expired.len() as u64) < LISTED_RECORDS {
                self.record_quota.clear();
                return Ok(());
            }
        }
    }
}

fn log_failure(outcome: Result<(), Error>, message: &str) {
    match outcome {
        Ok(()) => {}
        Err(error) => tracing::warn!(code = error.code().name(), error = error.reason(), "{message}"),
    }
}

/// Removes the counters of users whose accounts are being purged, in bounded batches.
pub fn purge_users(database: Database, _: Clock, users: Vec<UserId>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move { purge(&database, Condition::all().add(Column::UserId.is_in(users))).await })
}

/// Removes the counters that match `condition`: first what refers to them, then their rows.
async fn purge(database: &Database, condition: Condition) -> Result<(), Error> {
    let unreferenced = Condition::all()
        .add(condition.clone())
        .add(Expr::exists(answer::of_outer_counter()).not())
        .add(Expr::exists(api_key::limited_to((Entity, Column::Id))).not());
    loop {
        database.remove_in_batches::<CounterId, _>(Column::Id, unreferenced.clone()).await?;
        let left = Entity::find().filter(condition.clone()).select_only().column(Column::Id);
        let Some(id) = left.into_tuple::<CounterId>().one(database.reader()).await? else { return Ok(()) };
        purge_records(database, id).await?;
        api_key::remove_limited_to(database, id).await?;
    }
}

async fn purge_records(database: &Database, id: CounterId) -> Result<(), Error> {
    let (mut after, mut pace) = (None, Pace::default());
    loop {
        let (begun, following, rows) = (Instant::now(), after.take(), pace.rows());
        let batch = database.write(move |transaction| {
            let following: Option<String> = following.clone();
            Box::pin(async move { purge_batch(transaction, id, following.as_deref(), rows).await })
        });
        after = batch.await?;
        pace.rest(database, begun).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// The records of a deleted counter count for its user until they are removed.
async fn purge_batch(
    transaction: &DatabaseTransaction,
    id: CounterId,
    after: Option<&str>,
    rows: usize,
) -> Result<Option<String>, Error> {
    // Locked, so that two servers remove one batch after the other.
    counter::lock_by_id(transaction, id).await?;
    let (removed, last) = answer::remove_batch(transaction, id, after, rows).await?;
    counter::subtract_records(transaction, id, removed).await?;
    Ok(last)
}

/// Removes those of these records that are still expired.
async fn remove_expired(
    database: &Database,
    moment: DateTime<Utc>,
    batch: Vec<(CounterId, String)>,
) -> Result<(), Error> {
    let ids: BTreeSet<CounterId> = batch.iter().map(|(counter, _)| *counter).collect();
    let counters = Entity::find().filter(Column::Id.is_in(ids)).all(database.reader()).await?;
    let key = |counter: counter::Model| Key { owner: counter.user_id, name: counter.name.into() };
    let keys: Vec<Key> = counters.into_iter().map(key).collect();
    let removed = database.write(move |transaction| {
        let (keys, batch) = (keys.clone(), batch.clone());
        Box::pin(async move {
            // Locked first, in the order of the group commit, which may replace an expired record at the same time. A
            // counter that was deleted in between has another name: its records are purged with it.
            let locked = statements::lock(transaction, keys.iter(), OnLock::Wait).await?;
            let locked: BTreeSet<CounterId> = locked.into_iter().map(|counter| counter.id).collect();
            let batch: Vec<(CounterId, &str)> = batch.iter().map(|(counter, key)| (*counter, key.as_str())).collect();
            let mut records = statements::list_answers(transaction, &batch).await?;
            records.retain(|record| record.created_at < moment && locked.contains(&record.counter_id));
            let expired: Vec<_> = records.iter().map(|record| (record.counter_id, record.key.as_str())).collect();
            statements::remove_answers(transaction, &expired).await
        })
    });
    removed.await
}
