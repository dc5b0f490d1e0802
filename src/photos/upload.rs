//! `uploadPhotos`: files become photos, all of them or none.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait as _;
use sea_orm::prelude::Uuid;

use crate::caller::{Caller, Scope};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::{PhotoId, UserId};
use crate::photos::blob::Content;
use crate::photos::picture::{self, Prepared, Refusal, Rendition, Size};
use crate::photos::studio::{Reserved, Table};
use crate::photos::{Photos, blob, caption, hex, photo, photo_image, photo_tag, storage_use};
use crate::store::DatabaseTransaction;
use crate::upload::ReceivedFile;

/// A photo to be.
#[derive(Clone, Debug)]
pub struct NewPhoto {
    /// The file, as it was received.
    pub file: Arc<ReceivedFile>,
    /// What its author says of it.
    pub caption: Option<String>,
}

/// A photo whose contents are stored.
#[derive(Clone)]
struct Stored {
    photo: photo::Model,
    images: Vec<photo_image::Model>,
    tags: Vec<String>,
    original_bytes: i64,
}

impl Photos {
    /// Makes photos of these files, as drafts or published at once.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `PHOTOS_WRITE`; [`Error::Invalid`] with
    /// `REQUIRED`, `UNSUPPORTED_MEDIA`, `TOO_LARGE`, `INVALID`, `TOO_LONG` or `LIMIT_REACHED`, naming the photo's place;
    /// [`Error::Unavailable`] when too many pictures wait.
    pub async fn upload(
        &self,
        caller: &Caller,
        photos: Vec<NewPhoto>,
        publish: bool,
    ) -> Result<Vec<photo::Model>, Error> {
        let author = caller.require(Scope::PhotosWrite)?;
        let captions = self.check_input(&photos)?;
        self.check_quota(author).await?;
        let studio = self.studio.reserve(photos.len())?;
        let now = self.clock.now();
        let (mut stored, mut faults) = (Vec::with_capacity(photos.len()), Vec::new());
        for (place, (new, caption)) in photos.into_iter().zip(captions).enumerate() {
            let photo = draft(author, caption, publish, now);
            // Once one is refused, the others are only looked at.
            match self.prepare(&studio, new.file).await? {
                Err(refusal) => faults.push(fault(place, &refusal)),
                Ok(_) if !faults.is_empty() => {}
                Ok((table, prepared)) => {
                    stored.push(self.store(photo, prepared, now).await?);
                    drop(table);
                }
            }
        }
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let quota = i64::try_from(self.settings.quota_bytes).unwrap_or(i64::MAX);
        let added = stored.clone();
        self.database
            .write(move |transaction| {
                let added = added.clone();
                Box::pin(async move { add(transaction, author, added, quota, now).await })
            })
            .await?;
        if publish {
            self.watch.announced();
        }
        Ok(stored.into_iter().map(|stored| stored.photo).collect())
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
    async fn check_quota(&self, author: UserId) -> Result<(), Error> {
        let used = storage_use::find(self.database.reader(), author).await?;
        match u64::try_from(used).is_ok_and(|used| used >= self.settings.quota_bytes) {
            true => Err(no_room(self.settings.quota_bytes, used, 1)),
            false => Ok(()),
        }
    }

    async fn prepare(
        &self,
        studio: &Reserved<'_>,
        file: Arc<ReceivedFile>,
    ) -> Result<Result<(Table, Prepared), Refusal>, Error> {
        let limits = self.picture_limits();
        let (table, prepared) = studio.run(file.bytes(), move |table| prepare(file.path(), &limits, table)).await?;
        Ok(prepared?.map(|prepared| (table, prepared)))
    }

    /// The largest picture that is taken.
    pub(super) fn picture_limits(&self) -> picture::Limits {
        picture::Limits { max_bytes: self.settings.max_bytes, max_pixels: self.settings.max_pixels }
    }

    async fn store(&self, photo: photo::Model, prepared: Prepared, now: DateTime<Utc>) -> Result<Stored, Error> {
        let blobs = self.store_renditions(&prepared.renditions, now).await?;
        let original = prepared.renditions.iter().find(|rendition| rendition.size == Size::Original);
        let original_bytes = original.map_or(0, |original| length(&original.bytes));
        let images = prepared.renditions.iter().zip(blobs);
        let images = images.map(|(rendition, blob)| image(photo.id, rendition, blob)).collect();
        let tags = caption::tags(photo.caption.as_deref().unwrap_or_default());
        let photo = photo::Model { thumbhash: STANDARD.encode(&prepared.thumbhash), ..photo };
        Ok(Stored { photo, images, tags: tags.into_iter().map(|tag| tag.key).collect(), original_bytes })
    }

    /// Stores contents under a term, and returns their rows' ids in order.
    pub(super) async fn store_renditions(
        &self,
        renditions: &[Rendition],
        now: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, Error> {
        let contents: Vec<Content> = renditions.iter().map(|rendition| content(&rendition.bytes)).collect();
        let claim = self.database.write(move |transaction| {
            let contents = contents.clone();
            Box::pin(async move { blob::claim(transaction, &contents, now).await })
        });
        let rows = claim.await?;
        let puts = rows.iter().zip(renditions);
        try_join_all(puts.map(|(row, rendition)| self.blobs.put(&row.object_key, rendition.bytes.clone()))).await?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }
}

fn prepare(path: &Path, limits: &picture::Limits, table: &mut Table) -> Result<Result<Prepared, Refusal>, Error> {
    let file = std::fs::read(path).map_err(Error::internal)?;
    Ok(table.prepare(Bytes::from(file), limits))
}

async fn add(
    transaction: &DatabaseTransaction,
    author: UserId,
    stored: Vec<Stored>,
    quota: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let bytes = stored.iter().map(|stored| stored.original_bytes).sum();
    // First, so that two uploads of one user wait for each other here and nowhere else.
    if !storage_use::add(transaction, author, bytes, quota).await? {
        let used = storage_use::find(transaction, author).await?;
        return Err(no_room(u64::try_from(quota).unwrap_or(0), used, bytes));
    }
    let images: Vec<photo_image::Model> = stored.iter().flat_map(|stored| stored.images.clone()).collect();
    let blobs: Vec<Uuid> = images.iter().map(|image| image.blob_id).collect();
    blob::hold(transaction, &blobs).await?;
    let photos = stored.iter().map(|stored| photo::ActiveModel {
        id: Set(stored.photo.id),
        user_id: Set(stored.photo.user_id),
        published: Set(stored.photo.published),
        caption: Set(stored.photo.caption.clone()),
        thumbhash: Set(stored.photo.thumbhash.clone()),
        created_at: Set(now),
        updated_at: Set(now),
        published_at: Set(stored.photo.published_at),
        announced_at: Set(stored.photo.announced_at),
    });
    photo::Entity::insert_many(photos).exec_without_returning(transaction).await?;
    photo_image::add(transaction, images).await?;
    let tags =
        stored.into_iter().flat_map(|Stored { photo, tags, .. }| tags.into_iter().map(move |tag| (photo.id, tag)));
    photo_tag::add(transaction, tags).await
}

fn draft(author: UserId, caption: Option<String>, published: bool, now: DateTime<Utc>) -> photo::Model {
    let published_at = published.then_some(now);
    photo::Model {
        id: PhotoId::generate(),
        user_id: Some(author),
        published,
        caption,
        thumbhash: String::new(),
        created_at: now,
        updated_at: now,
        published_at,
        announced_at: published_at,
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

fn no_room(quota: u64, used: i64, needed: i64) -> Error {
    let message = format!("There is room for {quota} bytes, of which {used} are taken; this needs {needed} more.");
    UserError::of("photos", UserErrorCode::LimitReached, message).into()
}
