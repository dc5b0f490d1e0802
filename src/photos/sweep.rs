//! What is over: photos whose author's account was removed, and contents that nobody holds.

use std::time::Instant;

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;

use crate::error::Error;
use crate::photos::blob::Verdict;
use crate::photos::{Photos, blob, delete, photo};

/// Photos that one transaction removes. Each has up to 4 images and 30 tags.
const AT_ONCE: u64 = 25;

impl Photos {
    /// Removes what is over.
    ///
    /// # Errors
    /// What the database or the storage says. What is left is removed by the next sweep.
    pub async fn sweep(&self) -> Result<(), Error> {
        self.sweep_photos().await?;
        self.sweep_blobs().await
    }

    /// Removes what a server that was killed left half written in the storage. It goes through all of it.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn sweep_unfinished(&self) -> Result<(), Error> {
        // Whatever is younger may be an upload's that is under way.
        self.blobs.remove_unfinished(self.clock.now() - blob::TERM).await.map(drop)
    }

    async fn sweep_photos(&self) -> Result<(), Error> {
        let now = self.clock.now();
        loop {
            let begun = Instant::now();
            let abandoned = photo::list_abandoned(self.database.reader(), AT_ONCE).await?;
            if abandoned.is_empty() {
                return Ok(());
            }
            let remove = self.database.write(move |transaction| {
                let abandoned = abandoned.clone();
                Box::pin(async move {
                    photo::lock_all(transaction, &abandoned).await?;
                    delete::remove(transaction, &abandoned, now).await
                })
            });
            remove.await?;
            self.database.rest_after(begun).await?;
        }
    }

    /// To the end, though one of them cannot be removed: what is wrong with that is said then.
    ///
    /// An object that does not exist counts as removed only in the storage that the database
    /// expects; in any other one the row stays, and with it the knowledge that there is something
    /// to remove.
    async fn sweep_blobs(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let mut outcome = Ok(());
        loop {
            let due = blob::list_due(self.database.reader(), now).await?;
            if due.is_empty() {
                return outcome;
            }
            self.blobs.ensure_verified().await?;
            for row in due {
                let verdict = self.judge(row.id, now).await?;
                if verdict == Verdict::Stays {
                    continue;
                }
                match (self.blobs.delete(&row.object_key).await, verdict) {
                    (Ok(()), Verdict::Over) => self.forget(row.id).await?,
                    (Ok(()), _) => {}
                    // Nothing is wrong with this one: the storage does not answer.
                    (Err(error @ Error::Unavailable { .. }), _) => return Err(error),
                    (Err(error), verdict) => {
                        if verdict == Verdict::Over {
                            self.postpone(row.id, now).await?;
                        }
                        outcome = Err(error);
                    }
                }
            }
        }
    }

    async fn judge(&self, id: Uuid, now: DateTime<Utc>) -> Result<Verdict, Error> {
        self.database.write(move |transaction| Box::pin(async move { blob::judge(transaction, id, now).await })).await
    }

    async fn postpone(&self, id: Uuid, now: DateTime<Utc>) -> Result<(), Error> {
        self.database
            .write(move |transaction| Box::pin(async move { blob::postpone(transaction, id, now).await }))
            .await
    }

    async fn forget(&self, id: Uuid) -> Result<(), Error> {
        self.database.write(move |transaction| Box::pin(async move { blob::remove(transaction, id).await })).await
    }
}
