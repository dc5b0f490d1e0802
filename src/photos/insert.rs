//! The insertion of uploaded photos: rows, references to blobs and the quota, in one transaction.

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;
use sea_orm::{ActiveModelTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};

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
    /// See [`storage_use::photo_bytes`].
    pub(super) bytes: i64,
}

/// Photos that are inserted together.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) author: UserId,
    pub(super) published: bool,
    pub(super) request: Option<KeyedRequest>,
    pub(super) stored: Vec<StoredPhoto>,
    pub(super) quota: Quota,
    pub(super) clock: Clock,
}

/// The outcome of a batch.
pub(super) enum Added {
    New(Vec<photo::Model>),
    /// A request with the same idempotency key was faster.
    Replay(Recorded<Vec<RecordedPhoto>>),
}

/// What a user may store.
#[derive(Clone, Copy)]
pub(super) struct Quota {
    pub(super) bytes: i64,
    pub(super) photos: u64,
}

/// The quota of an author, and what is used of it.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) quota: Quota,
    pub(super) used_bytes: i64,
    pub(super) photos: u64,
}

impl Room {
    pub(super) async fn find(db: &impl ConnectionTrait, author: UserId, quota: Quota) -> Result<Self, Error> {
        let used_bytes = storage_use::find(db, author).await?;
        Ok(Self { quota, used_bytes, photos: photo::count_of(db, author).await? })
    }

    /// Refuses `photos` that count with `bytes` if there is no room for them.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `LIMIT_REACHED`.
    pub(super) fn ensure(self, photos: usize, bytes: i64) -> Result<(), Error> {
        let Self { quota, used_bytes, photos: present } = self;
        let message = if present.saturating_add(photos as u64) > quota.photos {
            format!("The limit is {} photos, and you have {present}. Delete photos to make room.", quota.photos)
        } else if used_bytes.saturating_add(bytes) > quota.bytes {
            format!(
                "Your photos take {used_bytes} of {} bytes, and these need {bytes} more. Delete photos to make room.",
                quota.bytes
            )
        } else {
            return Ok(());
        };
        Err(UserError::of("photos", UserErrorCode::LimitReached, message).into())
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
        let bytes = self.stored.iter().map(|stored| stored.bytes).sum();
        let is_counted = storage_use::add(transaction, self.author, bytes, self.quota.bytes).await?;
        // Nobody else adds photos of this user meanwhile.
        let mut room = Room::find(transaction, self.author, self.quota).await?;
        room.used_bytes -= if is_counted { bytes } else { 0 };
        room.ensure(self.stored.len(), bytes)?;
        let images: Vec<photo_image::Model> = self.stored.iter().flat_map(|stored| stored.images.clone()).collect();
        let blobs: Vec<Uuid> = images.iter().map(|image| image.blob_id).collect();
        blob::hold(transaction, &blobs).await?;
        // As late as can be: whoever has read a list looks for what comes behind that.
        let photos = self.photos(self.clock.now());
        let rows = photos.iter().map(|photo| photo.clone().into_active_model().reset_all());
        photo::Entity::insert_many(rows).exec_without_returning(transaction).await?;
        photo_image::add(transaction, images).await?;
        let tags = photos.iter().flat_map(|photo| {
            let tags = caption::tags(photo.caption.as_deref().unwrap_or_default());
            tags.into_iter().map(|tag| (photo.id, tag.key))
        });
        photo_tag::add(transaction, tags).await?;
        if self.published {
            let ids: Vec<PhotoId> = photos.iter().map(|photo| photo.id).collect();
            photo::announce(transaction, &ids).await?;
        }
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
            announced_at: None,
            link_generation: 0,
        };
        self.stored.iter().map(photo).collect()
    }
}
