//! `publishPhotos` and `unpublishPhotos`: all of a batch, or none of it.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func};

use crate::caller::{Caller, Scope};
use crate::error::Error;
use crate::id::PhotoId;
use crate::photos::photo::Column;
use crate::photos::{Photos, found, in_photo_ids, named, photo};
use crate::store::{DatabaseTransaction, write_locked};

impl Photos {
    /// Shows the caller's photos to everybody. The first time counts as their publishing date.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `PHOTOS_WRITE`; [`Error::Invalid`] with
    /// `NOT_FOUND`, `REQUIRED` or `LIMIT_REACHED`.
    pub async fn publish(&self, caller: &Caller, ids: &[Option<PhotoId>]) -> Result<Vec<photo::Model>, Error> {
        let photos = self.set_published(caller, ids, true).await?;
        self.watch.announced();
        Ok(photos)
    }

    /// Takes the caller's photos out of every list, and all links to them out of use.
    ///
    /// # Errors
    /// As [`Photos::publish`].
    pub async fn unpublish(&self, caller: &Caller, ids: &[Option<PhotoId>]) -> Result<Vec<photo::Model>, Error> {
        self.set_published(caller, ids, false).await
    }

    async fn set_published(
        &self,
        caller: &Caller,
        ids: &[Option<PhotoId>],
        published: bool,
    ) -> Result<Vec<photo::Model>, Error> {
        let author = caller.require(Scope::PhotosWrite)?;
        let (ids, now) = (named(ids, in_photo_ids)?, self.clock.now());
        self.database
            .write(move |transaction| {
                let ids = ids.clone();
                Box::pin(async move {
                    let mut own = photo::lock_own(transaction, author, &ids).await?;
                    found(&ids, in_photo_ids, |id| own.contains_key(id).then_some(()))?;
                    // What is as it should be stays untouched.
                    let changed: Vec<PhotoId> =
                        own.values().filter(|photo| photo.published != published).map(|photo| photo.id).collect();
                    for photo in own.values_mut().filter(|photo| photo.published != published) {
                        photo.published = published;
                        photo.updated_at = now;
                        match published {
                            true => photo.published_at = photo.published_at.or(Some(now)),
                            false => photo.link_generation += 1,
                        }
                    }
                    update(transaction, &changed, published, now).await?;
                    found(&ids, in_photo_ids, |id| own.get(id).cloned())
                })
            })
            .await
    }
}

async fn update(db: &DatabaseTransaction, ids: &[PhotoId], published: bool, now: DateTimeUtc) -> Result<(), Error> {
    let these = photo::Entity::update_many().filter(Column::Id.is_in(ids.iter().copied()));
    let these = these.col_expr(Column::Published, Expr::value(published)).col_expr(Column::UpdatedAt, Expr::value(now));
    let published_at = Func::coalesce([Expr::col(Column::PublishedAt), Expr::value(now)]);
    let these = match published {
        true => these.col_expr(Column::PublishedAt, published_at.into()),
        false => these.col_expr(Column::LinkGeneration, Expr::col(Column::LinkGeneration).add(1)),
    };
    write_locked(db, &these).await?;
    if published {
        photo::announce(db, ids).await?;
    }
    Ok(())
}
