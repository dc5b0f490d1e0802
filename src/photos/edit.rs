//! `editPhotos`: captions, all of a batch or none of it.

use std::collections::HashSet;

use sea_orm::ActiveModelTrait as _;
use sea_orm::ActiveValue::{Set, Unchanged};

use crate::caller::{Caller, Scope};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::PhotoId;
use crate::photos::{Photos, caption, found, named, photo, photo_tag};
use crate::store::DatabaseTransaction;

/// What is to become of a photo.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Which; none for what is no photo's id.
    pub photo: Option<PhotoId>,
    /// Its new caption, or none to take it away; without either it stays.
    pub caption: Option<Option<String>>,
}

impl Photos {
    /// Replaces captions of the caller's photos.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `PHOTOS_WRITE`; [`Error::Invalid`] with
    /// `NOT_FOUND`, `REQUIRED`, `LIMIT_REACHED`, `TOO_LONG`, `INVALID`, or `CONFLICT` for a photo that is named twice.
    pub async fn edit(&self, caller: &Caller, edits: Vec<Edit>) -> Result<Vec<photo::Model>, Error> {
        let author = caller.require(Scope::PhotosWrite)?;
        let ids: Vec<Option<PhotoId>> = edits.iter().map(|edit| edit.photo).collect();
        let ids = named(&ids, photo_at)?;
        let (captions, now) = (check(&ids, &edits)?, self.clock.now());
        self.database
            .write(move |transaction| {
                let (ids, captions) = (ids.clone(), captions.clone());
                Box::pin(async move {
                    let own = photo::lock_own(transaction, author, &ids).await?;
                    let mut photos = found(&ids, photo_at, |id| own.get(id).cloned())?;
                    let edited = photos.iter_mut().zip(captions).filter_map(|(photo, caption)| {
                        photo.caption = caption?;
                        photo.updated_at = now;
                        Some(&*photo)
                    });
                    replace(transaction, &edited.collect::<Vec<_>>()).await?;
                    Ok(photos)
                })
            })
            .await
    }
}

/// Writes the captions of these photos, and their tags.
async fn replace(transaction: &DatabaseTransaction, photos: &[&photo::Model]) -> Result<(), Error> {
    let ids: Vec<PhotoId> = photos.iter().map(|photo| photo.id).collect();
    photo_tag::remove_of(transaction, &ids).await?;
    for photo in photos {
        let row = photo::ActiveModel {
            id: Unchanged(photo.id),
            caption: Set(photo.caption.clone()),
            updated_at: Set(photo.updated_at),
            ..Default::default()
        };
        row.update(transaction).await?;
    }
    let tags = photos.iter().flat_map(|photo| {
        let tags = caption::tags(photo.caption.as_deref().unwrap_or_default());
        tags.into_iter().map(|tag| (photo.id, tag.key))
    });
    photo_tag::add(transaction, tags).await
}

/// Everything that is wrong with the edits, or the captions; none for those that stay.
fn check(ids: &[PhotoId], edits: &[Edit]) -> Result<Vec<Option<Option<String>>>, Error> {
    let (mut captions, mut faults, mut seen) = (Vec::with_capacity(edits.len()), Vec::new(), HashSet::new());
    for (place, (id, edit)) in ids.iter().zip(edits).enumerate() {
        if !seen.insert(id) {
            let message = "This photo is named twice.".to_owned();
            faults.push(UserError { code: UserErrorCode::Conflict, field: Some(photo_at(place)), message });
        }
        let Some(caption) = &edit.caption else {
            captions.push(None);
            continue;
        };
        match caption::check(&at(place, "caption"), caption.as_deref()) {
            Ok(caption) => captions.push(Some(caption)),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(captions) } else { Err(Error::Invalid(faults)) }
}

fn photo_at(place: usize) -> Vec<String> {
    at(place, "photoId")
}

fn at(place: usize, field: &str) -> Vec<String> {
    vec!["input".to_owned(), "edits".to_owned(), place.to_string(), field.to_owned()]
}
