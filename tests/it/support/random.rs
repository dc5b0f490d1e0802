//! Randomness as an input: a failed test says its seed, and runs the same again with it.

use std::time::Duration;

/// A stream of random numbers (SplitMix64).
pub struct Random(u64);

impl Random {
    /// From `CLOAKROOM_TEST_SEED`, or from anywhere.
    #[expect(clippy::disallowed_methods, reason = "the suite's own switch, which no setting of the server is")]
    #[expect(clippy::print_stdout, reason = "shown when the test fails")]
    pub fn seeded() -> Self {
        let given = std::env::var("CLOAKROOM_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| uuid::Uuid::now_v7().as_u64_pair().1);
        println!("to run it again: CLOAKROOM_TEST_SEED={seed}");
        Self(seed)
    }

    /// A stream of its own for somebody who draws beside others.
    pub fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }

    /// A number from 0 to `limit - 1`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// A time below `limit`.
    pub fn within(&mut self, limit: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(limit.as_micros()).expect("a short time")))
    }
}
