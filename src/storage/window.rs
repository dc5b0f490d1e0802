//! The content of an object for a reader that may be slow, such as a client of this server.
//!
//! It is read in windows: parts of a file, or of an object in S3, each with a request of its own. While
//! the reader takes its time, the window is all that is in memory, and no connection to S3 is open. So
//! many readers have large windows, because system calls and requests cost time; when thousands of
//! readers take nothing, further ones have small windows, and none waits for another.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::path::Path;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::storage::Content;
use crate::storage::s3::S3;

const LARGE_BYTES: u64 = 512 << 10;
const SMALL_BYTES: u64 = 16 << 10;
/// The same in S3, where a request costs milliseconds.
const SMALL_BYTES_IN_S3: u64 = 32 << 10;
/// Large windows at once.
const LARGE_WINDOWS: usize = 16;
/// Windows of files that are read at once: each takes a thread meanwhile, whose stack and heap stay for a while.
const FILE_READS: usize = 32;
/// The part of a window that is handed over at once, as a copy, so that nobody keeps the whole.
const PIECE: usize = 16 << 10;

/// The windows of all readers. Clones share them.
#[derive(Clone)]
pub(super) struct Windows {
    large: Arc<Semaphore>,
    file_reads: Arc<Semaphore>,
}

/// An object that is read.
enum Source {
    File(Arc<File>),
    S3(Arc<S3>, Path),
}

/// Content that was read and not handed over.
struct Window {
    content: Bytes,
    /// Its length as a whole.
    bytes: usize,
    _large: Option<OwnedSemaphorePermit>,
}

/// The content that is still to come.
struct Rest {
    windows: Windows,
    source: Source,
    window: Option<Window>,
    /// The part behind the window.
    left: Range<u64>,
}

impl Windows {
    pub(super) fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { large: semaphore(LARGE_WINDOWS), file_reads: semaphore(FILE_READS) }
    }

    /// Returns a range of a file's content.
    pub(super) fn of_file(&self, file: File, range: Range<u64>) -> Content {
        let source = Source::File(Arc::new(file));
        Rest { windows: self.clone(), source, window: None, left: range }.into_content()
    }

    /// Returns the size of an object in S3 and `range` of its content, or `None` if it does not exist.
    pub(super) async fn of_object(
        &self,
        s3: &Arc<S3>,
        path: Path,
        range: Range<u64>,
    ) -> Result<Option<(u64, Content)>, Error> {
        let source = Source::S3(Arc::clone(s3), path);
        let mut rest = Rest { windows: self.clone(), source, window: None, left: range };
        let Some(size) = rest.read().await? else { return Ok(None) };
        rest.left.end = rest.left.end.min(size);
        Ok(Some((size, rest.into_content())))
    }
}

impl Rest {
    fn into_content(self) -> Content {
        let pieces = futures_util::stream::try_unfold(self, async |mut rest| {
            let piece = rest.next().await?;
            Ok(piece.map(|piece| (piece, rest)))
        });
        pieces.boxed()
    }

    /// Reads the next window. Returns the size of the object, or `None` if it does not exist.
    async fn read(&mut self) -> Result<Option<u64>, Error> {
        let large = Arc::clone(&self.windows.large).try_acquire_owned().ok();
        let bytes = match (&large, &self.source) {
            (Some(_), _) => LARGE_BYTES,
            (None, Source::File(_)) => SMALL_BYTES,
            (None, Source::S3(..)) => SMALL_BYTES_IN_S3,
        };
        let start = self.left.start;
        let end = start.saturating_add(bytes).min(self.left.end);
        // Never closed, so always some.
        let turn = match self.source {
            Source::File(_) => self.windows.file_reads.acquire().await.ok(),
            Source::S3(..) => None,
        };
        let read = self.source.read(start..end).await?;
        drop(turn);
        let Some((size, content)) = read else { return Ok(None) };
        self.left.start = start.saturating_add(content.len() as u64);
        self.window = Some(Window { bytes: content.len(), content, _large: large });
        Ok(Some(size))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.window.is_none() && !self.left.is_empty() {
            self.read().await?;
            if self.window.as_ref().is_none_or(|window| window.content.is_empty()) {
                return Err(Error::internal(anyhow::anyhow!("an object broke off at byte {}", self.left.start)));
            }
        }
        let Some(window) = &mut self.window else { return Ok(None) };
        let part = window.content.split_to(window.content.len().min(PIECE));
        if !window.content.is_empty() {
            return Ok(Some(Bytes::copy_from_slice(&part)));
        }
        let is_whole = window.bytes <= PIECE;
        self.window = None;
        Ok(Some(if is_whole { part } else { Bytes::copy_from_slice(&part) }))
    }
}

impl Source {
    /// Returns the size of the object and a part of its content, or `None` if it does not exist.
    async fn read(&self, range: Range<u64>) -> Result<Option<(u64, Bytes)>, Error> {
        match self {
            Self::File(file) => {
                let (file, length) = (Arc::clone(file), range.end.saturating_sub(range.start));
                // Allocated here: threads that block are many, and the allocator keeps freed memory for each.
                let content = vec![0; usize::try_from(length).unwrap_or_default()];
                let read = tokio::task::spawn_blocking(move || read_file(&file, range.start, content));
                read.await.map_err(Error::internal)?.map_err(Error::from_disk).map(Some)
            }
            Self::S3(s3, path) => s3.fetch(path, range).await,
        }
    }
}

fn read_file(file: &File, start: u64, mut content: Vec<u8>) -> io::Result<(u64, Bytes)> {
    file.read_exact_at(&mut content, start)?;
    Ok((file.metadata()?.len(), content.into()))
}
