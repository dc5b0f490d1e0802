//! The counters' part of the schema.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::caller::Caller;
use crate::counters::{self, Counters, Replaced, counter};
use crate::error::{Error, UserError};
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

/// What `next` did.
#[derive(SimpleObject)]
pub struct NextPayload {
    /// The integer taken.
    value: SafeInt,
    /// The counter as it was right after.
    counter: Counter,
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
}

/// What `setCurrent` did.
#[derive(SimpleObject, Default)]
pub struct SetCurrentPayload {
    /// The integer that was replaced. Null when there are user errors.
    previous: Option<SafeInt>,
    /// The counter as it was right after. Null when there are user errors.
    counter: Option<Counter>,
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
    ) -> Result<SafeInt, Error> {
        Ok(counters(ctx).current(caller(ctx), &counter).await?.into())
    }
}

/// Mutations of counters.
#[derive(Default)]
pub struct CountersMutation;

#[Object]
impl CountersMutation {
    /// Takes the next integer of the caller's counter: unique, without gaps, and on disk before it is answered.
    /// UNAUTHENTICATED when nobody is signed in, COUNTER_EXHAUSTED at the counter's `max`, UNAVAILABLE when too
    /// many writes wait: in each case nothing was taken.
    async fn next(&self, ctx: &Context<'_>) -> Result<NextPayload, Error> {
        let counter = counters(ctx).next(caller(ctx)).await?;
        Ok(NextPayload { value: counter.current.into(), counter: Counter(counter) })
    }

    /// Replaces the current integer: the next `next` goes on from there. User errors: INVALID, NOT_FOUND,
    /// CONFLICT. UNAUTHENTICATED when nobody is signed in, UNAVAILABLE when too many writes wait.
    async fn set_current(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to set.")] input: SetCurrentInput,
    ) -> Result<SetCurrentPayload, Error> {
        let input = counters::SetCurrent {
            current: input.current.get(),
            counter: input.counter,
            if_current: input.if_current.map(SafeInt::get),
        };
        Ok(match Error::user_errors(counters(ctx).set_current(caller(ctx), input).await)? {
            Ok(Replaced { previous, counter }) => SetCurrentPayload {
                previous: Some(previous.into()),
                counter: Some(Counter(counter)),
                user_errors: Vec::new(),
            },
            Err(user_errors) => SetCurrentPayload { user_errors, ..SetCurrentPayload::default() },
        })
    }
}

fn counters<'c>(ctx: &Context<'c>) -> &'c Counters {
    ctx.data_unchecked::<Arc<Counters>>()
}

fn caller<'c>(ctx: &Context<'c>) -> &'c Caller {
    ctx.data_unchecked::<Caller>()
}
