//! The storage of the photos is recognized, or assigned on first use.
//!
//! On first use neither the database nor the storage knows of the other. They belong together if
//! both have no photos, or if most of a sample of the database's photo files exist in the storage.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::caller::Caller;
use crate::error::Error;
use crate::photos::{Photos, blob};
use crate::storage::{Identity, StorageFault};

/// Objects of a storage that are looked at to tell whether it holds photos.
const LISTED: usize = 1000;
/// Photo files that are looked for, half of them among the oldest and half among the newest.
const SAMPLED: u64 = 16;
/// The time between two verifications.
const VERIFY_EVERY: Duration = Duration::from_secs(10);

/// The handling of a database and a storage that have no photos and do not know of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstUse {
    /// The storage is assigned to the database: a server starts.
    Assign,
    /// It stays unassigned: a command would assign the storage of the machine it runs on.
    Refuse,
}

/// The photo files of the database that were looked for in the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The number of files that were looked for.
    pub sampled: usize,
    /// The number of those that exist.
    pub found: usize,
}

impl Photos {
    /// Recognizes the storage, or assigns it on first use. Until then nothing can be uploaded.
    ///
    /// # Errors
    /// The reason why the storage may not be used.
    pub async fn attach_storage(&self, first_use: FirstUse) -> Result<(), StorageFault> {
        let attached = self.try_attach(first_use).await;
        self.blobs.record(&attached);
        attached
    }

    async fn try_attach(&self, first_use: FirstUse) -> Result<(), StorageFault> {
        match self.blobs.attach(&self.database).await {
            Err(StorageFault::Unassigned { .. }) => {}
            outcome => return outcome,
        }
        let place = self.blobs.place().to_owned();
        let unverified = |error: Error| self.blobs.unverified(&error);
        match self.sample().await.map_err(unverified)? {
            Sample { sampled: 0, .. } if self.holds_unknown_photos().await.map_err(unverified)? => {
                Err(StorageFault::NotEmpty { place })
            }
            Sample { sampled: 0, .. } if first_use == FirstUse::Refuse => Err(StorageFault::Unassigned { place }),
            Sample { sampled, found } if sampled > 0 && 2 * found <= sampled => {
                Err(StorageFault::NotTheirs { place, sampled, found })
            }
            _ => self.blobs.assign(&self.database).await,
        }
    }

    /// Compares the storage with the one that the database expects.
    ///
    /// # Errors
    /// The reason why the storage may not be used.
    pub async fn verify_storage(&self) -> Result<(), StorageFault> {
        match self.blobs.is_attached() {
            true => self.blobs.verify().await,
            // S3 did not answer when the server started.
            false => self.attach_storage(FirstUse::Assign).await,
        }
    }

    /// The same, and that a folder can be written.
    ///
    /// # Errors
    /// The reason why the storage cannot be used.
    pub async fn probe_storage(&self) -> Result<(), StorageFault> {
        match self.blobs.is_attached() {
            true => self.blobs.probe().await,
            false => self.verify_storage().await,
        }
    }

    /// Returns the outcome of the last verification.
    ///
    /// # Errors
    /// The reason why the storage may not be used.
    pub fn storage_status(&self) -> Result<(), StorageFault> {
        self.blobs.status()
    }

    /// The time after which the storage is to be verified again.
    #[must_use]
    pub fn verify_every(&self) -> Duration {
        VERIFY_EVERY
    }

    /// A description of the storage that the settings name.
    #[must_use]
    pub fn storage_place(&self) -> &str {
        self.blobs.place()
    }

    /// Looks for a sample of the photo files in the storage that the settings name, expected or not.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller is an operator; errors of database and storage.
    pub async fn sample_storage(&self, caller: &Caller) -> Result<Sample, Error> {
        caller.require_operator()?;
        self.sample().await
    }

    /// Assigns the storage that the settings name to the database, in place of the present one.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller is an operator; a storage that cannot be written.
    pub async fn adopt_storage(&self, caller: &Caller) -> Result<Identity, Error> {
        caller.require_operator()?;
        self.blobs.adopt(&self.database).await.map_err(Error::internal)
    }

    async fn sample(&self) -> Result<Sample, Error> {
        let keys = blob::sample_keys(self.database.reader(), SAMPLED / 2).await?;
        let sampled = keys.len();
        let looked = futures_util::stream::iter(keys).map(|key| async move { self.blobs.exists(&key).await });
        let found: Vec<bool> = looked.buffered(8).try_collect().await?;
        Ok(Sample { sampled, found: found.into_iter().filter(|exists| *exists).count() })
    }

    /// Returns whether there are photo files among the first objects, none of which the database
    /// knows.
    async fn holds_unknown_photos(&self) -> Result<bool, Error> {
        let listed: Vec<String> = self.blobs.list().take(LISTED).map_ok(|object| object.key).try_collect().await?;
        let photos: Vec<&str> = listed.iter().map(String::as_str).filter(|key| blob::hash_in(key).is_some()).collect();
        Ok(!photos.is_empty() && !blob::is_any_known(self.database.reader(), &photos).await?)
    }
}
