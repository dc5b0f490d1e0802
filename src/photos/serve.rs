//! Images by their links: which content one stands for now, and that content.
//!
//! **Invariant:** the photo's row is asked each time, after the request has come: what was deleted or unpublished
//! is gone at once, whichever server did it. Requests that come together share the statement.

use std::ops::Range;

use bytes::Bytes;

use crate::error::Error;
use crate::photos::Photos;
use crate::photos::links::Target;
use crate::photos::photo_image::Stored;
use crate::photos::picture::Size;
use crate::storage::{self, MAX_CACHED_BYTES};

/// An image that a link stands for.
#[derive(Clone, Debug)]
pub struct Served {
    /// Under which name the content is stored.
    pub object_key: String,
    /// The media type.
    pub content_type: &'static str,
    /// A name for the file, of our own.
    pub file_name: &'static str,
    /// The content's length.
    pub byte_size: u64,
    /// The content's SHA-256, in hexadecimal.
    pub hash: String,
    /// For how long the link is still good.
    pub good_for_seconds: u32,
}

/// What is sent of an image.
pub enum Content {
    /// It is in memory.
    Whole(Bytes),
    /// It comes from the storage.
    Pieces(storage::Content),
}

impl Photos {
    /// A link to an image of a photo, in this generation of its links.
    pub(super) fn link(&self, image: &Stored, size: Size, generation: i64, base_url: Option<&str>) -> String {
        let target = Target { photo: image.photo_id, size, hash: &image.hash, format: image.format(), generation };
        self.links.url(&target, base_url, self.clock.now())
    }

    /// What the parts of a link stand for: the photo, the file, and the two parameters. `None` for whatever is
    /// malformed, forged, expired, deleted, or from before the photo was unpublished: which, is not told.
    ///
    /// # Errors
    /// What the database says.
    pub async fn find_served(
        &self,
        photo: &str,
        file: &str,
        until: &str,
        signature: &str,
    ) -> Result<Option<Served>, Error> {
        let now = self.clock.now();
        let Some(link) = self.links.read(photo, file, until, signature, now) else { return Ok(None) };
        let Some(found) = self.linked.find(link.photo, link.size).await? else { return Ok(None) };
        let (image, generation) = &*found;
        let format = image.format();
        if !self.links.is_of(&link, *generation) || image.hash != link.hash || format != link.format {
            return Ok(None);
        }
        Ok(Some(Served {
            object_key: image.object_key.clone(),
            content_type: format.content_type(),
            file_name: format.file_name(),
            byte_size: u64::try_from(image.byte_size).map_err(Error::internal)?,
            good_for_seconds: link.seconds_left(now),
            hash: link.hash,
        }))
    }

    /// These bytes of an image.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the storage does not answer; a content that is not there, or of another length.
    pub async fn read_served(&self, served: &Served, range: Range<u64>) -> Result<Content, Error> {
        let found = if served.byte_size <= MAX_CACHED_BYTES {
            let whole = self.blobs.read_small(&served.object_key).await?;
            whole.map(|bytes| (bytes.len() as u64, Content::Whole(part(&bytes, &range))))
        } else {
            let read = self.blobs.read(&served.object_key, Some(range)).await?;
            read.map(|(size, pieces)| (size, Content::Pieces(pieces)))
        };
        match found {
            Some((size, content)) if size == served.byte_size => Ok(content),
            found => {
                let found = found.map(|(size, _)| size);
                let (key, size) = (&served.object_key, served.byte_size);
                Err(Error::internal(anyhow::anyhow!("{key} should have {size} bytes in the storage, not {found:?}")))
            }
        }
    }
}

fn part(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(range.start)..at(range.end))
}
