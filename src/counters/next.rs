//! `next`: the next integers of a counter of the caller's.

use std::sync::Arc;

use crate::accounts::idempotency;
use crate::caller::{Caller, Scope};
use crate::counters::counter::Key;
use crate::counters::order::{Order, Outcome, Refusal};
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
    /// Whether an idempotency key brought back an earlier answer.
    pub replayed: bool,
}

/// Which integers to take.
#[derive(Clone, Debug)]
pub struct Next<'n> {
    /// The counter's name; the default one if it is left out.
    pub counter: Option<&'n str>,
    /// How many.
    pub count: u32,
    /// Under which key it is done once.
    pub idempotency_key: Option<Arc<str>>,
}

impl Counters {
    /// Takes integers of a counter of the caller's: all of them or none. Under an idempotency key the same order is done
    /// once in [`idempotency::RETENTION_HOURS`], and gets the same answer each time.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `COUNTERS_NEXT` on it;
    /// [`Error::NotFound`]; [`Error::BadInput`] for a count that is not from 1 to [`MAX_COUNT`], or what is no key;
    /// [`Error::Conflict`] for a key that was used for another order; [`Error::TooManyRecords`] for a new key beyond
    /// `counters.max_idempotency_records`; [`Error::CounterExhausted`]; [`Error::Unavailable`] when too many writes wait: nothing was taken. [`Error::Internal`] may leave the integers
    /// taken.
    pub async fn next(&self, caller: &Caller, input: Next<'_>) -> Result<Taken, Error> {
        let Next { counter, count, idempotency_key } = input;
        let owner = caller.require_on(Scope::CountersNext, counter.unwrap_or(&self.default))?;
        if !(1..=MAX_COUNT).contains(&count) {
            return Err(Error::BadInput(format!("count must be from 1 to {MAX_COUNT}.")));
        }
        let key = match counter {
            Some(name) => Key::of(owner, name).ok_or(Error::NotFound("counter"))?,
            None => Key { owner, name: Arc::clone(&self.default) },
        };
        idempotency_key.as_deref().map_or(Ok(()), idempotency::check_key)?;
        let outcome = self.group_commit.order(key, Order::Take { count }, idempotency_key).await;
        let outcome = outcome.map_err(|refusal| match refusal {
            Refusal::NotFound => Error::NotFound("counter"),
            Refusal::Exhausted { max } => Error::CounterExhausted { max },
            Refusal::KeyReused => idempotency::conflict(),
            Refusal::TooManyRecords { max } => idempotency::too_many(max),
            Refusal::Failed(error) => error,
            other => Error::internal(anyhow::anyhow!("next was refused with {other:?}")),
        })?;
        let first = outcome.previous.saturating_add(outcome.counter.step.into());
        let Outcome { counter, replayed, .. } = outcome;
        Ok(Taken { first, last: counter.current, counter, replayed })
    }
}
