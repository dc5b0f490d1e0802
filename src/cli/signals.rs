//! The signals that a server understands.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::stop::Stop;

/// Signals that do not end the server: SIGHUP, and those that would by default.
pub(super) struct Survived {
    hangup: Signal,
    user_defined: [Signal; 2],
    alarm: Signal,
}

impl Survived {
    /// From now on these signals do not end the process.
    pub(super) fn install() -> anyhow::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            user_defined: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
            alarm: signal(SignalKind::alarm())?,
        })
    }

    /// Calls `reload` on each SIGHUP, until a stop is asked for.
    pub(super) async fn until_stop(mut self, stop: Stop, reload: impl Fn()) {
        let [first, second] = &mut self.user_defined;
        let mut requested = std::pin::pin!(stop.requested());
        loop {
            let ignored = tokio::select! {
                () = &mut requested => break,
                _ = self.hangup.recv() => {
                    reload();
                    continue;
                }
                _ = first.recv() => "SIGUSR1",
                _ = second.recv() => "SIGUSR2",
                _ = self.alarm.recv() => "SIGALRM",
            };
            tracing::info!("ignored {ignored}: SIGHUP reloads settings, SIGTERM stops the server");
        }
        tracing::info!("stopping: requests that were accepted are finished first");
    }
}
