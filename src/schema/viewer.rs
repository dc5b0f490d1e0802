//! `viewer`: what the caller sees of their own, across the slices.

use std::sync::Arc;

use async_graphql::{Context, Object};

use crate::accounts::graphql::{Role, User};
use crate::accounts::user;
use crate::caller::Caller;
use crate::counters::graphql::Counter;
use crate::counters::{self, Counters};
use crate::error::Error;
use crate::schema::loaders::Loaders;

/// What the signed-in caller sees of their own.
pub(super) struct Viewer {
    user: user::Model,
}

/// What the signed-in caller sees of their own.
#[Object]
impl Viewer {
    /// The caller.
    async fn user(&self) -> User {
        self.user.clone().into()
    }
    /// What the caller may do.
    async fn role(&self) -> Role {
        self.user.role.into()
    }
    /// The caller's counter of this name; null when there is none.
    async fn counter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The counter's name.", default_with = "counters::DEFAULT.to_owned()")] name: String,
    ) -> Option<Result<Counter, Error>> {
        let (counters, caller) = (ctx.data_unchecked::<Arc<Counters>>(), ctx.data_unchecked::<Caller>());
        counters.find(caller, &name).await.map(|counter| counter.map(Counter)).transpose()
    }
}

/// The query for the viewer.
#[derive(Default)]
pub(super) struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// What the caller sees of their own. Null when nobody is signed in.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Viewer, Error>> {
        let id = ctx.data_unchecked::<Caller>().user().ok()?;
        let user = ctx.data_unchecked::<Loaders>().users().load_one(id).await.transpose()?;
        Some(user.map(|user| Viewer { user }))
    }
}
