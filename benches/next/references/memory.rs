//! Counters that a restart forgets.

use std::sync::atomic::{AtomicI64, Ordering};

pub(super) struct Counters(Vec<AtomicI64>);

impl Counters {
    pub(super) fn new(users: usize) -> Self {
        Self((0..users).map(|_| AtomicI64::new(0)).collect())
    }

    pub(super) fn next(&self, user: usize) -> Option<i64> {
        Some(self.0.get(user)?.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
