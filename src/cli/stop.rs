//! The end of a server, which is bounded: a thread of its own ends the process when the time is over.
//!
//! The thread has a runtime of its own, for the signals and the clock. So it works while every thread
//! of the server's runtime is stuck: in a system call on a disk, or in a write to a log that nobody
//! reads.

use std::io::{self, Write as _};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::cli::log;

/// Exit code of a server that did not stop in time, as of `timeout`.
const EXIT_TIMED_OUT: i32 = 124;
/// Exit codes of a server that a second signal ended, as shells report it.
const EXIT_TERMINATED: i32 = 128 + 15;
pub(super) const EXIT_INTERRUPTED: i32 = 128 + 2;

/// Time after `server.shutdown_seconds` for what follows the requests: waiting writes, connections to
/// the database, the log.
const GRACE: Duration = Duration::from_millis(500);
/// Time to write each copy of the last message.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Signals that come within this time count as one: `timeout` sends its signal to the process and to
/// its group.
pub(super) const SAME_SIGNAL: Duration = Duration::from_millis(100);

/// The stop of a server: asked for by a signal or by the server itself. Cheap to clone.
#[derive(Clone)]
pub(super) struct Stop(Arc<Shared>);

struct Shared {
    is_asked_for: watch::Sender<bool>,
    /// The part that the stop waits for, for the last message.
    waits_for: Mutex<&'static str>,
}

impl Stop {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared { is_asked_for: watch::Sender::new(false), waits_for: Mutex::new("requests") }))
    }

    /// From now on SIGTERM and SIGINT ask for a stop, which ends the process within `limit` and a
    /// second. A second signal ends it at once.
    pub(super) fn enforce(&self, limit: Duration, lines: log::Lines) -> anyhow::Result<()> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let signals = Signals::install()?;
        drop(entered);
        let stop = self.clone();
        let enforce = move || runtime.block_on(stop.watch_over(limit, signals, lines));
        std::thread::Builder::new().name("stop".to_owned()).spawn(enforce)?;
        Ok(())
    }

    /// Asks for a stop.
    pub(super) fn request(&self) {
        self.0.is_asked_for.send_replace(true);
    }

    /// Waits until a stop is asked for.
    pub(super) async fn requested(&self) {
        drop(self.0.is_asked_for.subscribe().wait_for(|is_asked_for| *is_asked_for).await);
    }

    /// Names the part that the stop waits for from now on.
    pub(super) fn waits_for(&self, part: &'static str) {
        *self.0.waits_for.lock().unwrap_or_else(PoisonError::into_inner) = part;
    }

    async fn watch_over(self, limit: Duration, mut signals: Signals, lines: log::Lines) {
        tokio::select! {
            _ = signals.next() => self.request(),
            () = self.requested() => {}
        }
        let deadline = Instant::now() + limit + GRACE;
        sleep(SAME_SIGNAL.min(limit)).await;
        if let Ok(later_ones) = Signals::install() {
            signals = later_ones;
        }
        let (code, reason) = tokio::select! {
            second = signals.next() => (second, "a second signal came".to_owned()),
            () = sleep_until(deadline) => {
                let reason = format!("the time to stop was over after {} s (server.shutdown_seconds)", limit.as_secs());
                (EXIT_TIMED_OUT, reason)
            }
        };
        let part = *self.0.waits_for.lock().unwrap_or_else(PoisonError::into_inner);
        end_process(code, format!("ended at once, because {reason}; the server was still waiting for {part}"), lines)
    }
}

/// The signals that ask for a stop.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The exit code of a process that the next signal ends.
    pub(super) async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => EXIT_TERMINATED,
            _ = self.interrupt.recv() => EXIT_INTERRUPTED,
        }
    }
}

/// Ends the process, with a message in the log and on standard error if they take it: nobody may read
/// them.
fn end_process(code: i32, message: String, lines: log::Lines) -> ! {
    let (done, waiting) = mpsc::channel();
    let (logged, printed) = (message.clone(), done.clone());
    let to_log = std::thread::Builder::new().spawn(move || {
        tracing::error!("{logged}");
        lines.write_out();
        done.send(()).ok();
    });
    let to_stderr = std::thread::Builder::new().spawn(move || {
        drop(writeln!(io::stderr(), "cloakroom: {message}"));
        printed.send(()).ok();
    });
    for _ in [to_log, to_stderr] {
        waiting.recv_timeout(LAST_WORDS).ok();
    }
    std::process::exit(code)
}
