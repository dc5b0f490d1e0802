//! A counter that does one order after the other: what the group commit, and any number of servers, must look like from
//! outside. Also read by the fuzz target (`fuzz/`) and by the check of linearizability.

use std::collections::BTreeMap;

/// How long an answer is kept under its idempotency key.
pub const KEPT_SECONDS: i64 = 24 * 3600;
pub const GREATEST: i64 = (1 << 53) - 1;

/// What a caller asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    Take { count: u32 },
    Set { to: i64, if_current: Option<i64> },
    Show,
}

/// What a caller asks, and under which idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    pub asked: Asked,
    pub key: Option<String>,
}

/// What a caller hears.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Heard {
    /// A range, and whether it was taken before, under the same key.
    Took { first: i64, last: i64, replayed: bool },
    /// The integer that was replaced, and the one in its place. A replay does not say that it is one.
    Set { previous: i64, to: i64 },
    /// The current integer.
    Shown(i64),
    /// There is no such counter.
    NotFound,
    /// It would go past the upper bound.
    Exhausted,
    /// The expected integer was not this one, which is the current one.
    Changed(i64),
    /// It cannot be set to that.
    OutOfRange,
    /// The key was used for another order.
    KeyReused,
    /// Not now: nothing was done.
    Unavailable,
}

impl Heard {
    /// From the message of a `setCurrent` that expected another integer.
    pub fn changed(message: &str) -> Self {
        let integer =
            message.strip_prefix("The current integer is ").and_then(|end| end.strip_suffix('.')?.parse().ok());
        Self::Changed(integer.unwrap_or_else(|| panic!("no integer in {message}")))
    }
}

/// An answer kept under a key: when, to what, and what.
type Kept = (i64, Asked, Heard);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Counter {
    pub current: i64,
    step: i64,
    max: i64,
    keys: BTreeMap<String, Kept>,
}

impl Counter {
    pub fn new(current: i64, step: i64, max: i64) -> Self {
        Self { current, step, max, keys: BTreeMap::new() }
    }

    /// Does this order at `now`, in seconds.
    pub fn apply(&mut self, order: &Order, now: i64) -> Heard {
        let known = order.key.as_ref().and_then(|key| self.keys.get(key));
        if let Some((_, asked, heard)) = known.filter(|(at, ..)| now - at < KEPT_SECONDS) {
            return if *asked == order.asked { again(heard) } else { Heard::KeyReused };
        }
        let previous = self.current;
        let heard = match order.asked {
            Asked::Show => return Heard::Shown(previous),
            Asked::Take { count } => {
                let last = previous + i64::from(count) * self.step;
                if last > self.max {
                    return Heard::Exhausted;
                }
                self.current = last;
                Heard::Took { first: previous + self.step, last, replayed: false }
            }
            Asked::Set { if_current: Some(expected), .. } if expected != previous => return Heard::Changed(previous),
            Asked::Set { to, .. } if !(0..=self.max).contains(&to) => return Heard::OutOfRange,
            Asked::Set { to, .. } => {
                self.current = to;
                Heard::Set { previous, to }
            }
        };
        if let Some(key) = &order.key {
            self.keys.insert(key.clone(), (now, order.asked.clone(), heard.clone()));
        }
        heard
    }
}

fn again(heard: &Heard) -> Heard {
    match heard {
        Heard::Took { first, last, .. } => Heard::Took { first: *first, last: *last, replayed: true },
        other => other.clone(),
    }
}
