//! `next`: the next integers of a counter of the caller's.

use std::sync::Arc;

use crate::caller::{Caller, Scope};
use crate::counters::counter::Key;
use crate::counters::order::{Order, Refusal};
use crate::counters::{Counters, counter};
use crate::error::Error;

/// Integers taken at once, at most.
pub const MAX_COUNT: u32 = 1_000_000;

/// The integers that `next` took: from the first to the last in the counter's steps, nobody else's among them.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The smallest.
    pub first: i64,
    /// The greatest.
    pub last: i64,
    /// The counter right after.
    pub counter: counter::Model,
}

impl Counters {
    /// Takes `count` integers of the caller's counter of this name, by default the default one: all of them or none.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `COUNTERS_NEXT` on it;
    /// [`Error::NotFound`]; [`Error::BadInput`] for a count that is not from 1 to [`MAX_COUNT`];
    /// [`Error::CounterExhausted`]; [`Error::Unavailable`] when too many writes wait: nothing was taken.
    /// [`Error::Internal`] may leave the integers taken.
    pub async fn next(&self, caller: &Caller, counter: Option<&str>, count: u32) -> Result<Taken, Error> {
        let owner = caller.require_on(Scope::CountersNext, counter.unwrap_or(&self.default))?;
        if !(1..=MAX_COUNT).contains(&count) {
            return Err(Error::BadInput(format!("count must be from 1 to {MAX_COUNT}.")));
        }
        let key = match counter {
            Some(name) => Key::of(owner, name).ok_or(Error::NotFound("counter"))?,
            None => Key { owner, name: Arc::clone(&self.default) },
        };
        let outcome = self.group_commit.order(key, Order::Take { count }).await;
        let outcome = outcome.map_err(|refusal| match refusal {
            Refusal::NotFound => Error::NotFound("counter"),
            Refusal::Exhausted { max } => Error::CounterExhausted { max },
            Refusal::Failed(error) => error,
            other => Error::internal(anyhow::anyhow!("next was refused with {other:?}")),
        })?;
        let first = outcome.previous.saturating_add(outcome.counter.step.into());
        Ok(Taken { first, last: outcome.counter.current, counter: outcome.counter })
    }
}
