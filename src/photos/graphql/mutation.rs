//! Mutations of photos. All of a batch succeeds, or nothing of it happens.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use crate::error::{Error, UserError};
use crate::id::PhotoId;
use crate::payload::payload;
use crate::photos::graphql::{Photo, caller, loaders, photos};
use crate::photos::{self, photo};
use crate::upload::{Upload, Uploads};

/// What to upload. All of a batch succeeds, or nothing of it happens.
#[derive(InputObject)]
pub struct UploadPhotosInput {
    /// The photos, at most as many as `server { limits { photosPerUpload } }` says.
    photos: Vec<NewPhoto>,
    /// Whether they are published at once.
    #[graphql(default = false)]
    publish: bool,
    /// Idempotency key: a retry with the same key, files, captions and `publish` returns the first photos again and
    /// stores nothing, for 24 hours. 1 to 128 printable ASCII characters. The same key with another input ends in
    /// CONFLICT. The header Idempotency-Key does the same for a request for a single field.
    idempotency_key: Option<String>,
}

/// A photo to be.
#[derive(InputObject)]
pub struct NewPhoto {
    /// A JPEG, PNG, WebP or GIF, within the limits of `server { limits }`.
    file: Upload,
    /// What to say of it, in at most 2,000 characters with at most 30 #tags.
    caption: Option<String>,
}

/// What `uploadPhotos` did.
#[derive(SimpleObject)]
pub struct UploadPhotosPayload {
    /// The new photos, in the order of the input. Null when there are user errors.
    photos: Option<Vec<Photo>>,
    /// True if an idempotency key brought back an earlier result.
    replayed: bool,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Which captions to replace. All of a batch succeeds, or nothing of it happens.
#[derive(InputObject)]
pub struct EditPhotosInput {
    /// The photos, at most 100, each once.
    edits: Vec<PhotoEdit>,
}

/// What is to become of a photo.
#[derive(InputObject)]
pub struct PhotoEdit {
    /// One of the caller's photos.
    photo_id: ID,
    /// Its new caption, in at most 2,000 characters with at most 30 #tags; null takes it away, and left out it stays.
    caption: MaybeUndefined<String>,
}

/// What `editPhotos` did.
#[derive(SimpleObject)]
pub struct EditPhotosPayload {
    /// The photos as they are now, in the order of the input. Null when there are user errors.
    photos: Option<Vec<Photo>>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Which photos to publish. All of a batch succeeds, or nothing of it happens.
#[derive(InputObject)]
pub struct PublishPhotosInput {
    /// The caller's photos, at most 100.
    photo_ids: Vec<ID>,
}

/// What `publishPhotos` did.
#[derive(SimpleObject)]
pub struct PublishPhotosPayload {
    /// The photos as they are now, in the order of the input. Null when there are user errors.
    photos: Option<Vec<Photo>>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Which photos to make drafts again. All of a batch succeeds, or nothing of it happens.
#[derive(InputObject)]
pub struct UnpublishPhotosInput {
    /// The caller's photos, at most 100.
    photo_ids: Vec<ID>,
}

/// What `unpublishPhotos` did.
#[derive(SimpleObject)]
pub struct UnpublishPhotosPayload {
    /// The photos as they are now, in the order of the input. Null when there are user errors.
    photos: Option<Vec<Photo>>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Which photos to delete. All of a batch succeeds, or nothing of it happens.
#[derive(InputObject)]
pub struct DeletePhotosInput {
    /// The caller's photos, at most 100.
    photo_ids: Vec<ID>,
}

/// What `deletePhotos` did.
#[derive(SimpleObject)]
pub struct DeletePhotosPayload {
    /// The ids of the photos that are gone, in the order of the input. Null when there are user errors.
    deleted_photo_ids: Option<Vec<ID>>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Mutations of photos.
#[derive(Default)]
pub struct PhotosMutation;

#[Object]
impl PhotosMutation {
    /// Makes photos of files, which are parts of a multipart request: without the metadata of the camera, in four sizes,
    /// as drafts or published at once. User errors, each with the place of its photo: REQUIRED, UNSUPPORTED_MEDIA,
    /// TOO_LARGE, INVALID, TOO_LONG, LIMIT_REACHED. UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an API key
    /// without PHOTOS_WRITE, PAYLOAD_TOO_LARGE beyond a limit of `server { limits }`, UNAVAILABLE when too many pictures
    /// wait, RATE_LIMITED when too many of the caller's do, BAD_USER_INPUT for the idempotency key, CONFLICT for one that
    /// was used with another input, RATE_LIMITED for a new one of a user who has too many.
    async fn upload_photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to upload.")] input: UploadPhotosInput,
    ) -> Option<Result<UploadPhotosPayload, Error>> {
        let uploaded = async move {
            let none = Uploads::default();
            let uploads = ctx.data_opt::<Uploads>().unwrap_or(&none);
            let new = |NewPhoto { file, caption }| {
                let file = uploads.file(&file)?;
                Ok(photos::NewPhoto { file, caption })
            };
            let new: Vec<photos::NewPhoto> = input.photos.into_iter().map(new).collect::<Result<_, Error>>()?;
            let key = caller(ctx).idempotency_key_or(input.idempotency_key);
            photos(ctx).upload(caller(ctx), new, input.publish, key).await
        };
        let build = |uploaded: Option<photos::Uploaded>, user_errors| {
            let replayed = uploaded.as_ref().is_some_and(|uploaded| uploaded.replayed);
            let photos = shown(ctx, uploaded.map(|uploaded| uploaded.photos));
            UploadPhotosPayload { photos, replayed, user_errors }
        };
        payload(uploaded, build).await
    }

