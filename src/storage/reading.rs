//! The content of an object, piece by piece.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::GetResult;

use crate::error::Error;
use crate::storage::{Content, s3};

/// How much of a file is read at once. A client that reads nothing keeps so much in memory, and thousands may do so.
const PIECE: u64 = 16 << 10;

/// The content of an object in S3.
pub(super) fn pieces(found: GetResult) -> Content {
    futures_util::stream::try_unfold(found.into_stream(), async |mut pieces| {
        let piece = s3::next_piece(pieces.try_next()).await?;
        Ok(piece.map(|piece| (piece, pieces)))
    })
    .boxed()
}

/// A range of a file's content.
pub(super) fn file(file: Arc<File>, range: Range<u64>) -> Content {
    futures_util::stream::try_unfold((file, range), async |(file, mut left)| {
        let length = left.end.saturating_sub(left.start).min(PIECE);
        if length == 0 {
            return Ok(None);
        }
        let (reader, from) = (Arc::clone(&file), left.start);
        let piece = tokio::task::spawn_blocking(move || read(&reader, from, length));
        let piece = piece.await.map_err(Error::internal)?.map_err(Error::from_disk)?;
        left.start += length;
        Ok(Some((piece, (file, left))))
    })
    .boxed()
}

fn read(file: &File, from: u64, length: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut piece, from)?;
    Ok(piece.into())
}
