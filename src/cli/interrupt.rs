//! The end of a command by SIGINT or SIGTERM: after its current step, or at once after a second signal.

use std::fmt;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::cli::stop::{EXIT_INTERRUPTED, SAME_SIGNAL, Signals};

/// An error: a signal ended the command before it was done.
#[derive(Debug)]
pub struct Interrupted {
    exit_code: u8,
    /// The way to go on.
    message: String,
}

impl Interrupted {
    pub(super) fn new(exit_code: i32, message: String) -> Self {
        Self { exit_code: u8::try_from(exit_code).unwrap_or(u8::MAX), message }
    }

    /// The exit code that shells report for the signal.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = if i32::from(self.exit_code) == EXIT_INTERRUPTED { "SIGINT" } else { "SIGTERM" };
        write!(f, "stopped by {signal}; {}", self.message)
    }
}

impl std::error::Error for Interrupted {}

/// Signals that ask a command to end.
pub(super) struct Interrupt(watch::Receiver<Option<i32>>);

impl Interrupt {
    /// From now on SIGINT and SIGTERM do not end the process before a second one comes.
    pub(super) fn install() -> anyhow::Result<Self> {
        let mut signals = Signals::install()?;
        let (sender, receiver) = watch::channel(None);
        tokio::spawn(async move {
            sender.send_replace(Some(signals.next().await));
            sleep(SAME_SIGNAL).await;
            if let Ok(later_ones) = Signals::install() {
                signals = later_ones;
            }
            std::process::exit(signals.next().await)
        });
        Ok(Self(receiver))
    }

    /// The exit code of a command that was asked to end.
    pub(super) fn exit_code(&self) -> Option<i32> {
        *self.0.borrow()
    }

    /// Waits until the command is asked to end.
    pub(super) async fn requested(&mut self) {
        if self.0.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