    /// Replaces captions of the caller's photos, and with them their tags. User errors, each with the place of its photo:
    /// NOT_FOUND, REQUIRED, LIMIT_REACHED, TOO_LONG, INVALID, CONFLICT. UNAUTHENTICATED when nobody is signed in,
    /// FORBIDDEN for an API key without PHOTOS_WRITE.
    async fn edit_photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which captions to replace.")] input: EditPhotosInput,
    ) -> Option<Result<EditPhotosPayload, Error>> {
        let edit = |edit: PhotoEdit| {
            let caption = match edit.caption {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(caption) => Some(Some(caption)),
            };
            photos::Edit { photo: PhotoId::parse(&edit.photo_id), caption }
        };
        let edits = input.edits.into_iter().map(edit).collect();
        let edited = photos(ctx).edit(caller(ctx), edits);
        payload(edited, |rows, user_errors| EditPhotosPayload { photos: shown(ctx, rows), user_errors }).await
    }

    /// Shows photos of the caller's to everybody; those that are published stay as they are. The first time counts as
    /// their publishing date. User errors, each with the place of its photo: NOT_FOUND, REQUIRED, LIMIT_REACHED.
    /// UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an API key without PHOTOS_WRITE.
    async fn publish_photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which photos to publish.")] input: PublishPhotosInput,
    ) -> Option<Result<PublishPhotosPayload, Error>> {
        let ids = parsed(&input.photo_ids);
        let published = photos(ctx).publish(caller(ctx), &ids);
        payload(published, |rows, user_errors| PublishPhotosPayload { photos: shown(ctx, rows), user_errors }).await
    }

    /// Makes photos of the caller's drafts again: they leave every list, and links to their images end, at once. User
    /// errors and codes as for `publishPhotos`.
    async fn unpublish_photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which photos to make drafts again.")] input: UnpublishPhotosInput,
    ) -> Option<Result<UnpublishPhotosPayload, Error>> {
        let ids = parsed(&input.photo_ids);
        let unpublished = photos(ctx).unpublish(caller(ctx), &ids);
        payload(unpublished, |rows, user_errors| UnpublishPhotosPayload { photos: shown(ctx, rows), user_errors }).await
    }

    /// Deletes photos of the caller's for good: they leave every list, and links to their images end, at once. User
    /// errors and codes as for `publishPhotos`.
    async fn delete_photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which photos to delete.")] input: DeletePhotosInput,
    ) -> Option<Result<DeletePhotosPayload, Error>> {
        let ids = parsed(&input.photo_ids);
        let build = |deleted: Option<Vec<PhotoId>>, user_errors| {
            let deleted_photo_ids = deleted.map(|ids| ids.into_iter().map(ID::from).collect());
            DeletePhotosPayload { deleted_photo_ids, user_errors }
        };
        payload(photos(ctx).delete(caller(ctx), &ids), build).await
    }
}

fn parsed(ids: &[ID]) -> Vec<Option<PhotoId>> {
    ids.iter().map(|id| PhotoId::parse(id)).collect()
}

/// The photos of a payload, with loaders that they share.
fn shown(ctx: &Context<'_>, rows: Option<Vec<photo::Model>>) -> Option<Vec<Photo>> {
    let loaders = loaders(ctx);
    rows.map(|rows| rows.into_iter().map(|row| Photo::new(row, &loaders)).collect())
}
