//! The photos of users whose accounts are being purged: removed in bounded batches, before the users' rows.

use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::clock::Clock;
use crate::error::Error;
use crate::id::UserId;
use crate::photos::{delete, photo};
use crate::store::Database;

/// Photos that one transaction removes. Each has up to 4 images and 30 tags.
const BATCH_PHOTOS: u64 = 25;

/// Removes the photos of these users; the sweep removes their contents. Their storage use is
/// not updated: its rows go with the users.
pub fn purge_users(database: Database, clock: Clock, users: Vec<UserId>) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move {
        loop {
            let begun = Instant::now();
            let photos = photo::list_ids_of(database.reader(), &users, BATCH_PHOTOS).await?;
            if photos.is_empty() {
                return Ok(());
            }
            let now = clock.now();
            let remove = database.write(move |transaction| {
                let photos = photos.clone();
                Box::pin(async move {
                    photo::lock_all(transaction, &photos).await?;
                    delete::remove(transaction, &photos, now).await
                })
            });
            remove.await?;
            database.rest_after(begun).await?;
        }
    })
}
