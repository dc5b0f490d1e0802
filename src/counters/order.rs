//! One write of a counter, and what it does to the counter's row: the sequential model of the slice.

use chrono::{DateTime, Utc};

use crate::counters::counter;
use crate::error::Error;

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Take so many integers, in one unbroken range.
    Take { count: u32 },
    /// Replace the current integer, if it is still `if_current`.
    Set { current: i64, if_current: Option<i64> },
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The integer before.
    pub(super) previous: i64,
    /// The counter after.
    pub(super) counter: counter::Model,
    /// Whether it is the answer to an earlier order under the same idempotency key.
    pub(super) replayed: bool,
}

/// Why nothing was done, or nothing is known to have been done.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// There is no such counter.
    NotFound,
    /// Taking would go past `max`.
    Exhausted { max: i64 },
    /// Another integer cannot be set: it is not from 0 to `max`.
    OutOfRange { max: i64 },
    /// `current` is not the expected one any more.
    Changed { current: i64 },
    /// The idempotency key was used for another order.
    KeyReused,
    /// The user has as many idempotency records as one may have.
    TooManyRecords { max: i64 },
    /// The batch failed as a whole.
    Failed(Error),
}

impl Order {
    /// By how many steps the counter goes on, if it takes anything.
    pub(super) fn steps(self) -> i64 {
        match self {
            Self::Take { count } => count.into(),
            Self::Set { .. } => 0,
        }
    }

    /// Does it to `counter`, or leaves it untouched.
    pub(super) fn apply(self, counter: &mut counter::Model, now: DateTime<Utc>) -> Result<Outcome, Refusal> {
        let previous = counter.current;
        let current = match self {
            Self::Take { count } => {
                let next = previous.checked_add(self.steps().saturating_mul(counter.step.into()));
                let next = next.filter(|next| count > 0 && *next <= counter.max);
                next.ok_or(Refusal::Exhausted { max: counter.max })?
            }
            Self::Set { if_current: Some(expected), .. } if expected != previous => {
                return Err(Refusal::Changed { current: previous });
            }
            Self::Set { current, .. } if !(0..=counter.max).contains(&current) => {
                return Err(Refusal::OutOfRange { max: counter.max });
            }
            Self::Set { current, .. } => current,
        };
        counter.current = current;
        counter.updated_at = now;
        Ok(Outcome { previous, counter: counter.clone(), replayed: false })
    }
}
