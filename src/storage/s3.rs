//! Objects in S3, or in a server with the same interface.
//!
//! **Invariant:** a call ends in time: retries are few, and what stalls is [`Error::Unavailable`].

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use tokio::sync::Semaphore;

use crate::error::{Dependency, Error, chain, one_line};
use crate::storage::identity::MAX_MARKER_BYTES;
use crate::storage::{Content, Listed, MARKER, RETRY_AFTER_SECONDS};

/// The time limit of a call without content, and of the next piece of one with content.
const ANSWER: Duration = Duration::from_secs(5);
/// The time limit of a copy, which S3 makes without sending the content.
const COPY: Duration = Duration::from_secs(60);
/// The rate at which S3 must accept content, in bytes per second.
const MIN_BYTES_PER_SECOND: u64 = 256 << 10;

/// The key of an object that is written to see whether the storage accepts writes. It is no photo.
const PROBE: &str = "cloakroom-probe";
/// The time for which a write shows that others would succeed. Each probe costs a request, and in a
/// bucket with versions an object.
const WRITTEN_FOR: Duration = Duration::from_secs(3);
/// Parts of objects that are fetched at once, each over a connection of its own.
const FETCHES: usize = 64;

/// A bucket, or a prefix of one.
pub(super) struct S3 {
    store: Arc<dyn ObjectStore>,
    fetches: Semaphore,
    /// The time of the last write, if it succeeded.
    written_at: Mutex<Option<Instant>>,
}

/// The reason why a call failed.
pub(super) enum Fault {
    /// It took longer than this.
    Stalled(Duration),
    /// An error of the store.
    Store(object_store::Error),
}

