//! `uploadPhotos`: files become photos, all of them or none.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::future::try_join_all;
use sea_orm::prelude::Uuid;

use crate::accounts::idempotency::{self, KeyedRequest};
use crate::caller::{Caller, Scope};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::{PhotoId, UserId};
use crate::photos::blob::Content;
use crate::photos::claims::Claims;
use crate::photos::insert::{Added, Batch, Quota, Room, StoredPhoto};
use crate::photos::picture::{self, Prepared, Refusal, Rendition};
use crate::photos::storage_use::MIN_PHOTO_BYTES;
use crate::photos::studio::{Reserved, Sender, Table};
use crate::photos::{Photos, caption, hex, photo, photo_image, storage_use};
use crate::upload::ReceivedFile;

/// How often contents are stored that the sweep takes away again, for an upload of the same that has failed.
const ATTEMPTS: usize = 3;

/// A photo to be.
#[derive(Clone, Debug)]
pub struct NewPhoto {
    /// The file, as it was received.
    pub file: Arc<ReceivedFile>,
    /// What its author says of it.
    pub caption: Option<String>,
}

/// The renditions of a picture, and what they are stored as.
pub(super) struct Hashed {
    prepared: Prepared,
    contents: Vec<Content>,
}

/// The photos of an upload.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// In the order of the files.
    pub photos: Vec<photo::Model>,
    /// True if an earlier request with the same idempotency key uploaded them.
    pub replayed: bool,
}

impl Photos {
    /// Makes photos of these files, as drafts or published at once. With an idempotency key it does so once.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `PHOTOS_WRITE`; [`Error::Invalid`] with
    /// `REQUIRED`, `UNSUPPORTED_MEDIA`, `TOO_LARGE`, `INVALID`, `TOO_LONG` or `LIMIT_REACHED`, naming the photo's place;
    /// [`Error::Unavailable`] when too many pictures wait, [`Error::RateLimited`] when too many of theirs do; those of [`idempotency::claim`].
    pub async fn upload(
        &self,
        caller: &Caller,
        mut photos: Vec<NewPhoto>,
        publish: bool,
        idempotency_key: Option<Arc<str>>,
    ) -> Result<Uploaded, Error> {
        let author = caller.require(Scope::PhotosWrite)?;
        let captions = self.check_input(&photos)?;
        for (photo, caption) in photos.iter_mut().zip(&captions) {
            photo.caption.clone_from(caption);
        }
        let mut request = None;
        if let Some(key) = idempotency_key {
            let files = photos.iter().map(|photo| Arc::clone(&photo.file)).collect();
            let keyed = self.keyed_upload(author, key, files, &captions, publish).await?;
            if let Some(recorded) = idempotency::find(self.database.reader(), &keyed, self.clock.now()).await? {
                let photos = self.replay(author, recorded, &captions, publish).await?;
                return Ok(Uploaded { photos, replayed: true });
            }
            request = Some(keyed);
        }
        let sender = Sender { user: Some(author), address: caller.origin.block() };
        match self.upload_new(author, sender, &photos, publish, request).await? {
            Added::New(photos) => Ok(Uploaded { photos, replayed: false }),
            Added::Replay(recorded) => {
                let photos = self.replay(author, recorded, &captions, publish).await?;
                Ok(Uploaded { photos, replayed: true })
            }
        }
    }

