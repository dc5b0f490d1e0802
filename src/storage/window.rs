//! The content of an object in S3 for a reader that may be slow, such as a client of this server.
//!
//! It is fetched in windows, each with a request of its own. While the reader takes its time, no
//! connection to S3 is open, and the window is all that is in memory. So many readers have large
//! windows, because requests cost time and money; when thousands of them read nothing, further ones
//! have small windows, and none waits for another.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::path::Path;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::storage::Content;
use crate::storage::s3::S3;

const LARGE_BYTES: u64 = 512 << 10;
const SMALL_BYTES: u64 = 32 << 10;
/// Large windows at once.
const LARGE_WINDOWS: usize = 16;
/// The part of a window that is handed over at once, as a copy, so that nobody keeps the whole.
const PIECE: usize = 16 << 10;

/// The windows of all readers. Clones share them.
#[derive(Clone)]
pub(super) struct Windows {
    large: Arc<Semaphore>,
}

/// Content that was fetched and not handed over.
struct Window {
    content: Bytes,
    _large: Option<OwnedSemaphorePermit>,
}

/// The content that is still to come.
struct Rest {
    windows: Windows,
    s3: Arc<S3>,
    path: Path,
    window: Option<Window>,
    /// The part behind the window.
    left: Range<u64>,
}

impl Windows {
    pub(super) fn new() -> Self {
        Self { large: Arc::new(Semaphore::new(LARGE_WINDOWS)) }
    }

    /// Returns the size of an object and `range` of its content.
    pub(super) async fn read(
        &self,
        s3: &Arc<S3>,
        path: Path,
        range: Range<u64>,
    ) -> Result<Option<(u64, Content)>, Error> {
        let mut rest = Rest { windows: self.clone(), s3: Arc::clone(s3), path, window: None, left: range };
        let Some(size) = rest.fetch().await? else { return Ok(None) };
        rest.left.end = rest.left.end.min(size);
        let content = futures_util::stream::try_unfold(rest, async |mut rest| {
            let piece = rest.next().await?;
            Ok(piece.map(|piece| (piece, rest)))
        });
        Ok(Some((size, content.boxed())))
    }
}

impl Rest {
    /// Fetches the next window. Returns the size of the object, or `None` if it does not exist.
    async fn fetch(&mut self) -> Result<Option<u64>, Error> {
        let large = Arc::clone(&self.windows.large).try_acquire_owned().ok();
        let bytes = if large.is_some() { LARGE_BYTES } else { SMALL_BYTES };
        let start = self.left.start;
        let end = start.saturating_add(bytes).min(self.left.end);
        let Some((size, content)) = self.s3.fetch(&self.path, start..end).await? else { return Ok(None) };
        self.left.start = start.saturating_add(content.len() as u64);
        self.window = Some(Window { content, _large: large });
        Ok(Some(size))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.window.is_none() && !self.left.is_empty() {
            self.fetch().await?;
            if self.window.as_ref().is_none_or(|window| window.content.is_empty()) {
                return Err(Error::internal(anyhow::anyhow!("the object {} broke off", self.path)));
            }
        }
        let Some(window) = &mut self.window else { return Ok(None) };
        let piece = window.content.split_to(window.content.len().min(PIECE));
        let piece = Bytes::copy_from_slice(&piece);
        if window.content.is_empty() {
            self.window = None;
        }
        Ok(Some(piece))
    }
}
