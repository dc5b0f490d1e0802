//! The contents that an upload stores before any photo shows them.
//!
//! Several uploads of the same content share its row, and the term of the last one. If that one fails, the sweep may take
//! the content from the others: they notice when they add their photos, and store it once more.
//!
//! **Invariant:** an upload that fails, or that nobody waits for any more, leaves them to the next sweep. Only what was
//! killed leaves them their term.

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait as _, QueryFilter as _, QuerySelect as _, SqlErr,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::error::Error;
use crate::photos::blob::{self, Content};
use crate::store::{Backend, Database, DatabaseTransaction};

/// What one upload has claimed, all under one term.
pub(super) struct Claims {
    database: Database,
    clock: Clock,
    begun_at: DateTime<Utc>,
    ids: Vec<Uuid>,
}

impl Claims {
    /// Begins the term.
    pub(super) fn begin(database: &Database, clock: &Clock) -> Self {
        Self { database: database.clone(), clock: clock.clone(), begun_at: clock.now(), ids: Vec::new() }
    }

    /// Gives these contents rows under the term, in the same order.
    pub(super) async fn add(&mut self, contents: Vec<Content>) -> Result<Vec<blob::Model>, Error> {
        let begun_at = self.begun_at;
        insert_missing(&self.database, &contents, begun_at).await?;
        let claim = self.database.write(move |transaction| {
            let contents = contents.clone();
            Box::pin(async move { claim(transaction, &contents, begun_at).await })
        });
        let rows = claim.await?;
        self.ids.extend(rows.iter().map(|row| row.id));
        Ok(rows)
    }

    /// Whether the sweep has taken one of them.
    pub(super) async fn is_any_swept(&self) -> Result<bool, Error> {
        blob::is_any_swept(self.database.reader(), &self.ids).await
    }

    /// Photos show them by now.
    pub(super) fn settle(mut self) {
        self.ids.clear();
    }

    /// No photo will show them.
    pub(super) async fn give_up(mut self) {
        if let Some(given_up) = self.leave() {
            // Whatever came of it is in the log.
            drop(given_up.await);
        }
    }

    /// In a task of its own: whoever waited may be gone.
    fn leave(&mut self) -> Option<JoinHandle<()>> {
        let ids = std::mem::take(&mut self.ids);
        let runtime = Handle::try_current().ok().filter(|_| !ids.is_empty())?;
        let (database, begun_at, now) = (self.database.clone(), self.begun_at, self.clock.now());
        Some(runtime.spawn(async move {
            let give_up = database.write(move |transaction| {
                let ids = ids.clone();
                Box::pin(async move { blob::give_up(transaction, &ids, begun_at, now).await })
            });
            if let Err(error) = give_up.await {
                tracing::warn!(?error, "contents of an upload that failed stay until their term ends");
            }
        }))
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

/// Gives each content a row and a new term, and returns the rows in the same order. On MariaDB each
/// must have a row already: see [`insert_missing`].
///
/// # Errors
/// [`Error::Unavailable`] when one of them was swept in the meantime.
async fn claim(
    transaction: &DatabaseTransaction,
    contents: &[Content],
    now: DateTime<Utc>,
) -> Result<Vec<blob::Model>, Error> {
    let distinct = by_hash(contents);
    let hashes: Vec<&str> = distinct.iter().map(|content| content.hash.as_str()).collect();
    let found = match transaction.get_database_backend() {
        DbBackend::MySql => {
            let rows =
                blob::lock_by_hash(transaction, blob::Entity::find().filter(blob::Column::Hash.is_in(hashes))).await?;
            blob::set_sweep_after(transaction, rows.iter().map(|row| row.id), Some(now + blob::TERM)).await?;
            rows
        }
        _ => {
            let rows = distinct.iter().map(|content| content.row(now));
            let renew = OnConflict::column(blob::Column::Hash).update_column(blob::Column::SweepAfter).to_owned();
            blob::Entity::insert_many(rows).on_conflict(renew).exec_without_returning(transaction).await?;
            blob::Entity::find().filter(blob::Column::Hash.is_in(hashes)).all(transaction).await?
        }
    };
    let row = |content: &Content| found.iter().find(|row| row.hash.as_ref() == Some(&content.hash)).cloned();
    let rows: Option<Vec<blob::Model>> = contents.iter().map(row).collect();
    rows.ok_or(Error::Unavailable { retry_after_seconds: 1 })
}

/// Inserts rows for contents that have none, under a term. Only on MariaDB, whose INSERT … ON
/// DUPLICATE KEY UPDATE of several rows locks gaps: two of them may wait for each other in any
/// order. A row that is inserted alone waits while nothing is held.
async fn insert_missing(database: &Database, contents: &[Content], now: DateTime<Utc>) -> Result<(), Error> {
    if database.backend() != Backend::Mysql {
        return Ok(());
    }
    let distinct = by_hash(contents);
    let hashes = distinct.iter().map(|content| content.hash.as_str());
    let known = blob::Entity::find().filter(blob::Column::Hash.is_in(hashes)).select_only().column(blob::Column::Hash);
    let known: Vec<String> = known.into_tuple().all(database.reader()).await?;
    for content in distinct.into_iter().filter(|content| !known.contains(&content.hash)) {
        let row = content.row(now);
        let insert = database.write(move |transaction| {
            let row = row.clone();
            Box::pin(async move {
                match blob::Entity::insert(row).exec_without_returning(transaction).await {
                    Ok(_) => Ok(()),
                    // Another upload of the same was faster.
                    Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            })
        });
        insert.await?;
    }
    Ok(())
}

fn by_hash(contents: &[Content]) -> Vec<&Content> {
    let mut distinct: Vec<&Content> = contents.iter().collect();
    distinct.sort_by(|a, b| a.hash.cmp(&b.hash));
    distinct.dedup_by(|a, b| a.hash == b.hash);
    distinct
}