    async fn upload_new(
        &self,
        author: UserId,
        sender: Sender,
        photos: &[NewPhoto],
        publish: bool,
        request: Option<KeyedRequest>,
    ) -> Result<Added, Error> {
        let room = self.room_of(author, photos.len()).await?;
        self.blobs.ensure_verified().await?;
        let studio = self.studio.reserve(sender, photos.len())?;
        let mut attempt = 1;
        loop {
            let mut claims = Claims::begin(&self.database, &self.clock);
            let added = match self.store(&studio, photos, room, &mut claims).await {
                Ok(stored) => self.add(author, publish, request.clone(), stored, room.quota).await,
                Err(error) => Err(error),
            };
            let error = match added {
                Ok(Added::New(added)) => {
                    claims.settle();
                    if publish {
                        self.watch.announced();
                    }
                    return Ok(Added::New(added));
                }
                Ok(replay @ Added::Replay(_)) => {
                    claims.give_up().await;
                    return Ok(replay);
                }
                Err(error) => error,
            };
            let swept = matches!(error, Error::Unavailable { .. }) && claims.is_any_swept().await.unwrap_or(false);
            claims.give_up().await;
            if !swept || attempt >= ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Everything that is wrong before a file is opened, or the captions.
    fn check_input(&self, photos: &[NewPhoto]) -> Result<Vec<Option<String>>, Error> {
        let most = self.settings.max_per_upload;
        if photos.is_empty() {
            return Err(UserError::of("photos", UserErrorCode::Required, "There is no photo to upload.").into());
        }
        if photos.len() > most {
            let message = format!("An upload has at most {most} photos; this one has {}.", photos.len());
            return Err(UserError::of("photos", UserErrorCode::LimitReached, message).into());
        }
        let (mut captions, mut faults) = (Vec::with_capacity(photos.len()), Vec::new());
        for (place, photo) in photos.iter().enumerate() {
            match caption::check(&at(place, "caption"), photo.caption.as_deref()) {
                Ok(caption) => captions.push(caption),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(captions) } else { Err(Error::Invalid(faults)) }
    }

    /// Spares the work where there is no room at all. What counts is decided with the rows.
    async fn room_of(&self, author: UserId, photos: usize) -> Result<Room, Error> {
        let room = Room::find(self.database.reader(), author, self.quota()).await?;
        room.ensure(photos, MIN_PHOTO_BYTES.saturating_mul(i64::try_from(photos).unwrap_or(i64::MAX)))?;
        Ok(room)
    }

    fn quota(&self) -> Quota {
        let bytes = i64::try_from(self.settings.quota_bytes).unwrap_or(i64::MAX);
        Quota { bytes, photos: self.settings.max_per_user }
    }

    /// Stores the contents of all photos; or of none any more once one is refused, or there is no room for it: nothing
    /// counts what is stored for photos that do not come about.
    async fn store(
        &self,
        studio: &Reserved<'_>,
        photos: &[NewPhoto],
        room: Room,
        claims: &mut Claims,
    ) -> Result<Vec<StoredPhoto>, Error> {
        let (mut stored, mut faults, mut bytes) = (Vec::with_capacity(photos.len()), Vec::new(), 0);
        for (place, new) in photos.iter().enumerate() {
            match self.prepare(studio, Arc::clone(&new.file)).await? {
                Err(refusal) => faults.push(fault(place, &refusal)),
                // The others are only looked at.
                Ok(_) if !faults.is_empty() => {}
                Ok((table, hashed)) => {
                    bytes += hashed.photo_bytes();
                    room.ensure(photos.len(), bytes)?;
                    stored.push(self.store_photo(new.caption.clone(), &hashed, claims).await?);
                    drop(hashed);
                    drop(table);
                }
            }
        }
        if faults.is_empty() { Ok(stored) } else { Err(Error::Invalid(faults)) }
    }

    async fn prepare(
        &self,
        studio: &Reserved<'_>,
        file: Arc<ReceivedFile>,
    ) -> Result<Result<(Table, Hashed), Refusal>, Error> {
        let limits = self.picture_limits();
        let (table, hashed) = studio.run(file.bytes(), move |table| prepare(file.path(), &limits, table)).await?;
        Ok(hashed?.map(|hashed| (table, hashed)))
    }

    /// The largest picture that is taken.
    pub(super) fn picture_limits(&self) -> picture::Limits {
        picture::Limits { max_bytes: self.settings.max_bytes, max_pixels: self.settings.max_pixels }
    }

    async fn store_photo(
        &self,
        caption: Option<String>,
        hashed: &Hashed,
        claims: &mut Claims,
    ) -> Result<StoredPhoto, Error> {
        let (id, blobs) = (PhotoId::generate(), self.store_renditions(hashed, claims).await?);
        let images = hashed.prepared.renditions.iter().zip(blobs);
        let images = images.map(|(rendition, blob)| image(id, rendition, blob)).collect();
        let thumbhash = STANDARD.encode(&hashed.prepared.thumbhash);
        Ok(StoredPhoto { id, caption, thumbhash, images, bytes: hashed.photo_bytes() })
    }

    /// Stores contents under a term, and returns their rows' ids in order.
    pub(super) async fn store_renditions(&self, hashed: &Hashed, claims: &mut Claims) -> Result<Vec<Uuid>, Error> {
        let rows = claims.add(hashed.contents.clone()).await?;
        let puts = rows.iter().zip(&hashed.prepared.renditions);
        try_join_all(puts.map(|(row, rendition)| self.blobs.put(&row.object_key, rendition.bytes.clone()))).await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    async fn add(
        &self,
        author: UserId,
        published: bool,
        request: Option<KeyedRequest>,
        stored: Vec<StoredPhoto>,
        quota: Quota,
    ) -> Result<Added, Error> {
        let batch = Batch { author, published, request, stored, quota, clock: self.clock.clone() };
        self.database
            .write(move |transaction| {
                let batch = batch.clone();
                Box::pin(async move { batch.add(transaction).await })
            })
            .await
    }
}

impl Hashed {
    /// Takes as long as reading them does: to be called where pictures are prepared, and not on the runtime.
    pub(super) fn of(prepared: Prepared) -> Self {
        let contents = prepared.renditions.iter().map(|rendition| content(&rendition.bytes)).collect();
        Self { prepared, contents }
    }

    pub(super) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// With how many bytes a photo with these renditions counts.
    fn photo_bytes(&self) -> i64 {
        storage_use::photo_bytes(self.file_bytes())
    }

    pub(super) fn file_bytes(&self) -> impl Iterator<Item = i64> + '_ {
        self.contents.iter().map(|content| content.byte_size)
    }
}

fn prepare(path: &Path, limits: &picture::Limits, table: &mut Table) -> Result<Result<Hashed, Refusal>, Error> {
    let file = std::fs::read(path).map_err(Error::from_disk)?;
    Ok(table.prepare(Bytes::from(file), limits).map(Hashed::of))
}

pub(super) fn image(photo: PhotoId, rendition: &Rendition, blob: Uuid) -> photo_image::Model {
    photo_image::Model {
        photo_id: photo,
        size: photo_image::number_of(rendition.size),
        blob_id: blob,
        format: photo_image::format_number(rendition.format),
        width: i32::try_from(rendition.width).unwrap_or(i32::MAX),
        height: i32::try_from(rendition.height).unwrap_or(i32::MAX),
    }
}

fn content(bytes: &Bytes) -> Content {
    let hash = digest(&SHA256, bytes);
    Content { hash: hex(hash.as_ref()), byte_size: length(bytes) }
}

fn length(bytes: &Bytes) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

fn fault(place: usize, refusal: &Refusal) -> UserError {
    let code = match refusal {
        Refusal::Empty => UserErrorCode::Required,
        Refusal::Unsupported { .. } => UserErrorCode::UnsupportedMedia,
        Refusal::TooManyBytes { .. }
        | Refusal::TooManyPixels { .. }
        | Refusal::TooLong { .. }
        | Refusal::TooManyFrames { .. }
        | Refusal::TooManyScans { .. }
        | Refusal::TooMuchMemory { .. } => UserErrorCode::TooLarge,
        Refusal::Broken { .. } => UserErrorCode::Invalid,
    };
    UserError { code, field: Some(at(place, "file")), message: refusal.message() }
}

fn at(place: usize, field: &str) -> Vec<String> {
    vec!["input".to_owned(), "photos".to_owned(), place.to_string(), field.to_owned()]
}
