//! The numbers a server has handed out, and whether they are right.
//!
//! **Invariants** checked after every round, for every user: no number repeated, none missing since the round
//! before, and none handed out to a request that was sent after a larger number had been answered.

use std::ops::RangeInclusive;

use anyhow::ensure;

/// The numbers of an answer.
pub(crate) type Numbers = RangeInclusive<u64>;

/// One answered request. Times count microseconds from the round's start.
pub(crate) struct Taken {
    pub(crate) user: usize,
    /// The first and the last of the numbers; mostly the same.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) sent: u32,
    pub(crate) answered: u32,
}

pub(crate) struct Ledger {
    /// The last number of each user.
    last: Vec<u64>,
}

/// What is wrong with some numbers.
#[derive(Default)]
pub(crate) struct Faults {
    /// Answers with a number that was handed out before.
    pub(crate) repeated: u64,
    /// Numbers that nobody got.
    pub(crate) lost: u64,
    /// Answers with a number below one that was known when they were asked for.
    pub(crate) late: u64,
    /// The first that was found.
    example: Option<String>,
}

impl Ledger {
    pub(crate) fn new(users: usize) -> Self {
        Self { last: vec![0; users] }
    }

    /// Enters one round. What is wrong with it is the answer, and counted from anew in the next round.
    pub(crate) fn enter(&mut self, taken: &mut [Taken]) -> anyhow::Result<Faults> {
        let mut faults = Faults::default();
        taken.sort_unstable_by_key(|taken| (taken.user, taken.last));
        for Taken { user, first, last, .. } in &*taken {
            ensure!(*user < self.last.len(), "user {user} is not in the ledger");
            let Some(before) = self.last.get_mut(*user) else { continue };
            if *first <= *before {
                faults.repeated += 1;
                faults.note(|| format!("user {user} was given {first} twice, or again after {before}"));
            } else if *first > *before + 1 {
                faults.lost += first - *before - 1;
                faults.note(|| format!("user {user} was given {first} after {before}: what is between is lost"));
            }
            *before = (*before).max(*last);
        }
        in_order(taken, &mut faults);
        Ok(faults)
    }
}

impl Faults {
    /// For tools that only count: so many numbers are missing where `expected` should have been taken.
    pub(crate) fn of_count(expected: u64, counted: u64) -> Self {
        let (lost, repeated) = (counted.saturating_sub(expected), expected.saturating_sub(counted));
        Self { repeated, lost, late: 0, example: None }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.repeated += other.repeated;
        self.lost += other.lost;
        self.late += other.late;
        self.example = self.example.take().or(other.example);
    }

    pub(crate) fn none(&self) -> bool {
        self.repeated + self.lost + self.late == 0
    }

    /// Of these nothing may be wrong.
    pub(crate) fn require_none(&self) -> anyhow::Result<()> {
        ensure!(self.none(), "{}", self.example.as_deref().unwrap_or("numbers were lost or repeated"));
        Ok(())
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        self.example.get_or_insert_with(what);
    }
}

/// Linearizable: walking down from a user's largest number, none was asked for after a larger one was known.
fn in_order(sorted: &[Taken], faults: &mut Faults) {
    let mut larger: Option<(usize, u32)> = None;
    for taken in sorted.iter().rev() {
        let Taken { user, last, sent, answered, .. } = *taken;
        let known_since = match larger {
            Some((same, since)) if same == user => since,
            _ => u32::MAX,
        };
        if sent > known_since {
            faults.late += 1;
            faults.note(|| format!("user {user} was given {last} though a larger number was already known"));
        }
        larger = Some((user, known_since.min(answered)));
    }
}