impl S3 {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, fetches: Semaphore::new(FETCHES), written_at: Mutex::default() }
    }

    pub(super) async fn put(&self, path: &Path, bytes: Bytes) -> Result<(), Error> {
        self.write(path, bytes).await.map_err(fault)
    }

    async fn write(&self, path: &Path, bytes: Bytes) -> Result<(), Fault> {
        let limit = ANSWER + Duration::from_secs(bytes.len() as u64 / MIN_BYTES_PER_SECOND);
        let put = async { self.store.put(path, PutPayload::from_bytes(bytes)).await };
        let written = within(limit, put).await.map(drop);
        let written_at = written.is_ok().then(Instant::now);
        *self.written_at.lock().unwrap_or_else(PoisonError::into_inner) = written_at;
        written
    }

    /// Writes a small object, unless another was written a moment ago.
    pub(super) async fn probe(&self) -> Result<(), Fault> {
        let written_at = *self.written_at.lock().unwrap_or_else(PoisonError::into_inner);
        if written_at.is_some_and(|at| at.elapsed() < WRITTEN_FOR) {
            return Ok(());
        }
        self.write(&PROBE.into(), Bytes::from_static(b"probe")).await
    }

    /// Returns the size of an object and its content, which is to be read at once: a connection is open until then.
    pub(super) async fn read(&self, path: &Path) -> Result<Option<(u64, Content)>, Error> {
        match within(ANSWER, self.store.get_opts(path, GetOptions::default())).await {
            Ok(found) => Ok(Some((found.meta.size, pieces(found)))),
            Err(Fault::Store(error)) if is_absent(&error) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    /// Returns the size of an object and a part of its content.
    pub(super) async fn fetch(&self, path: &Path, range: Range<u64>) -> Result<Option<(u64, Bytes)>, Error> {
        let range = Some(GetRange::Bounded(range));
        let fetched = async {
            // Never closed, so always some.
            let _turn = self.fetches.acquire().await.ok();
            let found = self.store.get_opts(path, GetOptions { range, ..Default::default() }).await?;
            Ok((found.meta.size, found.bytes().await?))
        };
        match within(ANSWER, fetched).await {
            Ok(fetched) => Ok(Some(fetched)),
            Err(Fault::Store(error)) if is_absent(&error) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    pub(super) async fn size(&self, path: &Path) -> Result<Option<u64>, Error> {
        match within(ANSWER, self.store.head(path)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(Fault::Store(error)) if is_absent(&error) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    pub(super) async fn delete(&self, path: &Path) -> Result<(), Error> {
        match within(ANSWER, self.store.delete(path)).await {
            Ok(()) => Ok(()),
            Err(Fault::Store(error)) if is_absent(&error) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    /// Copies an object. Returns whether it exists.
    pub(super) async fn copy(&self, from: &Path, to: &Path) -> Result<bool, Error> {
        match within(COPY, self.store.copy(from, to)).await {
            Ok(()) => Ok(true),
            Err(Fault::Store(error)) if is_absent(&error) => Ok(false),
            Err(error) => Err(fault(error)),
        }
    }

    /// Lists the objects whose keys begin with `prefix`, or all of them.
    pub(super) fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<Listed, Error>> {
        let listed = self.store.list(prefix);
        let listed = futures_util::stream::try_unfold(listed, async |mut listed| {
            let next = within(ANSWER, async { listed.try_next().await }).await.map_err(fault)?;
            Ok(next.map(|found| {
                let key = found.location.to_string();
                (Listed { key, size: found.size, modified_at: found.last_modified }, listed)
            }))
        });
        listed.try_filter(|found| std::future::ready(![MARKER, PROBE].contains(&found.key.as_str()))).boxed()
    }

    /// Returns the content of the marker, or `None` if there is none.
    pub(super) async fn read_marker(&self) -> Result<Option<Vec<u8>>, Fault> {
        let read = async {
            let found = self.store.get(&MARKER.into()).await?;
            // A longer object is not a marker.
            match found.meta.size {
                0..=MAX_MARKER_BYTES => found.bytes().await,
                _ => Ok(Bytes::new()),
            }
        };
        match within(ANSWER, read).await {
            Ok(content) => Ok(Some(content.to_vec())),
            Err(Fault::Store(error)) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a marker where there is none. One that exists stays, if the store supports
    /// conditional writes (`If-None-Match`).
    pub(super) async fn create_marker(&self, content: Vec<u8>) -> Result<(), Fault> {
        let put = |mode: PutMode| {
            let payload = PutPayload::from(content.clone());
            async move { self.store.put_opts(&MARKER.into(), payload, mode.into()).await }
        };
        match within(ANSWER, put(PutMode::Create)).await {
            Ok(_) | Err(Fault::Store(object_store::Error::AlreadyExists { .. })) => Ok(()),
            Err(Fault::Store(error)) => {
                tracing::debug!(
                    error = one_line(&error),
                    "the storage may have refused a conditional write; trying without"
                );
                within(ANSWER, put(PutMode::Overwrite)).await.map(drop)
            }
            Err(stalled) => Err(stalled),
        }
    }

    pub(super) async fn replace_marker(&self, content: Vec<u8>) -> Result<(), Fault> {
        within(ANSWER, self.store.put(&MARKER.into(), PutPayload::from(content))).await.map(drop)
    }
}

/// Runs one call within `limit`.
async fn within<T>(limit: Duration, call: impl Future<Output = object_store::Result<T>>) -> Result<T, Fault> {
    match tokio::time::timeout(limit, call).await {
        Ok(outcome) => outcome.map_err(Fault::Store),
        Err(_) => Err(Fault::Stalled(limit)),
    }
}

/// The content of an object, piece by piece.
fn pieces(found: GetResult) -> Content {
    futures_util::stream::try_unfold(found.into_stream(), async |mut pieces| {
        let piece = within(ANSWER, pieces.try_next()).await.map_err(fault)?;
        Ok(piece.map(|piece| (piece, pieces)))
    })
    .boxed()
}

/// Returns the error for the caller. Nothing that a photo shows was done: an object that was written
/// all the same has no row that refers to it.
fn fault(fault: Fault) -> Error {
    let cause = match fault {
        Fault::Store(error) if is_bug(&error) => return Error::internal(error),
        Fault::Store(error) => error.into(),
        Fault::Stalled(limit) => anyhow::anyhow!("the storage did not answer within {} s", limit.as_secs()),
    };
    Error::dependency_unavailable(Dependency::Storage, RETRY_AFTER_SECONDS, cause)
}

/// Returns whether the object does not exist, as opposed to its bucket. An answer to HEAD does not
/// tell.
fn is_absent(error: &object_store::Error) -> bool {
    let object_store::Error::NotFound { source, .. } = error else { return false };
    !chain(source.as_ref()).contains("<Code>NoSuchBucket</Code>")
}

/// Returns whether the call can never succeed, whatever the storage's state and settings are.
fn is_bug(error: &object_store::Error) -> bool {
    use object_store::Error::{InvalidPath, JoinError, NotImplemented, NotSupported, UnknownConfigurationKey};
    matches!(
        error,
        InvalidPath { .. }
            | JoinError { .. }
            | NotImplemented { .. }
            | NotSupported { .. }
            | UnknownConfigurationKey { .. }
    )
}

impl Fault {
    /// Returns the cause with all causes of that one.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Stalled(limit) => format!("no answer within {} s", limit.as_secs()),
            Self::Store(error) => one_line(&error),
        }
    }
}
