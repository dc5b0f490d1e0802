//! Removal of any number of rows in many short transactions.
//!
//! One statement that removes millions of rows keeps every other writer waiting until it ends, grows SQLite's WAL by
//! all of them, and on a database server is cut off after `database.answer_seconds`, so that it never succeeds.

use std::time::Instant;

use sea_orm::sea_query::Value;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter as _, QuerySelect as _, TryGetable};

use crate::error::Error;
use crate::store::Database;

/// Rows that one transaction removes, at most.
pub const BATCH_ROWS: usize = 1000;
/// Keys that one statement reads. Many batches share it, because a scan passes over the remains of rows that were
/// removed before.
const FOUND_ROWS: u64 = 20_000;

impl Database {
    /// Removes the rows that match `condition`, at most [`BATCH_ROWS`] per transaction, and returns their number.
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
        let mut removed = 0;
        loop {
            let keys = <C::EntityName as EntityTrait>::find().filter(condition.clone()).limit(FOUND_ROWS);
            let keys: Vec<K> = keys.select_only().column(key).into_tuple().all(self.reader()).await?;
            for batch in keys.chunks(BATCH_ROWS) {
                let begun = Instant::now();
                // The condition once more: a row may have changed since it was found.
                let rows = Condition::all().add(condition.clone()).add(key.is_in(batch.iter().cloned()));
                removed += self
                    .write(move |transaction| {
                        let delete = <C::EntityName as EntityTrait>::delete_many().filter(rows.clone());
                        Box::pin(async move { Ok(delete.exec(transaction).await?.rows_affected) })
                    })
                    .await?;
                rest_after(begun).await;
            }
            if keys.len() < usize::try_from(FOUND_ROWS).unwrap_or(usize::MAX) {
                return Ok(removed);
            }
        }
    }
}

/// Waits as long as the work that began at `begun` has taken: background work takes half of the time at most, and other
/// writers the rest.
pub async fn rest_after(begun: Instant) {
    tokio::time::sleep(begun.elapsed()).await;
}
