//! How long a proof goes on: a few rounds by default, minutes on demand (`tests/README.md`).

use std::time::{Duration, Instant};

/// How many times as many rounds as usual are made for what a proof has to see, and luck keeps back.
const LUCK: usize = 10;

/// The rounds of a proof.
pub struct Length {
    begun: Instant,
    /// How long it goes on at least.
    time: Duration,
    /// How many rounds there are at least.
    rounds: usize,
    done: usize,
}

impl Length {
    /// So many rounds, or as many as `CLOAKROOM_TEST_SECONDS` has room for.
    #[expect(clippy::disallowed_methods, reason = "the suite's own switch, which no setting of the server is")]
    pub fn rounds(rounds: usize) -> Self {
        let seconds = std::env::var("CLOAKROOM_TEST_SECONDS").ok().map(|seconds| seconds.parse().expect("a number"));
        Self { begun: Instant::now(), time: Duration::from_secs(seconds.unwrap_or(0)), rounds, done: 0 }
    }

    /// Whether there is one more round.
    pub fn goes_on(&mut self) -> bool {
        self.goes_on_until(true)
    }

    /// Whether there is one more round, be it only because what has to be seen was not seen yet.
    pub fn goes_on_until(&mut self, seen: bool) -> bool {
        let hopes = !seen && self.done < LUCK * self.rounds;
        let goes_on = hopes || self.done < self.rounds || self.begun.elapsed() < self.time;
        self.done += usize::from(goes_on);
        goes_on
    }

    /// Says what was seen in all rounds; shown with `--nocapture`.
    #[expect(clippy::print_stdout, reason = "the figures of a long run")]
    pub fn tell(&self, figures: &[(&str, usize)]) {
        let figures: Vec<_> = figures.iter().map(|(what, count)| format!("{count} {what}")).collect();
        println!("{} rounds in {} s: {}", self.done, self.begun.elapsed().as_secs(), figures.join(", "));
    }
}
