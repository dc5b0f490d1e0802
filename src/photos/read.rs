//! Photos by id, what is stored, and who made them.

use crate::accounts::user;
use crate::caller::{Caller, Scope};
use crate::error::Error;
use crate::id::{PhotoId, UserId};
use crate::photos::{Photos, photo, photo_image, storage_use};

/// What a user has stored, and may store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageUse {
    /// Bytes with which their photos count.
    pub used_bytes: i64,
    /// How many these may be.
    pub quota_bytes: i64,
    /// How many photos they may have.
    pub max_photos: i64,
}

impl Photos {
    /// Those of the photos that the caller may see: published ones, and their own. In no order.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `PHOTOS_READ`.
    pub async fn list_by_ids(&self, caller: &Caller, ids: &[PhotoId]) -> Result<Vec<photo::Model>, Error> {
        let caller = caller.require(Scope::PhotosRead)?;
        photo::list_visible(self.database.reader(), caller, ids).await
    }

    /// Every size of photos that the caller may see.
    pub(super) async fn list_images(&self, photos: &[PhotoId]) -> Result<Vec<photo_image::Stored>, Error> {
        photo_image::list_of(self.database.reader(), photos).await
    }

    /// The authors of photos that the caller may see.
    ///
    /// # Errors
    /// As [`Photos::list_by_ids`].
    pub(super) async fn list_authors(&self, caller: &Caller, ids: &[UserId]) -> Result<Vec<user::Model>, Error> {
        caller.require_some(Scope::PhotosRead).or_else(|_| caller.require_some(Scope::PhotosWrite))?;
        self.accounts.list_present(ids).await
    }

    /// What the caller has stored, and may store.
    ///
    /// # Errors
    /// As [`Photos::list_by_ids`].
    pub async fn storage(&self, caller: &Caller) -> Result<StorageUse, Error> {
        let used_bytes = storage_use::find(self.database.reader(), caller.require(Scope::PhotosRead)?).await?;
        let limit = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX);
        let (quota_bytes, max_photos) = (limit(self.settings.quota_bytes), limit(self.settings.max_per_user));
        Ok(StorageUse { used_bytes, quota_bytes, max_photos })
    }
}
