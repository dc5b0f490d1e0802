//! Time as an input: the code under test asks its [`Clock`], never the machine.
//!
//! There are two questions. [`Clock::now`] is a date, for moments that are stored or shown.
//! [`Clock::uptime`] only runs forward, for durations in memory: a wall clock that is set right
//! does not lengthen or shorten them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};

/// The beginning of [`Clock::uptime`].
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The source of the present moment.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// The clock of a database that several servers share.
    Database(Arc<DatabaseClock>),
    /// A clock that moves only when a test moves it.
    Fixed(Arc<FixedClock>),
}

/// The clock of a database, as this server read it last. Between two readings the monotonic clock
/// moves it.
#[derive(Debug, Default)]
pub struct DatabaseClock {
    /// Microseconds since 1970 at the beginning of [`Clock::uptime`].
    started_at: AtomicI64,
}

/// A clock that stands still.
#[derive(Debug, Default)]
pub struct FixedClock {
    /// Microseconds since 1970.
    now: AtomicI64,
    /// Microseconds.
    uptime: AtomicU64,
}

impl Clock {
    /// A clock that stands still at `moment` until [`Clock::advance`] is called.
    #[must_use]
    pub fn fixed(moment: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(FixedClock { now: moment.timestamp_micros().into(), uptime: 0.into() }))
    }

    /// The present moment, in whole microseconds: the finest step that every database keeps.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match self {
            Self::System => Utc::now().timestamp_micros(),
            Self::Database(clock) => clock.started_at.load(Ordering::SeqCst).saturating_add(micros_of(START.elapsed())),
            Self::Fixed(clock) => clock.now.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// Time since some moment before, on the monotonic clock.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        match self {
            Self::System | Self::Database(_) => START.elapsed(),
            Self::Fixed(clock) => Duration::from_micros(clock.uptime.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock by `seconds`; the machine's clock cannot be moved. Backwards, this
    /// corrects the wall clock alone.
    pub fn advance(&self, seconds: i64) {
        if let Self::Fixed(clock) = self {
            let elapsed = u64::try_from(seconds).unwrap_or_default();
            clock.uptime.fetch_add(elapsed.saturating_mul(1_000_000), Ordering::SeqCst);
        }
        self.correct(seconds);
    }

    /// Moves the wall clock of a fixed clock by `seconds`, as a correction does: no time passes.
    pub fn correct(&self, seconds: i64) {
        if let Self::Fixed(clock) = self {
            clock.now.fetch_add(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
        }
    }
}

impl DatabaseClock {
    /// Takes over a reading of the database's clock, in microseconds since 1970, made between two
    /// uptimes. A difference that the time between them explains is ignored.
    pub fn set(&self, micros: i64, before: Duration, after: Duration) {
        let (from, to) = (micros.saturating_sub(micros_of(after)), micros.saturating_sub(micros_of(before)));
        let started_at = self.started_at.load(Ordering::SeqCst);
        if !(from..=to).contains(&started_at) {
            self.started_at.store(i64::midpoint(from, to), Ordering::SeqCst);
        }
    }
}

fn micros_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A moment as RFC 3339 writes it, with microseconds and ending in `Z`.
#[must_use]
pub fn rfc3339(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}
