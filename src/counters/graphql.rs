//! The counters' part of the schema.

use std::sync::Arc;

use async_graphql::connection::{Connection, Edge, EmptyFields, PageInfo};
use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Subscription};
use futures_util::{Stream, StreamExt as _};

use crate::caller::Caller;
use crate::counters::{self, Counters, Created, Replaced, Taken, counter};
use crate::error::{Error, UserError};
use crate::page::{self, Page, page_info};
use crate::payload::payload;
use crate::scalars::{DateTime, SafeInt};

/// A counter of the caller's.
#[derive(Clone, Debug)]
pub struct Counter(pub counter::Model);

/// A counter of the caller's.
#[Object]
impl Counter {
    /// Global id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }
    /// Unique among its owner's counters.
    async fn name(&self) -> &str {
        &self.0.name
    }
    /// The last integer taken or set; 0 at first.
    async fn current(&self) -> SafeInt {
        self.0.current.into()
    }
    /// What `next` adds.
    async fn step(&self) -> i32 {
        self.0.step
    }
    /// `next` never goes past it.
    async fn max(&self) -> SafeInt {
        self.0.max.into()
    }
    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
    /// When `current` last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}

/// A page of the caller's counters.
pub struct CounterConnection {
    page: Connection<String, Counter>,
    counters: Arc<Counters>,
}

impl CounterConnection {
    /// What its cursors say that they are of.
    pub const LIST: &'static str = "counters";

    /// This page of these counters.
    #[must_use]
    pub fn new(page: Page<counter::Model>, counters: Arc<Counters>) -> Self {
        Self { page: page.connection(|row| (page::cursor(Self::LIST, &row.name), Counter(row))), counters }
    }
}

/// A page of the caller's counters.
#[Object]
impl CounterConnection {
    /// The counters, each with its cursor.
    async fn edges(&self) -> &[Edge<String, Counter, EmptyFields>] {
        &self.page.edges
    }
    /// The counters.
    async fn nodes(&self) -> Vec<&Counter> {
        self.page.edges.iter().map(|edge| &edge.node).collect()
    }
    /// Where the page is in the list.
    async fn page_info(&self) -> PageInfo {
        page_info(&self.page)
    }
    /// How many counters the whole list has. It costs a count: ask only when it is shown.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<u64, Error> {
        self.counters.count(caller(ctx)).await
    }
}

/// Which integers to take.
#[derive(InputObject)]
pub struct NextInput {
    /// The counter's name.
    #[graphql(default_with = "counters::DEFAULT.to_owned()")]
    counter: String,
    /// How many integers to take at once, from 1 to 1,000,000: one unbroken range.
    #[graphql(default = 1)]
    count: i32,
    /// A retry with the same key gets the first answer again, and takes nothing: 1 to 128 printable ASCII characters,
    /// remembered for 24 hours for this counter. The same key with another count ends in CONFLICT. In its place the
    /// header Idempotency-Key can be sent with a request for a single field.
    idempotency_key: Option<String>,
}

/// What `next` did.
#[derive(SimpleObject)]
pub struct NextPayload {
    /// The integer taken; with a count above 1, the last of the range.
    value: SafeInt,
    /// The first integer of the range.
    first: SafeInt,
    /// The last integer of the range.
    last: SafeInt,
    /// True when an idempotency key brought back an earlier answer.
    replayed: bool,
    /// The counter as it was right after.
    counter: Counter,
}

impl From<Taken> for NextPayload {
    fn from(Taken { first, last, counter, replayed }: Taken) -> Self {
        Self { value: last.into(), first: first.into(), last: last.into(), replayed, counter: Counter(counter) }
    }
}

/// What to set.
#[derive(InputObject)]
pub struct SetCurrentInput {
    /// The new integer, from 0 to the counter's `max`.
    current: SafeInt,
    /// The counter's name.
    #[graphql(default_with = "counters::DEFAULT.to_owned()")]
    counter: String,
    /// Set only if the current integer is still this one; otherwise a CONFLICT user error.
    if_current: Option<SafeInt>,
    /// A retry with the same key gets the first answer again, and sets nothing; as for `next`.
    idempotency_key: Option<String>,
}

