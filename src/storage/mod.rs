//! Content by key: files below the data directory, or objects in S3.
//!
//! **Invariant:** what [`Blobs::put`] has answered is on disk, the names of new folders included, or is S3's to keep.
//! **Invariant:** an object is there as a whole or not at all; what a crash leaves half done is never seen under a key.
//! **Invariant:** a call over the network ends in time: retries are few, and what stalls is [`Error::Unavailable`].
//!
//! A key's content never changes, so that small objects may be remembered in memory, bounded by
//! `storage.cache_bytes`. Large local files are read in pieces off the runtime; they pass through our memory once on
//! their way to the socket (`sendfile` is out of reach of the HTTP library).

mod fault;
mod local;
mod open;
mod reading;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::error::Error;

use fault::Fault;

/// The largest object that is remembered in memory, in bytes.
pub const MAX_CACHED_BYTES: u64 = 64 << 10;

/// How long S3 may take for one call without content, or for the next piece of one with content.
const ANSWER: Duration = Duration::from_secs(5);
/// How fast S3 must take what is sent to it, in bytes a second.
const MIN_BYTES_PER_SECOND: u64 = 256 << 10;

/// The content of an object, piece by piece.
pub type Content = BoxStream<'static, Result<Bytes, Error>>;

/// An object as [`Blobs::list`] finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, by the storage's clock.
    pub modified_at: DateTime<Utc>,
}

/// Where content is. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    /// The folder, where the objects are files.
    folder: Option<Arc<PathBuf>>,
    lasting: local::Lasting,
    small: Arc<Cache<String, Bytes, Weight>>,
}

/// What an entry takes of `storage.cache_bytes`.
#[derive(Clone)]
struct Weight;

impl Weighter<String, Bytes> for Weight {
    fn weight(&self, key: &String, content: &Bytes) -> u64 {
        // The names and places of both, roughly.
        (key.len() + content.len() + 128) as u64
    }
}

impl Blobs {
    /// Keeps `bytes` under `key`. Again with the same bytes does no harm.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where S3 does not answer in time: they may be there or not. Whatever else stands in the
    /// way, such as a full disk, is internal.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let path = path(key)?;
        if let Some(folder) = &self.folder {
            local::make_folders(Arc::clone(folder), key.as_ref(), Arc::clone(&self.lasting)).await?;
        }
        let limit = ANSWER + Duration::from_secs(bytes.len() as u64 / MIN_BYTES_PER_SECOND);
        let put = async { self.store.put(&path, PutPayload::from_bytes(bytes)).await };
        self.within(limit, put).await.map(drop).map_err(|error| self.fault(error))
    }

    /// The size of the whole object under `key`, and `range` of its content, or all of it. `None` where there is none.
    ///
    /// # Errors
    /// As [`Blobs::put`]; a range that begins behind the end. The content may break off with the same errors.
    pub async fn read(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<(u64, Content)>, Error> {
        let (path, range) = (path(key)?, range.map(GetRange::Bounded));
        let found = self.within(ANSWER, self.store.get_opts(&path, GetOptions { range, ..Default::default() })).await;
        match found {
            Ok(found) => Ok(Some((found.meta.size, reading::content(found, self.clone())))),
            Err(Fault::Store(object_store::Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(self.fault(error)),
        }
    }

    /// The whole object under `key`, of `limit` bytes at most. `None` where there is none.
    ///
    /// # Errors
    /// As [`Blobs::put`]; an object that is larger.
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

    /// The same for an object of [`MAX_CACHED_BYTES`] at most, from memory where it was read lately. Another server
    /// that deletes the object does not tell: ask only for keys that a row names.
    ///
    /// # Errors
    /// As [`Blobs::read_whole`].
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

    /// How large the object under `key` is, in bytes. `None` where there is none.
    ///
    /// # Errors
    /// As [`Blobs::put`].
    pub async fn size(&self, key: &str) -> Result<Option<u64>, Error> {
        let path = path(key)?;
        match self.within(ANSWER, self.store.head(&path)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(Fault::Store(object_store::Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(self.fault(error)),
        }
    }

    /// Removes the object under `key`, if there is one; it does not come back after a crash.
    ///
    /// # Errors
    /// As [`Blobs::put`].
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = path(key)?;
        self.small.remove(key);
        match self.within(ANSWER, self.store.delete(&path)).await {
            Ok(()) | Err(Fault::Store(object_store::Error::NotFound { .. })) => {}
            Err(error) => return Err(self.fault(error)),
        }
        match &self.folder {
            Some(folder) => local::sync_parent(folder.join(key)).await,
            None => Ok(()),
        }
    }

    /// Every object, in no particular order.
    pub fn list(&self) -> BoxStream<'static, Result<Listed, Error>> {
        let blobs = self.clone();
        let listed = self.store.list(None);
        futures_util::stream::try_unfold((listed, blobs), async |(mut listed, blobs)| {
            match blobs.within(ANSWER, async { listed.try_next().await }).await {
                Ok(None) => Ok(None),
                Ok(Some(found)) => {
                    let key = found.location.to_string();
                    let found = Listed { key, size: found.size, modified_at: found.last_modified };
                    Ok(Some((found, (listed, blobs))))
                }
                Err(error) => Err(blobs.fault(error)),
            }
        })
        .boxed()
    }

    /// Removes what crashes left half written before `moment`, and returns how much that was. Only files can be so.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub async fn remove_unfinished(&self, moment: DateTime<Utc>) -> Result<u64, Error> {
        match &self.folder {
            Some(folder) => local::unfinished(Arc::clone(folder), moment, true).await,
            None => Ok(0),
        }
    }

    /// How much crashes have left half written before `moment`: what [`Blobs::remove_unfinished`] would remove.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub async fn count_unfinished(&self, moment: DateTime<Utc>) -> Result<u64, Error> {
        match &self.folder {
            Some(folder) => local::unfinished(Arc::clone(folder), moment, false).await,
            None => Ok(0),
        }
    }

    /// Whether the storage answers: the folder or the bucket is there, and lets us in.
    ///
    /// # Errors
    /// Why not.
    pub async fn ping(&self) -> Result<(), Error> {
        if let Some(folder) = &self.folder {
            return local::is_there(Arc::clone(folder)).await;
        }
        let nothing = Path::from("ping");
        let asked = self.within(ANSWER, self.store.list_with_delimiter(Some(&nothing))).await;
        asked.map(drop).map_err(|error| self.fault(error))
    }
}

fn path(key: &str) -> Result<Path, Error> {
    Path::parse(key).map_err(Error::internal)
}
