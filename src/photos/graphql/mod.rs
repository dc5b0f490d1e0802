//! The photos' part of the schema.

pub mod mutation;
pub mod object;
pub mod query;

use std::sync::Arc;

use async_graphql::Context;

use crate::caller::Caller;
use crate::photos::Photos;
use crate::photos::loader::Loaders;

pub use mutation::PhotosMutation;
pub use object::{Image, Photo, PhotoConnection, PhotoSize, PhotoState, StorageUse};
pub use query::{PhotosQuery, PhotosSubscription};

fn photos<'c>(ctx: &Context<'c>) -> &'c Arc<Photos> {
    ctx.data_unchecked::<Arc<Photos>>()
}

fn caller<'c>(ctx: &Context<'c>) -> &'c Caller {
    ctx.data_unchecked::<Caller>()
}

fn loaders(ctx: &Context<'_>) -> Arc<Loaders> {
    Loaders::new(photos(ctx), caller(ctx))
}
