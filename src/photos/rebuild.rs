//! `cloakroom photos rebuild`: the smaller sizes made anew from the stored originals, as after a change of sizes.
//!
//! Each photo is a step by itself, beside servers that go on: its new contents are claimed and stored first; then one
//! transaction locks the photo, puts the new images in the place of the old ones, and lets go of what those held.
//! Links carry the content's hash, so a picture that changed has another address.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sea_orm::prelude::Uuid;

use crate::caller::Caller;
use crate::error::Error;
use crate::id::PhotoId;
use crate::photos::claims::Claims;
use crate::photos::photo_image::Stored;
use crate::photos::picture::{Limits, Refusal, Size};
use crate::photos::studio::{Sender, Table};
use crate::photos::upload::Hashed;
use crate::photos::{Photos, blob, hex, photo, photo_image, storage_use, upload};
use crate::store::DatabaseTransaction;

/// Photos read at once.
const PAGE: u64 = 500;

/// What has become of a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuilt {
    /// Its sizes are new.
    Done,
    /// It was deleted meanwhile.
    Gone,
}

/// Why the sizes of a photo are as they were.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The original is not there.
    Lost,
    /// The original is not what was stored.
    Damaged,
    /// The original cannot be decoded any more.
    Refused(Refusal),
    /// The database or the storage did not do its part.
    Failed(Error),
}

/// What has become of which photo.
pub type Outcome = (PhotoId, Result<Rebuilt, Failure>);

impl Photos {
    /// How many photos there are behind `after`, in the order in which they are rebuilt.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator.
    pub async fn count_all(&self, caller: &Caller, after: Option<PhotoId>) -> Result<u64, Error> {
        caller.require_operator()?;
        photo::count_all(self.database.reader(), after).await
    }

    /// Makes the smaller sizes of all photos behind `after` anew, several side by side, and tells of each in its order:
    /// whoever stops can go on behind the last that was told.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator. In the stream: that the next photos could not be read.
    pub fn rebuild(
        &self,
        caller: &Caller,
        after: Option<PhotoId>,
    ) -> Result<impl Stream<Item = Result<Outcome, Error>>, Error> {
        caller.require_operator()?;
        let pages = futures_util::stream::try_unfold(after, move |after| async move {
            let page = photo::list_ids(self.database.reader(), after, PAGE).await?;
            Ok::<_, Error>(page.last().copied().map(|last| (page, Some(last))))
        });
        let ids = pages.flat_map(|page| {
            let (page, error) = page.map_or_else(|error| (Vec::new(), Some(error)), |page| (page, None));
            futures_util::stream::iter(page.into_iter().map(Ok).chain(error.map(Err)))
        });
        let rebuilt = ids.map(move |id: Result<PhotoId, Error>| async move {
            let id = id?;
            Ok((id, self.rebuild_one(id).await.unwrap_or_else(|error| Err(Failure::Failed(error)))))
        });
        Ok(rebuilt.buffered(self.studio.at_once()))
    }

    /// Makes the smaller sizes of one photo anew.
    pub(super) async fn rebuild_one(&self, id: PhotoId) -> Result<Result<Rebuilt, Failure>, Error> {
        let Some(original) = photo_image::find_original(self.database.reader(), id).await? else {
            let is_there = photo::exists(self.database.reader(), id).await?;
            return Ok(if is_there { Err(Failure::Lost) } else { Ok(Rebuilt::Gone) });
        };
        let length = u64::try_from(original.byte_size).unwrap_or_default();
        let bytes = match self.blobs.size(&original.object_key).await? {
            Some(found) if found != length => return Ok(Err(Failure::Damaged)),
            Some(_) => self.blobs.read_whole(&original.object_key, length).await?,
            None => None,
        };
        let Some(bytes) = bytes else {
            // A photo that was deleted meanwhile is not lost.
            let still = photo_image::find_original(self.database.reader(), id).await?;
            return Ok(still.map_or(Ok(Rebuilt::Gone), |_| Err(Failure::Lost)));
        };
        let studio = self.studio.reserve(Sender::default(), 1)?;
        let limits = self.limits_of(&original, length);
        let (table, smaller) = studio.run(length, move |table| render(bytes, &original.hash, &limits, table)).await?;
        let smaller = match smaller {
            Ok(smaller) => smaller,
            Err(failure) => return Ok(Err(failure)),
        };
        let rebuilt = self.exchange(id, &smaller).await?;
        drop(smaller);
        drop(table);
        Ok(Ok(rebuilt))
    }

