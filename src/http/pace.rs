//! The minimum rate of a transfer, `http.min_bytes_per_second`, so that a slow peer holds nothing for long.
//!
//! The other side has an allowance of time. It shrinks while this side waits for bytes to move, and grows
//! with each byte by as long as the byte may take, up to where it began. So a pause is allowed after bytes
//! that moved in time, and a byte now and then is not enough. Time in which this side has nothing to move,
//! or is itself the slow one, does not count.

use std::fmt;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::config;

/// A minimum rate, and the time for which a transfer may be slower.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// 0: any rate, as long as something moves within `grace`.
    pub(super) bytes_per_second: u64,
    pub(super) grace: Duration,
}

/// The error of a transfer that is slower than its [`Pace`].
#[derive(Clone, Copy, Debug)]
pub(super) struct TooSlow(Pace);

/// The time that the other side of a transfer may still take.
struct Allowance {
    pace: Pace,
    left: Duration,
}

/// Measures one direction of a transfer.
pub(super) struct Meter {
    allowance: Allowance,
    waiting_since: Option<Instant>,
    /// Made at the first wait, and used again.
    timer: Option<Pin<Box<Sleep>>>,
}

/// A connection whose other side must take what is written at a minimum rate.
pub(super) struct PacedWriter<S> {
    stream: S,
    meter: Meter,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Pace { bytes_per_second, grace }) = self;
        write!(f, "slower than {bytes_per_second} bytes per second for {} s", grace.as_secs())
    }
}

impl std::error::Error for TooSlow {}

impl TooSlow {
    /// Tells a client that its body is too slow.
    pub(super) fn message(self) -> String {
        let Self(Pace { bytes_per_second, grace }) = self;
        let grace = grace.as_secs();
        match bytes_per_second {
            0 => format!("Nothing of the body arrived for {grace} s. Send it again, without pauses."),
            _ => format!(
                "The body arrived too slowly: the minimum is {bytes_per_second} bytes per second, and a pause is at \
                 most {grace} s. Send it again over a faster connection."
            ),
        }
    }

    /// Finds the error among the causes of another one.
    pub(super) fn find(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|cause| cause.downcast_ref().copied())
    }
}

impl Pace {
    /// For bodies of requests: what clients send.
    pub(super) fn of_bodies(settings: &config::Http) -> Self {
        Self { bytes_per_second: settings.min_bytes_per_second, grace: Duration::from_secs(settings.grace_seconds) }
    }

    /// For answers: what clients take.
    pub(super) fn of_answers(settings: &config::Http) -> Self {
        Self { bytes_per_second: settings.min_bytes_per_second, grace: Duration::from_secs(settings.answer_seconds) }
    }
}

impl Allowance {
    fn new(pace: Pace) -> Self {
        Self { pace, left: pace.grace }
    }

    fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    fn earn(&mut self, bytes: usize) {
        let Pace { bytes_per_second, grace } = self.pace;
        if self.left < grace && bytes > 0 {
            let nanoseconds = (bytes as u64).saturating_mul(1_000_000_000).checked_div(bytes_per_second);
            let earned = nanoseconds.map_or(grace, Duration::from_nanos);
            self.left = self.left.saturating_add(earned).min(grace);
        }
    }
}

impl Meter {
    pub(super) fn new(pace: Pace) -> Self {
        Self { allowance: Allowance::new(pace), waiting_since: None, timer: None }
    }

    /// Notes that so many bytes have moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.waiting_since.take() {
            self.allowance.spend(since.elapsed());
        }
        self.allowance.earn(bytes);
    }

    /// Notes that nothing moves now. Ready once the allowance is used up.
    pub(super) fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<TooSlow> {
        let timer = match (&mut self.timer, self.waiting_since) {
            (Some(timer), Some(_)) => timer,
            (timer, _) => {
                let now = Instant::now();
                self.waiting_since = Some(now);
                let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(now)));
                timer.as_mut().reset(now + self.allowance.left);
                timer
            }
        };
        timer.as_mut().poll(context).map(|()| TooSlow(self.allowance.pace))
    }
}

impl<S> PacedWriter<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self { stream, meter: Meter::new(pace) }
    }

    /// Passes the result of a write on, unless the write waits for too long.
    fn pace(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(result) => {
                self.meter.moved(result.as_ref().map_or(0, |bytes| *bytes));
                Poll::Ready(result)
            }
            Poll::Pending => {
                self.meter.poll_too_slow(context).map(|slow| Err(io::Error::new(io::ErrorKind::TimedOut, slow)))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedWriter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedWriter<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.pace(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.pace(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { bytes_per_second: 1000, grace: Duration::from_secs(5) };

    /// Returns the milliseconds that are left after these waits, each with the bytes that ended it.
    fn left(pace: Pace, waits: impl IntoIterator<Item = (u64, usize)>) -> u128 {
        let mut allowance = Allowance::new(pace);
        for (milliseconds, bytes) in waits {
            allowance.spend(Duration::from_millis(milliseconds));
            allowance.earn(bytes);
        }
        allowance.left.as_millis()
    }

    #[test]
    fn a_byte_now_and_then_is_not_enough() {
        assert_eq!(left(PACE, [(1000, 1); 4]), 1004);
        assert_eq!(left(PACE, [(1000, 1); 6]), 1, "the last byte came too late");
    }

    #[test]
    fn a_transfer_at_the_rate_never_ends() {
        assert_eq!(left(PACE, [(4000, 4000); 1000]), 5000);
    }

    #[test]
    fn bytes_ahead_of_time_allow_no_longer_pause_than_the_grace() {
        assert_eq!(left(PACE, [(0, 1 << 30), (0, usize::MAX)]), 5000);
    }

    #[test]
    fn without_a_rate_any_byte_is_enough() {
        let pace = Pace { bytes_per_second: 0, ..PACE };
        assert_eq!(left(pace, [(4900, 1)]), 5000);
        assert_eq!(left(pace, [(4900, 0)]), 100);
    }
}
