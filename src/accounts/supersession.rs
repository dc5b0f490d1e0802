//! When each generation of a session's tokens was superseded, to the precision of the grace window and in constant
//! space.
//!
//! A [`Mark`] (G, T) says that every generation below G was superseded at T or before. A session has two of them. A
//! refresh replaces the latest mark only if that is older than the precision P, and keeps it as the earlier one. So, for
//! a latest mark (G, T) and an earlier one (G', T'):
//!
//! | generation g | superseded |
//! | --- | --- |
//! | G ≤ g | from T to T + P |
//! | g = G - 1 | at T |
//! | G' ≤ g < G - 1 | from T' to T' + P, and before T |
//! | g < G' | longer than P before T |

use chrono::{DateTime, TimeDelta, Utc};

use crate::accounts::session;

/// The precision of the marks if there is no window.
const LEAST_PRECISION: TimeDelta = TimeDelta::seconds(1);

/// Every generation below this one was superseded at that moment or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) generation: i32,
    pub(super) at: DateTime<Utc>,
}

impl Mark {
    pub(super) fn parts(self) -> (i32, DateTime<Utc>) {
        (self.generation, self.at)
    }
}

/// The two marks of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) latest: Option<Mark>,
    pub(super) earlier: Option<Mark>,
}

/// The time in which a superseded token is no sign of theft (`accounts.refresh_reuse_seconds`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Window(TimeDelta);

impl Window {
    pub(super) fn of_seconds(seconds: u32) -> Self {
        Self(TimeDelta::seconds(seconds.into()))
    }

    fn precision(self) -> TimeDelta {
        self.0.max(LEAST_PRECISION)
    }
}

impl Marks {
    pub(super) fn of(session: &session::Model) -> Self {
        let mark = |generation: Option<i32>, at: Option<DateTime<Utc>>| {
            generation.zip(at).map(|(generation, at)| Mark { generation, at })
        };
        Self {
            latest: mark(session.mark_generation, session.marked_at),
            earlier: mark(session.earlier_mark_generation, session.earlier_marked_at),
        }
    }

    /// The marks with a refresh at `now` that makes `generation` the current one.
    pub(super) fn with_refresh(self, generation: i32, now: DateTime<Utc>, window: Window) -> Self {
        let (new, precision) = (Mark { generation, at: now }, window.precision());
        match self.latest {
            None => Self { latest: Some(new), earlier: self.earlier },
            Some(latest) if (now - latest.at).abs() <= precision => self,
            // A mark of the future was made before the clock was set back. Generations below it are as old as that.
            Some(latest) => {
                let earlier = Mark { at: latest.at.min(now - precision), ..latest };
                Self { latest: Some(new), earlier: Some(earlier) }
            }
        }
    }

    /// Whether `generation`, which is not the current one, was superseded less than the window ago, at the latest
    /// moment at which that can have been.
    pub(super) fn are_within(self, window: Window, generation: i32, now: DateTime<Utc>) -> bool {
        let Some(latest) = self.latest else { return false };
        let precision = window.precision();
        let superseded_at = match self.earlier {
            _ if generation >= latest.generation => latest.at + precision,
            _ if generation == latest.generation.saturating_sub(1) => latest.at,
            Some(earlier) if generation >= earlier.generation => latest.at.min(earlier.at + precision),
            _ => return false,
        };
        now - superseded_at.min(now) < window.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000_000 + seconds)
    }

    /// Refreshes at random moments: of each generation the real moment is known.
    #[test]
    fn no_generation_is_refused_within_the_window_or_taken_long_after_it() {
        for seconds in [1, 7, 60] {
            let window = Window::of_seconds(seconds);
            let (length, mut seed) = (i64::from(seconds), 20_261_130_u64 + u64::from(seconds));
            let (mut marks, mut superseded, mut now) = (Marks::default(), Vec::new(), 0);
            for generation in 1..3000 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let pause = i64::try_from((seed >> 33) % 100).expect("small");
                now += if pause < 60 { pause % (length + 2) / 3 } else { pause * length / 40 };
                superseded.push(now);
                marks = marks.with_refresh(generation, at(now), window);
                for (superseded_at, of) in superseded.iter().rev().zip((0..generation).rev()).take(200) {
                    let age = now - superseded_at;
                    let is_within = marks.are_within(window, of, at(now));
                    assert!(is_within || age >= length, "{of} was superseded {age} s ago");
                    assert!(!is_within || age < 2 * length, "{of} was superseded {age} s ago");
                }
            }
        }
    }

    #[test]
    fn without_a_window_nothing_is_within_it() {
        let none = Window::of_seconds(0);
        let marks = Marks::default().with_refresh(1, at(0), none).with_refresh(2, at(0), none);
        assert!((0..2).all(|generation| !marks.are_within(none, generation, at(0))));
    }

    #[test]
    fn a_clock_that_was_set_back_revives_nothing() {
        let window = Window::of_seconds(60);
        let marks = Marks::default().with_refresh(1, at(0), window).with_refresh(2, at(7200), window);
        let marks = marks.with_refresh(3, at(100), window);
        assert!(!marks.are_within(window, 0, at(100)), "superseded long ago");
        assert!(marks.are_within(window, 2, at(159)) && !marks.are_within(window, 2, at(160)));
    }
}