/// What `setCurrent` did.
#[derive(SimpleObject)]
pub struct SetCurrentPayload {
    /// The integer that was replaced. Null when there are user errors.
    previous: Option<SafeInt>,
    /// The counter as it was right after. Null when there are user errors.
    counter: Option<Counter>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// A counter to make.
#[derive(InputObject)]
pub struct CreateCounterInput {
    /// 1 to 128 ASCII letters, digits, dots, underscores, colons and dashes; unique among the caller's counters.
    name: String,
    /// What it shows at first, from 0: the first `next` gives one step more.
    #[graphql(default_with = "SafeInt::from(0)")]
    start: SafeInt,
    /// What `next` adds, from 1 to 1,000,000.
    #[graphql(default = 1)]
    step: i32,
    /// What `next` never goes past; the greatest SafeInt if it is left out.
    max: Option<SafeInt>,
    /// Idempotency key: a retry with the same key and the same input returns the first result again, for 24 hours. 1 to
    /// 128 printable ASCII characters. The same key with another input ends in CONFLICT. The header Idempotency-Key does
    /// the same for a request for a single field.
    idempotency_key: Option<String>,
}

/// What `createCounter` did.
#[derive(SimpleObject)]
pub struct CreateCounterPayload {
    /// The new counter. Null when there are user errors.
    counter: Option<Counter>,
    /// True if an idempotency key brought back an earlier result.
    replayed: bool,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Which counter to delete.
#[derive(InputObject)]
pub struct DeleteCounterInput {
    /// The counter's name.
    name: String,
}

/// What `deleteCounter` did.
#[derive(SimpleObject)]
pub struct DeleteCounterPayload {
    /// The id of the counter that is gone. Null when there are user errors.
    deleted_counter_id: Option<ID>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Queries about counters.
#[derive(Default)]
pub struct CountersQuery;

#[Object]
impl CountersQuery {
    /// The current integer of a counter of the caller's: with everything that was acknowledged before.
    /// UNAUTHENTICATED when nobody is signed in, NOT_FOUND when the caller has no such counter.
    async fn current(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The counter's name.", default_with = "counters::DEFAULT.to_owned()")] counter: String,
    ) -> Option<Result<SafeInt, Error>> {
        Some(counters(ctx).current(caller(ctx), &counter).await.map(SafeInt::from))
    }
}

/// Mutations of counters.
#[derive(Default)]
pub struct CountersMutation;

#[Object]
impl CountersMutation {
    /// Takes the next integer of a counter of the caller's, or a range of them: unique, without gaps, and on disk before
    /// it is answered. UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an API key without COUNTERS_NEXT or
    /// for another counter, NOT_FOUND, BAD_USER_INPUT for the count or the idempotency key, CONFLICT for a key that was
    /// used otherwise, RATE_LIMITED for a new key of a user who has too many, COUNTER_EXHAUSTED when the whole range would
    /// not fit below the counter's `max`, UNAVAILABLE when
    /// too many writes wait: in each case nothing was taken. UNAVAILABLE without a retry time when the request took too
    /// long: then the integers may have been taken, and a retry with the same idempotency key gets them.
    async fn next(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which integers to take; by default one of the default counter.")] input: Option<NextInput>,
    ) -> Option<Result<NextPayload, Error>> {
        let (counter, count, key) = match input {
            Some(input) => (Some(input.counter), input.count, input.idempotency_key),
            None => (None, 1, None),
        };
        // What is below 0 is as wrong as 0.
        let count = u32::try_from(count).unwrap_or(0);
        let idempotency_key = caller(ctx).idempotency_key_or(key);
        let input = counters::Next { counter: counter.as_deref(), count, idempotency_key };
        Some(counters(ctx).next(caller(ctx), input).await.map(NextPayload::from))
    }

