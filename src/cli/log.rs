//! The log, to standard output.
//!
//! One line an operation is many lines a second, and a write for each would cost as much as the
//! operation. So lines are collected (`lines.rs`), and a thread writes those that wait every
//! [`INTERVAL`].

mod lines;

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::Context as _;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat, LogLevel};

pub(super) use lines::Lines;

/// How long a line may wait to be written.
const INTERVAL: Duration = Duration::from_millis(50);

/// Keeps the log going. When it is dropped, the lines that still wait are written, within a limit
/// of time.
pub(super) struct Guard {
    filter: Handle<Targets, Registry>,
    lines: Lines,
    stop: Option<Sender<()>>,
    /// Closed when the thread has written everything.
    written: Receiver<()>,
    limit: Duration,
}

/// Starts logging, for the whole process. In the end the output may take `limit` to take the last
/// lines.
pub(super) fn start(settings: &Log, limit: Duration) -> anyhow::Result<Guard> {
    // A duplicate of the descriptor: `Stdout` itself would write line by line.
    let lines = Lines::new(File::from(io::stdout().as_fd().try_clone_to_owned()?));
    let ((stop, stopped), (done, written)) = (channel(), channel());
    let waiting = lines.clone();
    let write = move || {
        write_until(&stopped, &waiting);
        drop(done);
    };
    std::thread::Builder::new().name("log".to_owned()).spawn(write)?;
    let (filter, handle) = reload::Layer::new(filter_of(settings.level));
    let layer = fmt::layer().with_ansi(false).with_writer(lines.clone());
    let registry = tracing_subscriber::registry().with(filter);
    match settings.format {
        LogFormat::Text => registry.with(layer.with_target(false)).try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    }
    .context("the log was started twice")?;
    Ok(Guard { filter: handle, lines, stop: Some(stop), written, limit })
}

/// The libraries beneath only warn: what they trace can hold a statement's values.
fn filter_of(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(LevelFilter::WARN).with_target(env!("CARGO_CRATE_NAME"), level)
}

/// Starts logging to standard error what is worth a warning, for a command whose standard output is its answer.
pub(super) fn start_on_stderr() -> anyhow::Result<()> {
    let lines = fmt::layer().with_ansi(false).with_target(false).with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(LevelFilter::WARN).with(lines);
    registry.try_init().context("the log was started twice")
}

fn write_until(stopped: &Receiver<()>, lines: &Lines) {
    while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        lines.write_out();
    }
    // The last ones may have a number of dropped lines behind them.
    while lines.write_out() {}
}

impl Guard {
    /// The lines that wait to be written.
    pub(super) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Logs at another level from now on.
    pub(super) fn set_level(&self, level: LogLevel) -> anyhow::Result<()> {
        Ok(self.filter.reload(filter_of(level))?)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Nobody may read the log any more.
        _ = self.written.recv_timeout(self.limit);
    }
}
