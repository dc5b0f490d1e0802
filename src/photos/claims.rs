//! The contents that an upload stores before any photo shows them.
//!
//! Several uploads of the same content share its row, and the term of the last one. If that one fails, the sweep may take
//! the content from the others: they notice when they add their photos, and store it once more.
//!
//! **Invariant:** an upload that fails, or that nobody waits for any more, leaves them to the next sweep. Only what was
//! killed leaves them their term.

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::error::Error;
use crate::photos::blob::{self, Content};
use crate::store::Database;

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
        let claim = self.database.write(move |transaction| {
            let contents = contents.clone();
            Box::pin(async move { blob::claim(transaction, &contents, begun_at).await })
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
