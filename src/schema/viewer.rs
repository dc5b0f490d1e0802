//! `viewer`: what the caller sees of their own, across the slices.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use crate::accounts::graphql::{AccountEventConnection, Role, Session, User};
use crate::accounts::{Accounts, user};
use crate::caller::Caller;
use crate::counters::graphql::{Counter, CounterConnection};
use crate::counters::{self, Counters};
use crate::error::Error;
use crate::id::{UserId, ViewerId};
use crate::page::{Arguments, Order, Window};
use crate::photos::graphql::{PhotoConnection, PhotoState, StorageUse};
use crate::photos::{self, Owned, Photos};
use crate::scalars::DateTime;
use crate::schema::api_key::ApiKey;
use crate::schema::loaders::Loaders;

/// What the signed-in caller sees of their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Viewer(pub(super) UserId);

/// What the signed-in caller sees of their own. An API key sees what its scopes allow: the account's fields need
/// ACCOUNT_READ and end in FORBIDDEN without it.
#[Object]
impl Viewer {
    /// Global id. It differs from `user { id }`, so that a cache that is keyed by id keeps the two
    /// apart. `node` returns the viewer for it.
    pub(super) async fn id(&self) -> ID {
        ViewerId::from(self.0.uuid()).into()
    }
    /// The caller.
    async fn user(&self, ctx: &Context<'_>) -> Result<User, Error> {
        Ok(me(ctx).await?.into())
    }
    /// When the caller's e-mail address was confirmed; null if it was not, or there is none.
    async fn email_verified_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime, Error>> {
        me(ctx).await.map(|user| user.email_verified_at.map(DateTime::from)).transpose()
    }
    /// What the caller may do.
    async fn role(&self, ctx: &Context<'_>) -> Result<Role, Error> {
        Ok(me(ctx).await?.role.into())
    }
    /// The session that the access token belongs to; null for an API key.
    async fn session(&self, ctx: &Context<'_>) -> Option<Result<Session, Error>> {
        let (accounts, caller) = asked(ctx);
        let id = caller.own_session()?;
        accounts.find_session(caller, id).await.map(|session| session.map(Session)).transpose()
    }
    /// The caller's sessions that have not ended, the newest first. At most 100, or as many as `accounts.max_sessions`
    /// allows: a login beyond them ends the oldest one.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>, Error> {
        let (accounts, caller) = asked(ctx);
        Ok(accounts.list_sessions(caller).await?.into_iter().map(Session).collect())
    }
    /// The caller's API keys that have not expired, the newest first. At most 50, or as many as `accounts.max_api_keys`
    /// allows.
    async fn api_keys(&self, ctx: &Context<'_>) -> Result<Vec<ApiKey>, Error> {
        let (accounts, caller) = asked(ctx);
        Ok(accounts.list_api_keys(caller).await?.into_iter().map(ApiKey).collect())
    }
    /// The account's audit log, the newest first. BAD_USER_INPUT for a page of more than 100 or a cursor that is none.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 if neither is given.")] first: Option<i32>,
        #[graphql(desc = "Cursor that the page starts after; empty for the start of the list.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Cursor that the page ends before; empty for the end of the list.")] before: Option<String>,
    ) -> Result<AccountEventConnection, Error> {
        let (accounts, caller) = asked(ctx);
        let window = Window::of(AccountEventConnection::LIST, Arguments { first, after, last, before })?;
        Ok(accounts.list_events(caller, &window).await?.into())
    }
    /// The caller's counters, by name. BAD_USER_INPUT for a page of more than 100 or a cursor that is none.
    async fn counters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the beginning, at most 100; 20 if neither is given.")] first: Option<i32>,
        #[graphql(desc = "Cursor that the page starts after; empty for the start of the list.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Cursor that the page ends before; empty for the end of the list.")] before: Option<String>,
    ) -> Result<CounterConnection, Error> {
        let (counters, caller) = (ctx.data_unchecked::<Arc<Counters>>(), ctx.data_unchecked::<Caller>());
        let window = Window::of(CounterConnection::LIST, Arguments { first, after, last, before })?;
        let page = counters.list(caller, &window).await?;
        Ok(CounterConnection::new(page, Arc::clone(counters)))
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
    /// Own photos, drafts included, by the date of their upload; `state: DRAFT` lists the drafts. FORBIDDEN for an API key
    /// without PHOTOS_READ, BAD_USER_INPUT for a page of more than 100, more than 10 tags or a cursor that is none.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only in this state.")] state: Option<PhotoState>,
        #[graphql(desc = "Only with all of these tags, at most 10, with or without #; case does not matter.")]
        tags: Option<Vec<String>>,
        #[graphql(desc = "Which come first.", default_with = "Order::Desc")] order: Order,
        #[graphql(desc = "How many from the beginning, at most 100; 20 if neither is given.")] first: Option<i32>,
        #[graphql(desc = "Cursor that the page starts after; empty for the start of the list.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Cursor that the page ends before; empty for the end of the list.")] before: Option<String>,
    ) -> Result<PhotoConnection, Error> {
        let (photos, caller) = (ctx.data_unchecked::<Arc<Photos>>(), ctx.data_unchecked::<Caller>());
        let window = Window::of(PhotoConnection::OWN, Arguments { first, after, last, before })?;
        let published = state.map(|state| state == PhotoState::Published);
        let which = Owned { published, tags: tags.unwrap_or_default() };
        let page = photos.list_own(caller, &which, order, &window).await?;
        Ok(PhotoConnection::own(page, which, &photos::loader::Loaders::new(photos, caller)))
    }
    /// What the caller has stored, and may store. FORBIDDEN for an API key without PHOTOS_READ.
    async fn storage(&self, ctx: &Context<'_>) -> Result<StorageUse, Error> {
        let (photos, caller) = (ctx.data_unchecked::<Arc<Photos>>(), ctx.data_unchecked::<Caller>());
        Ok(photos.storage(caller).await?.into())
    }
}

/// The caller's own row: one statement, however many fields ask.
async fn me(ctx: &Context<'_>) -> Result<user::Model, Error> {
    let (loaders, caller) = (ctx.data_unchecked::<Loaders>(), ctx.data_unchecked::<Caller>());
    loaders.users().load_one(caller.user()?).await?.ok_or(Error::Unauthenticated)
}

fn asked<'c>(ctx: &Context<'c>) -> (&'c Accounts, &'c Caller) {
    (ctx.data_unchecked::<Arc<Accounts>>(), ctx.data_unchecked::<Caller>())
}

/// The query for the viewer.
#[derive(Default)]
pub(super) struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// What the caller sees of their own. Null when nobody is signed in. UNAUTHENTICATED for a rejected credential.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Viewer, Error>> {
        match ctx.data_unchecked::<Caller>().user() {
            Ok(id) => Some(Ok(Viewer(id))),
            Err(Error::Unauthenticated) => None,
            // Null would tell a client with an expired token that it is signed out.
            Err(error) => Some(Err(error)),
        }
    }
}
