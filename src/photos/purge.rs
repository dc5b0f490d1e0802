//! The photos of a user whose account is being purged: removed in bounded batches, before the user's row.

use std::time::Instant;

use futures_util::future::BoxFuture;
use sea_orm::QuerySelect as _;

use crate::clock::Clock;
use crate::error::Error;
use crate::id::{PhotoId, UserId};
use crate::photos::{delete, photo, photo_image, storage_use};
use crate::store::Database;

/// Photos that one transaction removes. Each has up to 4 images and 30 tags.
const BATCH_PHOTOS: u64 = 25;

/// Removes the photos of a user; the sweep removes their contents.
pub fn purge_user(database: Database, clock: Clock, user: UserId) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        loop {
            let begun = Instant::now();
            let photos = photo::of(user).limit(BATCH_PHOTOS).select_only().column(photo::Column::Id);
            let photos: Vec<PhotoId> = photos.into_tuple().all(database.reader()).await?;
            if photos.is_empty() {
                return Ok(());
            }
            let now = clock.now();
            let remove = database.write(move |transaction| {
                let photos = photos.clone();
                Box::pin(async move {
                    photo::lock_all(transaction, &photos).await?;
                    let bytes = photo_image::sum_originals(transaction, &photos).await?;
                    storage_use::subtract(transaction, user, bytes).await?;
                    delete::remove(transaction, &photos, now).await
                })
            });
            remove.await?;
            database.rest_after(begun).await?;
        }
    })
}