    /// What was taken once is taken again, though uploads may be limited more narrowly by now.
    fn limits_of(&self, original: &Stored, length: u64) -> Limits {
        let now = self.picture_limits();
        let pixels = u64::from(original.width.unsigned_abs()) * u64::from(original.height.unsigned_abs());
        Limits { max_bytes: now.max_bytes.max(length), max_pixels: now.max_pixels.max(pixels) }
    }

    async fn exchange(&self, id: PhotoId, smaller: &Hashed) -> Result<Rebuilt, Error> {
        let mut claims = Claims::begin(&self.database, &self.clock);
        let now = self.clock.now();
        let blobs = self.store_renditions(smaller, &mut claims).await?;
        let prepared = smaller.prepared();
        let images = prepared.renditions.iter().zip(&blobs);
        let images: Vec<_> = images.map(|(rendition, blob)| upload::image(id, rendition, *blob)).collect();
        let thumbhash = STANDARD.encode(&prepared.thumbhash);
        let smaller_bytes: Vec<i64> = smaller.file_bytes().collect();
        let exchange = self.database.write(move |transaction| {
            let (images, blobs, thumbhash) = (images.clone(), blobs.clone(), thumbhash.clone());
            let smaller = smaller_bytes.clone();
            Box::pin(async move {
                let Some(photo) = photo::lock(transaction, id).await? else { return Ok(Rebuilt::Gone) };
                if let Some(author) = photo.user_id {
                    let counted = photo_image::sum_bytes(transaction, &[id]).await?;
                    let original = photo_image::find_original(transaction, id).await?.map(|image| image.byte_size);
                    let counts = storage_use::photo_bytes(smaller.into_iter().chain(original));
                    storage_use::subtract(transaction, author, counted - counts).await?;
                }
                let before = photo_image::list_blobs_of(transaction, &[id]).await?;
                blob::lock(transaction, &[before.as_slice(), &blobs].concat()).await?;
                blob::hold(transaction, &blobs).await?;
                let before = photo_image::replace(transaction, id, images).await?;
                release_others(transaction, before, &blobs, now).await?;
                photo::set_thumbhash(transaction, id, &thumbhash).await?;
                Ok(Rebuilt::Done)
            })
        });
        let rebuilt = exchange.await?;
        if rebuilt == Rebuilt::Done {
            claims.settle();
        }
        Ok(rebuilt)
    }
}

async fn release_others(
    transaction: &DatabaseTransaction,
    mut before: Vec<Uuid>,
    held: &[Uuid],
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), Error> {
    before.retain(|blob| !held.contains(blob));
    blob::release(transaction, &before, now).await
}

/// The smaller sizes of the very original that was stored: nothing is made of a damaged one.
fn render(original: Bytes, hash: &str, limits: &Limits, table: &mut Table) -> Result<Hashed, Failure> {
    if hex(digest(&SHA256, &original).as_ref()) != hash {
        return Err(Failure::Damaged);
    }
    let mut prepared = table.prepare(original, limits).map_err(Failure::Refused)?;
    prepared.renditions.retain(|rendition| rendition.size != Size::Original);
    Ok(Hashed::of(prepared))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("the original is missing"),
            Self::Damaged => f.write_str("the original is not what was stored"),
            Self::Refused(refusal) => write!(f, "the original cannot be used: {}", refusal.message()),
            Self::Failed(error) => f.write_str(&error.reason()),
        }
    }
}
