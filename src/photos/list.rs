//! Lists of photos, page by page: everybody's by publishing date, one's own by the date of upload.
//!
//! A cursor is a moment and an id, which order every list without a tie: a page stays where it is while photos come and
//! go. Its moments never change, because a photo that is published again keeps its publishing date.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use crate::accounts::user;
use crate::caller::{Caller, Scope};
use crate::error::Error;
use crate::id::PhotoId;
use crate::page::{Order, Page, Window};
use crate::photos::photo::{Column, Entity};
use crate::photos::{Photos, caption, photo};

/// Tags of a filter at most.
const MAX_TAGS: usize = 10;
/// The end of the year 9999: the last moment that every database takes.
const LATEST_MICROS: i64 = 253_402_300_799_999_999;

/// Which of the published photos.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of the author with this username alone.
    pub author: Option<String>,
    /// With all of these tags.
    pub tags: Vec<String>,
}

/// Which of one's own photos.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    /// In this state alone.
    pub published: Option<bool>,
    /// With all of these tags.
    pub tags: Vec<String>,
}

impl Photos {
    /// A page of everybody's published photos, by the date of their publication.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `PHOTOS_READ`; [`Error::BadInput`] for too
    /// many tags or a cursor that is none.
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &Filter,
        order: Order,
        window: &Window,
    ) -> Result<Page<photo::Model>, Error> {
        let photos = self.published(caller, filter)?;
        self.page(photos, Column::PublishedAt, order, window).await
    }

    /// How many there are.
    ///
    /// # Errors
    /// As [`Photos::list`].
    pub async fn count(&self, caller: &Caller, filter: &Filter) -> Result<u64, Error> {
        Ok(self.published(caller, filter)?.count(self.database.reader()).await?)
    }

    /// A page of the caller's own photos, drafts included, by the date of their upload.
    ///
    /// # Errors
    /// As [`Photos::list`].
    pub async fn list_own(
        &self,
        caller: &Caller,
        which: &Owned,
        order: Order,
        window: &Window,
    ) -> Result<Page<photo::Model>, Error> {
        self.page(own(caller, which)?, Column::CreatedAt, order, window).await
    }

    /// How many there are.
    ///
    /// # Errors
    /// As [`Photos::list`].
    pub async fn count_own(&self, caller: &Caller, which: &Owned) -> Result<u64, Error> {
        Ok(own(caller, which)?.count(self.database.reader()).await?)
    }

    fn published(&self, caller: &Caller, filter: &Filter) -> Result<Select<Entity>, Error> {
        caller.require(Scope::PhotosRead)?;
        let photos = photo::tagged(photo::published(), &keys(&filter.tags)?);
        Ok(match &filter.author {
            None => photos,
            Some(author) => match self.accounts.username_key(author) {
                Some(key) => photos.filter(user::Column::UsernameKey.eq(key)),
                // What cannot be a username is nobody's.
                None => photos.filter(Column::Id.is_in(Vec::<PhotoId>::new())),
            },
        })
    }

    pub(super) async fn page(
        &self,
        photos: Select<Entity>,
        moment: Column,
        order: Order,
        window: &Window,
    ) -> Result<Page<photo::Model>, Error> {
        let ascending = order == Order::Asc;
        let mut photos = photos;
        if let Some(after) = &window.after {
            photos = photos.filter(beyond(moment, after, ascending)?);
        }
        if let Some(before) = &window.before {
            photos = photos.filter(beyond(moment, before, !ascending)?);
        }
        let photos = match ascending != window.backward {
            true => photos.order_by_asc(moment).order_by_asc(Column::Id),
            false => photos.order_by_desc(moment).order_by_desc(Column::Id),
        };
        Ok(window.page(photos.limit(window.limit()).all(self.database.reader()).await?))
    }
}

fn own(caller: &Caller, which: &Owned) -> Result<Select<Entity>, Error> {
    let photos = photo::of(caller.require(Scope::PhotosRead)?);
    let photos = photo::tagged(photos, &keys(&which.tags)?);
    Ok(match which.published {
        None => photos,
        Some(published) => photos.filter(Column::Published.eq(published)),
    })
}

/// The tags in the form that compares.
pub(super) fn keys(tags: &[String]) -> Result<Vec<String>, Error> {
    if tags.len() > MAX_TAGS {
        return Err(Error::BadInput(format!("tags: at most {MAX_TAGS} can be asked for; these are {}.", tags.len())));
    }
    let key = |tag: &String| {
        let good = !tag.contains('\0') && tag.chars().nth(caption::MAX_CHARS).is_none();
        let message = || "tags: this is no tag: it has letters, digits and underscores.".to_owned();
        if good { Ok(caption::key_of(tag)) } else { Err(Error::BadInput(message())) }
    };
    tags.iter().map(key).collect()
}

/// What a photo's cursor says: its moment in the list, and itself.
pub(super) fn key_of(moment: DateTime<Utc>, id: PhotoId) -> String {
    format!("{}.{id}", moment.timestamp_micros())
}

fn beyond(column: Column, cursor: &str, later: bool) -> Result<Condition, Error> {
    let wrong = || Error::BadInput("This is not a cursor of this list.".to_owned());
    let (micros, id) = cursor.split_once('.').ok_or_else(wrong)?;
    let micros = micros.parse().ok().filter(|micros| (0..=LATEST_MICROS).contains(micros)).ok_or_else(wrong)?;
    let moment = DateTime::from_timestamp_micros(micros).ok_or_else(wrong)?;
    let id = PhotoId::parse(id).ok_or_else(wrong)?;
    let same = Condition::all().add(column.eq(moment));
    Ok(match later {
        true => Condition::any().add(column.gt(moment)).add(same.add(Column::Id.gt(id))),
        false => Condition::any().add(column.lt(moment)).add(same.add(Column::Id.lt(id))),
    })
}
