//! Queries and subscriptions of photos.

use async_graphql::{Context, ID, Object, Subscription};
use futures_util::{Stream, StreamExt as _};

use crate::error::Error;
use crate::id::PhotoId;
use crate::page::{Arguments, Order, Window};
use crate::photos::Filter;
use crate::photos::graphql::{Photo, PhotoConnection, caller, loaders, photos};

/// Queries about photos.
#[derive(Default)]
pub struct PhotosQuery;

#[Object]
impl PhotosQuery {
    /// The photo with this id; null when there is none, or it is somebody else's draft. UNAUTHENTICATED when nobody is
    /// signed in, FORBIDDEN for an API key without PHOTOS_READ, BAD_USER_INPUT for what is no photo's id.
    async fn photo(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The photo's id.")] id: ID,
    ) -> Option<Result<Photo, Error>> {
        let found = async {
            caller(ctx).user()?;
            let id = PhotoId::parse(&id).ok_or_else(|| Error::BadInput("id: this is not a photo's id.".to_owned()))?;
            let found = photos(ctx).list_by_ids(caller(ctx), &[id]).await?;
            Ok(found.into_iter().next().map(|row| Photo::new(row, &loaders(ctx))))
        };
        found.await.transpose()
    }

    /// Published photos of everybody, by publishing date. UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an API
    /// key without PHOTOS_READ, BAD_USER_INPUT for a page of more than 100, more than 10 tags or a cursor that is none.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of the author with this username.")] author: Option<String>,
        #[graphql(desc = "Only with all of these tags, at most 10, with or without #; case does not matter.")]
        tags: Option<Vec<String>>,
        #[graphql(desc = "Which come first.", default_with = "Order::Desc")] order: Order,
        #[graphql(desc = "How many from the beginning, at most 100; 20 if neither is given.")] first: Option<i32>,
        #[graphql(desc = "Cursor that the page starts after; empty for the start of the list.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Cursor that the page ends before; empty for the end of the list.")] before: Option<String>,
    ) -> Option<Result<PhotoConnection, Error>> {
        let published = async {
            let window = Window::of(PhotoConnection::PUBLISHED, Arguments { first, after, last, before })?;
            let filter = Filter { author, tags: tags.unwrap_or_default() };
            let page = photos(ctx).list(caller(ctx), &filter, order, &window).await?;
            Ok(PhotoConnection::published(page, filter, &loaders(ctx)))
        };
        Some(published.await)
    }
}

/// What can be listened to of photos.
#[derive(Default)]
pub struct PhotosSubscription;

#[Subscription]
impl PhotosSubscription {
    /// Every photo that is published from now on, by whomever; one that is unpublished more than a second before it
    /// could be sent is left out, and a client that is slow misses the oldest. UNAUTHENTICATED when nobody is signed
    /// in, FORBIDDEN for an API key without PHOTOS_READ, BAD_USER_INPUT for more than 10 tags.
    async fn photo_published(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of the author with this username.")] author: Option<String>,
        #[graphql(desc = "Only with all of these tags, at most 10, with or without #; case does not matter.")]
        tags: Option<Vec<String>>,
    ) -> Result<impl Stream<Item = Result<Photo, Error>>, Error> {
        let filter = Filter { author, tags: tags.unwrap_or_default() };
        let published = photos(ctx).watch(caller(ctx), &filter).await?;
        let (photos, caller) = (photos(ctx).clone(), caller(ctx).clone());
        Ok(published
            .map(move |row| row.map(|row| Photo::new(row, &crate::photos::loader::Loaders::new(&photos, &caller)))))
    }
}
