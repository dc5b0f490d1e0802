//! Object storage: content by key, as files in a folder or as objects in S3.
//!
//! **Invariant:** what [`Blobs::put`] has acknowledged is on disk, names of new folders included,
//! or S3's to keep.
//! **Invariant:** an object is complete or absent. What a crash leaves unfinished has no key.
//! **Invariant:** nothing is written, nothing is deleted, and no object counts as absent unless the
//! storage has been verified to be the one that the database expects (`identity.rs`).
//!
//! The content of a key never changes, so small objects are cached in memory, up to
//! `storage.cache_bytes`. Larger ones are read in windows, outside of the runtime's threads
//! (`window.rs`); the HTTP library has no `sendfile`.

mod attach;
mod file_system;
mod folder;
mod identity;
mod open;
mod quarantine;
pub mod record;
mod s3;
mod verify;
mod window;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::error::Error;

pub use file_system::is_from_file_system;
pub use identity::{Expected, Identity, MARKER, StorageFault};
pub use open::photos_folder;
pub use quarantine::{QUARANTINE, quarantined};

use folder::Folder;
use s3::S3;
use verify::Guard;
use window::Windows;

/// The largest object that is cached in memory, in bytes.
pub const MAX_CACHED_BYTES: u64 = 64 << 10;
/// The number of seconds after which clients may try again when the storage is not available.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The content of an object, piece by piece.
pub type Content = BoxStream<'static, Result<Bytes, Error>>;

/// An object as [`Blobs::list`] finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
    /// The time at which it was written, by the storage's clock.
    pub modified_at: DateTime<Utc>,
}

/// A handle to the storage. Cheap to clone; clones share what was verified.
#[derive(Clone)]
pub struct Blobs {
    backend: Backend,
    /// A description of the storage, for messages.
    place: Arc<str>,
    /// The same for other servers: a folder with the name of this host.
    recorded_place: Arc<str>,
    guard: Arc<Guard>,
    small: Arc<Cache<String, Bytes, Weight>>,
    windows: Windows,
}

#[derive(Clone)]
enum Backend {
    Folder(Arc<Folder>),
    S3(Arc<S3>),
}

/// The part of `storage.cache_bytes` that an entry takes.
#[derive(Clone)]
struct Weight;

impl Weighter<String, Bytes> for Weight {
    fn weight(&self, key: &String, content: &Bytes) -> u64 {
        // The names and places of both, roughly.
        (key.len() + content.len() + 128) as u64
    }
}

impl Blobs {
    /// A description of the storage, for messages: the folder, or the bucket and its prefix.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The same for messages of other servers: a folder with the name of this host.
    #[must_use]
    pub fn recorded_place(&self) -> &str {
        &self.recorded_place
    }

