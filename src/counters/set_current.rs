//! `setCurrent`: another integer in place of the current one, in the same order as `next`.

use std::sync::Arc;

use crate::accounts::{account_event, idempotency};
use crate::caller::{Caller, Scope};
use crate::counters::counter::Key;
use crate::counters::order::{Order, Refusal};
use crate::counters::{Counters, counter};
use crate::error::{Error, UserError, UserErrorCode};

/// What to set.
#[derive(Clone, Debug)]
pub struct SetCurrent {
    /// The new integer.
    pub current: i64,
    /// The counter's name.
    pub counter: String,
    /// Set only if the current integer is still this one.
    pub if_current: Option<i64>,
    /// Under which key it is done once.
    pub idempotency_key: Option<Arc<str>>,
}

/// What `setCurrent` did.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// The integer that was replaced.
    pub previous: i64,
    /// The counter after it.
    pub counter: counter::Model,
}

impl Counters {
    /// Replaces the current integer of the caller's counter.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `COUNTERS_WRITE` on it; [`Error::Invalid`]
    /// with `INVALID` for an integer out of range, `NOT_FOUND`, or `CONFLICT` when `if_current` no longer holds;
    /// [`Error::BadInput`] for what is no key; [`Error::Conflict`] for a key that was used for another order;
    /// [`Error::TooManyRecords`] as for [`Counters::next`]; [`Error::Unavailable`] when too many writes wait.
    pub async fn set_current(&self, caller: &Caller, input: SetCurrent) -> Result<Replaced, Error> {
        let order = Order::Set { current: input.current, if_current: input.if_current };
        let owner = caller.require_on(Scope::CountersWrite, &input.counter)?;
        input.idempotency_key.as_deref().map_or(Ok(()), idempotency::check_key)?;
        let outcome = match Key::of(owner, &input.counter) {
            Some(key) => self.group_commit.order(key, order, input.idempotency_key).await,
            None => Err(Refusal::NotFound),
        };
        let outcome = outcome.map_err(|refusal| match refusal {
            Refusal::NotFound => UserError::of("counter", UserErrorCode::NotFound, "There is no such counter.").into(),
            Refusal::OutOfRange { max } => {
                let message = format!("The integer must be from 0 to {max}.");
                UserError::of("current", UserErrorCode::Invalid, message).into()
            }
            Refusal::Changed { current } => {
                let message = format!("The current integer is {current}.");
                UserError::of("ifCurrent", UserErrorCode::Conflict, message).into()
            }
            Refusal::KeyReused => idempotency::conflict(),
            Refusal::TooManyRecords { max } => idempotency::too_many(max),
            Refusal::Failed(error) => error,
            Refusal::Exhausted { .. } => Error::internal(anyhow::anyhow!("setCurrent cannot be exhausted")),
        })?;
        if !outcome.replayed {
            let event = self.accounts.event(caller, owner, account_event::Kind::CounterSet);
            self.accounts.note(event.about(format!("{} {}", outcome.counter.name, outcome.counter.current)));
        }
        Ok(Replaced { previous: outcome.previous, counter: outcome.counter })
    }
}
