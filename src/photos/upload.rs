//! `uploadPhotos`: files become photos, all of them or none.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use sea_orm::prelude::Uuid;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};

use crate::accounts::idempotency::{self, Claim, KeyedRequest, Recorded};
use crate::accounts::user;
use crate::caller::{Caller, Scope};
use crate::clock::Clock;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::{PhotoId, UserId};
use crate::photos::blob::Content;
use crate::photos::claims::Claims;
use crate::photos::picture::{self, Prepared, Refusal, Rendition, Size};
use crate::photos::replay::RecordedPhoto;
use crate::photos::studio::{Reserved, Table};
use crate::photos::{Photos, blob, caption, hex, photo, photo_image, photo_tag, storage_use};
use crate::store::DatabaseTransaction;
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

/// A photo whose contents are stored.
#[derive(Clone)]
struct Stored {
    id: PhotoId,
    caption: Option<String>,
    thumbhash: String,
    images: Vec<photo_image::Model>,
    original_bytes: i64,
}

/// Photos to be added together.
#[derive(Clone)]
struct Batch {
    author: UserId,
    published: bool,
    request: Option<KeyedRequest>,
    stored: Vec<Stored>,
    quota: i64,
    clock: Clock,
}

/// What became of a batch.
enum Added {
    New(Vec<photo::Model>),
    /// A request with the same idempotency key was faster.
    Replay(Recorded<Vec<RecordedPhoto>>),
}

/// The photos of an upload.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// In the order of the files.
    pub photos: Vec<photo::Model>,
    /// Whether an earlier request with the same idempotency key uploaded them.
    pub replayed: bool,
}

/// How much an author may store, and how much of it is taken.
#[derive(Clone, Copy)]
struct Room {
    quota: i64,
    used: i64,
}

impl Photos {
    /// Makes photos of these files, as drafts or published at once. With an idempotency key it does so once.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `PHOTOS_WRITE`; [`Error::Invalid`] with
    /// `REQUIRED`, `UNSUPPORTED_MEDIA`, `TOO_LARGE`, `INVALID`, `TOO_LONG` or `LIMIT_REACHED`, naming the photo's place;
    /// [`Error::Unavailable`] when too many pictures wait; those of [`idempotency::claim`].
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
        match self.upload_new(author, &photos, publish, request).await? {
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
        photos: &[NewPhoto],
        publish: bool,
        request: Option<KeyedRequest>,
    ) -> Result<Added, Error> {
        let room = self.room_of(author).await?;
        self.blobs.ensure_verified().await?;
        let studio = self.studio.reserve(photos.len())?;
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
    async fn room_of(&self, author: UserId) -> Result<Room, Error> {
        let quota = i64::try_from(self.settings.quota_bytes).unwrap_or(i64::MAX);
        let room = Room { quota, used: storage_use::find(self.database.reader(), author).await? };
        if room.has(1) { Ok(room) } else { Err(room.refusal()) }
    }

    /// Stores the contents of all photos; or of none any more once one is refused, or there is no room for it: nothing
    /// counts what is stored for photos that do not come about.
    async fn store(
        &self,
        studio: &Reserved<'_>,
        photos: &[NewPhoto],
        room: Room,
        claims: &mut Claims,
    ) -> Result<Vec<Stored>, Error> {
        let (mut stored, mut faults, mut bytes) = (Vec::with_capacity(photos.len()), Vec::new(), 0);
        for (place, new) in photos.iter().enumerate() {
            match self.prepare(studio, Arc::clone(&new.file)).await? {
                Err(refusal) => faults.push(fault(place, &refusal)),
                // The others are only looked at.
                Ok(_) if !faults.is_empty() => {}
                Ok((table, hashed)) => {
                    bytes += hashed.original_bytes();
                    if !room.has(bytes) {
                        return Err(room.refusal());
                    }
                    stored.push(self.store_photo(new.caption.clone(), &hashed, claims).await?);
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
    ) -> Result<Stored, Error> {
        let (id, blobs) = (PhotoId::generate(), self.store_renditions(hashed, claims).await?);
        let images = hashed.prepared.renditions.iter().zip(blobs);
        let images = images.map(|(rendition, blob)| image(id, rendition, blob)).collect();
        let thumbhash = STANDARD.encode(&hashed.prepared.thumbhash);
        Ok(Stored { id, caption, thumbhash, images, original_bytes: hashed.original_bytes() })
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
        stored: Vec<Stored>,
        quota: i64,
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

impl Room {
    fn has(self, bytes: i64) -> bool {
        self.used.saturating_add(bytes) <= self.quota
    }

    fn refusal(self) -> Error {
        let Self { quota, used } = self;
        let message = format!("There is room for {quota} bytes, of which {used} are taken: the photos need more.");
        UserError::of("photos", UserErrorCode::LimitReached, message).into()
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

    fn original_bytes(&self) -> i64 {
        let original = self.prepared.renditions.iter().find(|rendition| rendition.size == Size::Original);
        original.map_or(0, |original| length(&original.bytes))
    }
}

fn prepare(path: &Path, limits: &picture::Limits, table: &mut Table) -> Result<Result<Hashed, Refusal>, Error> {
    let file = std::fs::read(path).map_err(Error::internal)?;
    Ok(table.prepare(Bytes::from(file), limits).map(Hashed::of))
}

impl Batch {
    async fn add(self, transaction: &DatabaseTransaction) -> Result<Added, Error> {
        user::lock_row(transaction, self.author).await?;
        if let Some(request) = &self.request
            && let Claim::Replay(recorded) =
                idempotency::claim(transaction, request, &self.recorded(), self.clock.now()).await?
        {
            return Ok(Added::Replay(recorded));
        }
        let bytes = self.stored.iter().map(|stored| stored.original_bytes).sum();
        if !storage_use::add(transaction, self.author, bytes, self.quota).await? {
            let used = storage_use::find(transaction, self.author).await?;
            return Err(Room { quota: self.quota, used }.refusal());
        }
        let images: Vec<photo_image::Model> = self.stored.iter().flat_map(|stored| stored.images.clone()).collect();
        let blobs: Vec<Uuid> = images.iter().map(|image| image.blob_id).collect();
        blob::hold(transaction, &blobs).await?;
        // As late as can be: whoever has read a list, or listens, looks for what comes behind that.
        let photos = self.photos(self.clock.now());
        let rows = photos.iter().map(|photo| photo.clone().into_active_model().reset_all());
        photo::Entity::insert_many(rows).exec_without_returning(transaction).await?;
        photo_image::add(transaction, images).await?;
        let tags = photos.iter().flat_map(|photo| {
            let tags = caption::tags(photo.caption.as_deref().unwrap_or_default());
            tags.into_iter().map(|tag| (photo.id, tag.key))
        });
        photo_tag::add(transaction, tags).await?;
        Ok(Added::New(photos))
    }

    fn recorded(&self) -> Vec<RecordedPhoto> {
        let record = |stored: &Stored| RecordedPhoto { id: stored.id.to_string(), thumbhash: stored.thumbhash.clone() };
        self.stored.iter().map(record).collect()
    }

    fn photos(&self, now: DateTime<Utc>) -> Vec<photo::Model> {
        let published_at = self.published.then_some(now);
        let photo = |stored: &Stored| photo::Model {
            id: stored.id,
            user_id: Some(self.author),
            published: self.published,
            caption: stored.caption.clone(),
            thumbhash: stored.thumbhash.clone(),
            created_at: now,
            updated_at: now,
            published_at,
            announced_at: published_at,
        };
        self.stored.iter().map(photo).collect()
    }
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
