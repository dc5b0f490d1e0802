//! `next`: the next integer of the caller's counter.

use std::sync::Arc;

use crate::caller::{Caller, Scope};
use crate::counters::counter::Key;
use crate::counters::order::{Order, Refusal};
use crate::counters::{Counters, counter};
use crate::error::Error;

impl Counters {
    /// Takes the next integer of the caller's default counter, and returns the counter as it was then.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::CounterExhausted`]; [`Error::Unavailable`] when too many writes
    /// wait: nothing was taken. [`Error::Internal`] may leave the integer taken.
    pub async fn next(&self, caller: &Caller) -> Result<counter::Model, Error> {
        let owner = caller.require_on(Scope::CountersNext, &self.default)?;
        let key = Key { owner, name: Arc::clone(&self.default) };
        let outcome = self.group_commit.order(key, Order::Next).await;
        outcome.map(|outcome| outcome.counter).map_err(|refusal| match refusal {
            Refusal::NotFound => Error::NotFound("counter"),
            Refusal::Exhausted { max } => Error::CounterExhausted { max },
            Refusal::Failed(error) => error,
            other => Error::internal(anyhow::anyhow!("next was refused with {other:?}")),
        })
    }
}
