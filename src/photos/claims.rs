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
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
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
    ///
    /// On MariaDB each in a transaction of its own: an insert that finds its key there already locks
    /// gaps between keys as well, so two of them with several rows may wait for each other in any
    /// order. For the same reason a row that exists is renewed without an insert, and a transaction
    /// that inserts holds nothing before.
    pub(super) async fn add(&mut self, contents: Vec<Content>) -> Result<Vec<blob::Model>, Error> {
        let begun_at = self.begun_at;
        let one_by_one = self.database.backend() == Backend::Mysql;
        let at_once = if one_by_one { 1 } else { contents.len().max(1) };
        let mut rows = Vec::with_capacity(contents.len());
        for some in contents.chunks(at_once).map(<[Content]>::to_vec) {
            let known = if one_by_one { self.renew(some.clone()).await? } else { None };
            let claimed = match known {
                Some(known) => known,
                None => {
                    let claim = self.database.write(move |transaction| {
                        let some = some.clone();
                        Box::pin(async move { claim(transaction, &some, begun_at).await })
                    });
                    claim.await?
                }
            };
            self.ids.extend(claimed.iter().map(|row| row.id));
            rows.extend(claimed);
        }
        Ok(rows)
    }

    /// Gives contents that all have rows a new term.
    async fn renew(&self, contents: Vec<Content>) -> Result<Option<Vec<blob::Model>>, Error> {
        let begun_at = self.begun_at;
        let renewed = self.database.write(move |transaction| {
            let contents = contents.clone();
            Box::pin(async move { renew(transaction, &contents, begun_at).await })
        });
        renewed.await
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
                tracing::warn!(error = error.reason(), "contents of an upload that failed stay until their term ends");
            }
        }))
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

/// Gives each content a row and a new term, and returns the rows in the same order.
async fn claim(
    transaction: &DatabaseTransaction,
    contents: &[Content],
    now: DateTime<Utc>,
) -> Result<Vec<blob::Model>, Error> {
    blob::take_turn(transaction).await?;
    // In the order in which contents are locked.
    let mut distinct: Vec<&Content> = contents.iter().collect();
    distinct.sort_by(|a, b| a.hash.cmp(&b.hash));
    distinct.dedup_by(|a, b| a.hash == b.hash);
    let rows = distinct.iter().map(|content| content.row(now));
    let renew = OnConflict::column(blob::Column::Hash).update_column(blob::Column::SweepAfter).to_owned();
    blob::Entity::insert_many(rows).on_conflict(renew).exec_without_returning(transaction).await?;
    let hashes = distinct.iter().map(|content| content.hash.as_str());
    let found = blob::Entity::find().filter(blob::Column::Hash.is_in(hashes)).all(transaction).await?;
    let row = |content: &Content| found.iter().find(|row| row.hash.as_ref() == Some(&content.hash)).cloned();
    let rows: Option<Vec<blob::Model>> = contents.iter().map(row).collect();
    rows.ok_or_else(|| Error::internal(anyhow::anyhow!("a content that was claimed has no row")))
}

/// Gives the rows of these contents a new term, unless some have none.
async fn renew(
    transaction: &DatabaseTransaction,
    contents: &[Content],
    now: DateTime<Utc>,
) -> Result<Option<Vec<blob::Model>>, Error> {
    let hashes = contents.iter().map(|content| content.hash.as_str());
    let rows = blob::lock_by_hash(transaction, blob::Entity::find().filter(blob::Column::Hash.is_in(hashes))).await?;
    if rows.len() != contents.len() {
        return Ok(None);
    }
    blob::set_sweep_after(transaction, rows.iter().map(|row| row.id), Some(now + blob::TERM)).await?;
    Ok(Some(rows))
}