    /// Stores `bytes` under `key`. Storing the same bytes again is harmless.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the storage is not verified, or if S3 does not answer in time;
    /// then the object may exist or not. Other failures, such as a full disk, are internal.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let path = path(key)?;
        match &self.backend {
            Backend::Folder(folder) => {
                let key = path.to_string();
                self.write_folder(folder, move |folder, _| folder.write(&key, &bytes)).await
            }
            Backend::S3(s3) => {
                self.ensure_verified().await?;
                s3.put(&path, bytes).await
            }
        }
    }

    /// Returns the size of the object `key`, and `range` of its content, or all of it. `None` if it
    /// does not exist. A range may be read as slowly as its reader likes: it keeps little memory and
    /// no connection meanwhile.
    ///
    /// # Errors
    /// The errors of [`Blobs::put`]; a range that begins behind the end. The content may break off with
    /// the same errors.
    pub async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<(u64, Content)>, Error> {
        let path = path(key)?;
        let found = match &self.backend {
            Backend::Folder(folder) => folder.read(path.to_string(), range, &self.windows).await?,
            Backend::S3(s3) => match range {
                Some(range) => self.windows.of_object(s3, path, range).await?,
                None => s3.read(&path).await?,
            },
        };
        self.found(found).await
    }

    /// Returns the whole object `key`, of at most `limit` bytes. `None` if it does not exist.
    ///
    /// # Errors
    /// The errors of [`Blobs::read`]; an object that is larger.
    pub async fn read_whole(&self, key: &str, limit: u64) -> Result<Option<Bytes>, Error> {
        let Some((size, mut content)) = self.read(key, None).await? else { return Ok(None) };
        if size > limit {
            return Err(Error::internal(anyhow::anyhow!("the object {key} has {size} bytes, more than {limit}")));
        }
        let mut pieces = Vec::new();
        while let Some(piece) = content.try_next().await? {
            pieces.push(piece);
        }
        Ok(Some(match <[Bytes; 1]>::try_from(pieces) {
            Ok([whole]) => whole,
            Err(pieces) => pieces.concat().into(),
        }))
    }

    /// Returns an object of at most [`MAX_CACHED_BYTES`], from memory if it was read recently.
    /// Deletions by other servers are not noticed: ask only for keys that a row names.
    ///
    /// # Errors
    /// The errors of [`Blobs::read_whole`].
    pub async fn read_small(&self, key: &str) -> Result<Option<Bytes>, Error> {
        if let Some(known) = self.small.get(key) {
            return Ok(Some(known));
        }
        let read = self.read_whole(key, MAX_CACHED_BYTES).await?;
        if let Some(bytes) = &read {
            self.small.insert(key.to_owned(), bytes.clone());
        }
        Ok(read)
    }

    /// Returns the size of the object `key`, in bytes. `None` if it does not exist.
    ///
    /// # Errors
    /// The errors of [`Blobs::put`].
    pub async fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let path = path(key)?;
        let found = match &self.backend {
            Backend::Folder(folder) => folder.size(path.to_string()).await?,
            Backend::S3(s3) => s3.size(&path).await?,
        };
        self.found(found).await
    }

    /// Returns whether the object `key` exists in this storage, whether or not it is the expected
    /// one.
    ///
    /// # Errors
    /// The errors of [`Blobs::put`].
    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        let path = path(key)?;
        Ok(match &self.backend {
            Backend::Folder(folder) => folder.size(path.to_string()).await?.is_some(),
            Backend::S3(s3) => s3.size(&path).await?.is_some(),
        })
    }

    /// Removes the object `key`, if it exists. It does not come back after a crash.
    ///
    /// # Errors
    /// The errors of [`Blobs::put`].
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = path(key)?;
        self.small.remove(key);
        match &self.backend {
            Backend::Folder(folder) => {
                let key = path.to_string();
                self.write_folder(folder, move |folder, expected| verify::remove(folder, expected, &key)).await
            }
            Backend::S3(s3) => {
                self.ensure_verified().await?;
                s3.delete(&path).await
            }
        }
    }

    /// Lists the objects, in no particular order, without those in quarantine.
    #[must_use]
    pub fn list(&self) -> BoxStream<'static, Result<Listed, Error>> {
        let listed = match &self.backend {
            // Its root has no folder of quarantine.
            Backend::Folder(folder) => list_folder(folder, folder.root().to_owned()),
            Backend::S3(s3) => s3.list(None),
        };
        listed.try_filter(|found| std::future::ready(!quarantine::is_quarantined(&found.key))).boxed()
    }

    /// Removes the files that crashes left unfinished before `moment`, and returns their number. S3
    /// has none.
    ///
    /// # Errors
    /// The errors of [`Blobs::put`].
    pub async fn remove_unfinished(&self, moment: DateTime<Utc>) -> Result<u64, Error> {
        self.unfinished(moment, true).await
    }

    /// Counts the files that [`Blobs::remove_unfinished`] would remove.
    ///
    /// # Errors
    /// The errors of [`Blobs::put`].
    pub async fn count_unfinished(&self, moment: DateTime<Utc>) -> Result<u64, Error> {
        self.unfinished(moment, false).await
    }

    async fn unfinished(&self, moment: DateTime<Utc>, remove: bool) -> Result<u64, Error> {
        match &self.backend {
            Backend::Folder(folder) => {
                self.write_folder(folder, move |folder, _| folder.unfinished(moment, remove)).await
            }
            Backend::S3(_) => Ok(0),
        }
    }

    /// An object that was not found is absent only if this is the right storage.
    async fn found<T>(&self, found: Option<T>) -> Result<Option<T>, Error> {
        if found.is_none() {
            self.ensure_verified_now().await?;
        }
        Ok(found)
    }
}

/// Lists the objects in a folder and in the folders in it.
fn list_folder(folder: &Arc<Folder>, within: PathBuf) -> BoxStream<'static, Result<Listed, Error>> {
    futures_util::stream::try_unfold((Arc::clone(folder), vec![within]), async |(folder, mut waiting)| {
        let Some(next) = waiting.pop() else { return Ok::<_, Error>(None) };
        let (listed, folders) = folder.run(move |folder| folder.list(&next)).await?;
        waiting.extend(folders);
        Ok(Some((futures_util::stream::iter(listed.into_iter().map(Ok)), (folder, waiting))))
    })
    .try_flatten()
    .boxed()
}

fn path(key: &str) -> Result<Path, Error> {
    if key.is_empty() {
        return Err(Error::internal(anyhow::anyhow!("an object needs a key")));
    }
    Path::parse(key).map_err(Error::internal)
}