    /// Makes a counter of the caller's. User errors: REQUIRED, INVALID, TOO_LONG, TAKEN, LIMIT_REACHED. UNAUTHENTICATED
    /// when nobody is signed in, FORBIDDEN for an API key without COUNTERS_WRITE, BAD_USER_INPUT for the idempotency key,
    /// CONFLICT for a key that was used with another input, RATE_LIMITED for a new key of a user who has too many.
    async fn create_counter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A counter to make.")] input: CreateCounterInput,
    ) -> Option<Result<CreateCounterPayload, Error>> {
        let input = counters::CreateCounter {
            name: input.name,
            start: input.start.get(),
            step: input.step,
            max: input.max.map(SafeInt::get),
            idempotency_key: caller(ctx).idempotency_key_or(input.idempotency_key),
        };
        let created = Box::pin(counters(ctx).create(caller(ctx), input));
        let build = |created: Option<Created>, user_errors| {
            let replayed = created.as_ref().is_some_and(|created| created.replayed);
            CreateCounterPayload { counter: created.map(|created| Counter(created.counter)), replayed, user_errors }
        };
        payload(created, build).await
    }

    /// Deletes a counter of the caller's with its integer, and the API keys that were limited to it. User errors:
    /// NOT_FOUND, CONFLICT for the counter named `default`. UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an
    /// API key without COUNTERS_WRITE.
    async fn delete_counter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which counter to delete.")] input: DeleteCounterInput,
    ) -> Option<Result<DeleteCounterPayload, Error>> {
        let deleted = counters(ctx).delete(caller(ctx), &input.name);
        let build =
            |id: Option<_>, user_errors| DeleteCounterPayload { deleted_counter_id: id.map(ID::from), user_errors };
        payload(deleted, build).await
    }

    /// Replaces the current integer: the next `next` goes on from there. User errors: INVALID, NOT_FOUND,
    /// CONFLICT. UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an API key without COUNTERS_WRITE or for
    /// another counter, BAD_USER_INPUT for the idempotency key, CONFLICT for one that was used otherwise, RATE_LIMITED
    /// for a new key of a user who has too many, UNAVAILABLE
    /// when too many writes wait: in each case nothing was set. UNAVAILABLE without a retry time when the request took
    /// too long: then it may have been set, and a retry with the same idempotency key gets the answer.
    async fn set_current(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to set.")] input: SetCurrentInput,
    ) -> Option<Result<SetCurrentPayload, Error>> {
        let input = counters::SetCurrent {
            current: input.current.get(),
            counter: input.counter,
            if_current: input.if_current.map(SafeInt::get),
            idempotency_key: caller(ctx).idempotency_key_or(input.idempotency_key),
        };
        let build = |replaced: Option<Replaced>, user_errors| {
            let parts = replaced.map(|Replaced { previous, counter }| (previous.into(), Counter(counter)));
            let (previous, counter) = parts.unzip();
            SetCurrentPayload { previous, counter, user_errors }
        };
        payload(counters(ctx).set_current(caller(ctx), input), build).await
    }
}

/// What can be listened to of counters.
#[derive(Default)]
pub struct CountersSubscription;

#[Subscription]
impl CountersSubscription {
    /// The caller's counter of this name: its present state first, then an event for every change of
    /// `current`. A slow client receives the newest state and no backlog. UNAUTHENTICATED if nobody is
    /// signed in. FORBIDDEN for an API key without COUNTERS_READ or for another counter. NOT_FOUND if
    /// the caller has no such counter, or it is deleted.
    async fn counter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The counter's name.", default_with = "counters::DEFAULT.to_owned()")] name: String,
    ) -> Result<impl Stream<Item = Result<Counter, Error>>, Error> {
        let counter = counters(ctx).watch(caller(ctx), &name).await?;
        Ok(counter.map(|counter| counter.map(|counter| Counter(Arc::unwrap_or_clone(counter)))))
    }

    /// Shorthand for `counter { current }`: the present integer first, then every change of it. Ends
    /// with the same errors.
    async fn current(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The counter's name.", default_with = "counters::DEFAULT.to_owned()")] counter: String,
    ) -> Result<impl Stream<Item = Result<SafeInt, Error>>, Error> {
        let counter = counters(ctx).watch(caller(ctx), &counter).await?;
        Ok(counter.map(|counter| counter.map(|counter| counter.current.into())))
    }
}

fn counters<'c>(ctx: &Context<'c>) -> &'c Counters {
    ctx.data_unchecked::<Arc<Counters>>()
}

fn caller<'c>(ctx: &Context<'c>) -> &'c Caller {
    ctx.data_unchecked::<Caller>()
}
