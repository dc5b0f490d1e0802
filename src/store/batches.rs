//! Removal of any number of rows in many short transactions.
//!
//! One statement that removes millions of rows keeps every other writer waiting until it ends, grows SQLite's WAL by
//! all of them, and on a database server is cut off after `database.answer_seconds`, so that it never succeeds.

use std::time::{Duration, Instant};

use sea_orm::sea_query::Value;
use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, QueryFilter as _, QuerySelect as _, Statement, TryGetable,
};

use crate::error::Error;
use crate::store::{Backend, Database, PRIMARY, delete_locked, lock_keys};

/// Rows that one transaction removes, at most.
pub const MAX_BATCH_ROWS: usize = 1000;
/// Rows of the smallest and of the first batch.
const MIN_BATCH_ROWS: usize = 25;
const FIRST_BATCH_ROWS: usize = 200;
/// Target for the time that a batch, or writing it back, keeps other writers waiting. On a busy disk single batches take
/// longer.
const MAX_BATCH_TIME: Duration = Duration::from_millis(15);
/// Keys that one statement reads. Many batches share it, because a scan passes over the remains of rows that were
/// removed before.
const FOUND_ROWS: u64 = 20_000;

/// The pace of work in the background: batches that are large enough to get on, and small enough for other writers.
pub struct Pace {
    rows: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rows: FIRST_BATCH_ROWS }
    }
}

impl Pace {
    /// Size of the next batch.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Takes a rest after the batch that began at `begun`, and adapts the size of the next one.
    ///
    /// # Errors
    /// Database errors.
    pub async fn rest(&mut self, database: &Database, begun: Instant) -> Result<(), Error> {
        let removal = begun.elapsed();
        database.write_back().await?;
        let longest = removal.max(begun.elapsed().saturating_sub(removal));
        if longest > MAX_BATCH_TIME {
            self.rows = (self.rows / 2).max(MIN_BATCH_ROWS);
        } else if longest < MAX_BATCH_TIME / 2 {
            self.rows = (self.rows * 2).min(MAX_BATCH_ROWS);
        }
        tokio::time::sleep(begun.elapsed()).await;
        Ok(())
    }
}

impl Database {
    /// Removes the rows that match `condition`, at most [`MAX_BATCH_ROWS`] per transaction, and returns their number.
    ///
    /// `key` is the primary key. Rows that reference these ones must be gone before: a cascade is not bounded. Other
    /// servers may remove the same rows at the same time, and one that stops in between leaves the rest to them.
    ///
    /// # Errors
    /// Database errors. Batches that were committed before stay removed.
    pub async fn remove_in_batches<K, C>(&self, key: C, condition: Condition) -> Result<u64, Error>
    where
        K: TryGetable + Into<Value> + Clone + Send + Sync + 'static,
        C: ColumnTrait,
        C::EntityName: EntityTrait<Column = C>,
    {
        let (mut removed, mut pace) = (0, Pace::default());
        loop {
            let keys = <C::EntityName as EntityTrait>::find().filter(condition.clone()).limit(FOUND_ROWS);
            let keys: Vec<K> = keys.select_only().column(key).into_tuple().all(self.reader()).await?;
            let mut left = keys.as_slice();
            while !left.is_empty() {
                let begun = Instant::now();
                let (batch, others) = left.split_at(pace.rows().min(left.len()));
                left = others;
                // The condition once more: a row may have changed since it was found.
                let rows = Condition::all().add(condition.clone()).add(key.is_in(batch.iter().cloned()));
                let delete = self.write(move |transaction| {
                    let rows = <C::EntityName as EntityTrait>::find().filter(rows.clone());
                    Box::pin(async move {
                        let locked: Vec<K> = lock_keys(transaction, rows, key, PRIMARY).await?;
                        delete_locked::<C::EntityName, K>(transaction, key, &locked).await?;
                        Ok(locked.len())
                    })
                });
                removed += delete.await? as u64;
                pace.rest(self, begun).await?;
            }
            if (keys.len() as u64) < FOUND_ROWS {
                return Ok(removed);
            }
        }
    }

    /// Waits as long as the work that began at `begun` has taken: work in the background takes half of the time at most,
    /// and other writers the rest.
    ///
    /// # Errors
    /// Database errors.
    pub async fn rest_after(&self, begun: Instant) -> Result<(), Error> {
        self.write_back().await?;
        tokio::time::sleep(begun.elapsed()).await;
        Ok(())
    }

    /// Writes the pages that a batch has changed back to SQLite's file while they are few. SQLite would gather thousands,
    /// and the commit of somebody else would have to write them.
    async fn write_back(&self) -> Result<(), Error> {
        if self.backend() == Backend::Sqlite {
            let checkpoint = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(PASSIVE)");
            self.write_statement(checkpoint).await?;
        }
        Ok(())
    }
}
