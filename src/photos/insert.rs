//! The insertion of uploaded photos: rows, references to blobs and the quota, in one transaction.

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};

use crate::accounts::idempotency::{self, Claim, KeyedRequest, Recorded};
use crate::accounts::user;
use crate::clock::Clock;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::{PhotoId, UserId};
use crate::photos::replay::RecordedPhoto;
use crate::photos::{blob, caption, photo, photo_image, photo_tag, storage_use};
use crate::store::DatabaseTransaction;

/// A photo whose renditions are in the storage.
#[derive(Clone)]
pub(super) struct StoredPhoto {
    pub(super) id: PhotoId,
    pub(super) caption: Option<String>,
    pub(super) thumbhash: String,
    pub(super) images: Vec<photo_image::Model>,
    pub(super) original_bytes: i64,
}

/// Photos that are inserted together.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) author: UserId,
    pub(super) published: bool,
    pub(super) request: Option<KeyedRequest>,
    pub(super) stored: Vec<StoredPhoto>,
    pub(super) quota: i64,
    pub(super) clock: Clock,
}

/// The outcome of a batch.
pub(super) enum Added {
    New(Vec<photo::Model>),
    /// A request with the same idempotency key was faster.
    Replay(Recorded<Vec<RecordedPhoto>>),
}

/// The quota of an author, and the bytes that are used of it.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) quota: i64,
    pub(super) used: i64,
}

impl Room {
    pub(super) fn has(self, bytes: i64) -> bool {
        self.used.saturating_add(bytes) <= self.quota
    }

    pub(super) fn refusal(self) -> Error {
        let Self { quota, used } = self;
        let message = format!("There is room for {quota} bytes, of which {used} are taken: the photos need more.");
        UserError::of("photos", UserErrorCode::LimitReached, message).into()
    }
}

impl Batch {
    pub(super) async fn add(self, transaction: &DatabaseTransaction) -> Result<Added, Error> {
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
        let record =
            |stored: &StoredPhoto| RecordedPhoto { id: stored.id.to_string(), thumbhash: stored.thumbhash.clone() };
        self.stored.iter().map(record).collect()
    }

    fn photos(&self, now: DateTime<Utc>) -> Vec<photo::Model> {
        let published_at = self.published.then_some(now);
        let photo = |stored: &StoredPhoto| photo::Model {
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
