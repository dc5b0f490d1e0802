//! The numbers a server has handed out, and whether they are right.
//!
//! **Invariants** checked after every round, for every user: no number repeated, none missing since the round
//! before, and none handed out to a request that was sent after a larger number had been answered.

use anyhow::{bail, ensure};

use crate::load::Taken;

pub(crate) struct Ledger {
    /// The last number of each user.
    last: Vec<u64>,
}

impl Ledger {
    pub(crate) fn new(users: usize) -> Self {
        Self { last: vec![0; users] }
    }

    /// Enters one round, or says what is wrong with it.
    pub(crate) fn enter(&mut self, taken: &mut [Taken]) -> anyhow::Result<()> {
        taken.sort_unstable_by_key(|taken| (taken.user, taken.value));
        for Taken { user, value, .. } in &*taken {
            let Some(last) = self.last.get_mut(*user) else { bail!("user {user} is not in the ledger") };
            ensure!(*value > *last, "user {user} was given {value} twice, or again after {last}");
            ensure!(*value == *last + 1, "user {user} was given {value} after {last}: what is between is lost");
            *last = *value;
        }
        in_order(taken)
    }
}

/// Linearizable: walking down from a user's largest number, none was asked for after a larger one was known.
fn in_order(sorted: &[Taken]) -> anyhow::Result<()> {
    let mut larger: Option<(usize, u32)> = None;
    for taken in sorted.iter().rev() {
        let Taken { user, value, sent, answered } = *taken;
        let known_since = match larger {
            Some((same, since)) if same == user => since,
            _ => u32::MAX,
        };
        ensure!(sent <= known_since, "user {user} was given {value} though a larger number was already known");
        larger = Some((user, known_since.min(answered)));
    }
    Ok(())
}
