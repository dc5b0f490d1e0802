//! `editPhotos`: captions, all of a batch or none of it.

use std::collections::HashSet;

use sea_orm::ActiveModelTrait as _;
use sea_orm::ActiveValue::{Set, Unchanged};

use crate::caller::{Caller, Scope};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::PhotoId;
use crate::photos::{Photos, caption, found, named, photo, photo_tag};

/// What is to become of a photo.
#[derive(Clone, Debug)]
pub struct Edit {
    /// Which; none for what is no photo's id.
    pub photo: Option<PhotoId>,
    /// Its new caption; none takes it away.
    pub caption: Option<String>,
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
                    photo_tag::remove_of(transaction, &ids).await?;
                    for (photo, caption) in photos.iter_mut().zip(captions) {
                        photo.caption = caption;
                        photo.updated_at = now;
                        let row = photo::ActiveModel {
                            id: Unchanged(photo.id),
                            caption: Set(photo.caption.clone()),
                            updated_at: Set(now),
                            ..Default::default()
                        };
                        row.update(transaction).await?;
                    }
                    let tags = photos.iter().flat_map(|photo| {
                        let tags = caption::tags(photo.caption.as_deref().unwrap_or_default());
                        tags.into_iter().map(|tag| (photo.id, tag.key))
                    });
                    photo_tag::add(transaction, tags).await?;
                    Ok(photos)
                })
            })
            .await
    }
}

/// Everything that is wrong with the edits, or the captions.
fn check(ids: &[PhotoId], edits: &[Edit]) -> Result<Vec<Option<String>>, Error> {
    let (mut captions, mut faults, mut seen) = (Vec::with_capacity(edits.len()), Vec::new(), HashSet::new());
    for (place, (id, edit)) in ids.iter().zip(edits).enumerate() {
        if !seen.insert(id) {
            let message = "This photo is named twice.".to_owned();
            faults.push(UserError { code: UserErrorCode::Conflict, field: Some(photo_at(place)), message });
        }
        match caption::check(&at(place, "caption"), edit.caption.as_deref()) {
            Ok(caption) => captions.push(caption),
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
