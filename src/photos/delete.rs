//! `deletePhotos`: all of a batch, or none of it. What is gone is in no list and behind no link from the commit on;
//! its contents are removed by the sweep, unless another photo shows them.

use chrono::{DateTime, Utc};

use crate::caller::{Caller, Scope};
use crate::error::Error;
use crate::id::PhotoId;
use crate::photos::{Photos, blob, found, in_photo_ids, named, photo, photo_image, storage_use};
use crate::store::DatabaseTransaction;

impl Photos {
    /// Deletes the caller's photos for good.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `PHOTOS_WRITE`; [`Error::Invalid`] with
    /// `NOT_FOUND`, `REQUIRED` or `LIMIT_REACHED`.
    pub async fn delete(&self, caller: &Caller, ids: &[Option<PhotoId>]) -> Result<Vec<PhotoId>, Error> {
        let author = caller.require(Scope::PhotosWrite)?;
        let (ids, now) = (named(ids, in_photo_ids)?, self.clock.now());
        let deleted = self.database.write(move |transaction| {
            let ids = ids.clone();
            Box::pin(async move {
                let own = photo::lock_own(transaction, author, &ids).await?;
                found(&ids, in_photo_ids, |id| own.contains_key(id).then_some(()))?;
                let own: Vec<PhotoId> = own.into_keys().collect();
                let bytes = photo_image::sum_bytes(transaction, &own).await?;
                storage_use::subtract(transaction, author, bytes).await?;
                remove(transaction, &own, now).await?;
                Ok(ids)
            })
        });
        deleted.await
    }
}

/// Removes photos that are locked, so that nothing gives them other contents meanwhile, and releases what they held.
pub(super) async fn remove(
    transaction: &DatabaseTransaction,
    ids: &[PhotoId],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let blobs = photo_image::list_blobs_of(transaction, ids).await?;
    blob::lock(transaction, &blobs).await?;
    photo::remove(transaction, ids).await?;
    blob::release(transaction, &blobs, now).await
}
