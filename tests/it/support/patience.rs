//! How long things may take.

use std::time::{Duration, Instant};

/// What takes longer never happens: a bound that no machine is too busy for, and that tells nothing of speed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What has to come soon: more often than not, because a busy machine may hold up the others.
pub struct Promptness {
    limit: Duration,
    times: Vec<Duration>,
}

impl Promptness {
    pub fn within(limit: Duration) -> Self {
        Self { limit, times: Vec::new() }
    }

    /// It came now, and was asked for then.
    pub fn came(&mut self, asked: Instant) {
        self.times.push(asked.elapsed());
    }

    /// Whether half of them came in time.
    pub fn assert(mut self) {
        self.times.sort_unstable();
        let median = self.times.get(self.times.len() / 2).copied().unwrap_or_default();
        assert!(median <= self.limit, "{median:?} of {:?}, more often than not", self.times);
    }
}
