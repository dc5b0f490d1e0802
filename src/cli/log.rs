//! The log, to standard output.
//!
//! One line an operation is many lines a second, and a write for each would cost as much as the operation. So
//! lines are gathered, and a thread writes what there is every [`INTERVAL`]; no request waits for a terminal.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat, LogLevel};

/// How long a line may wait to be written.
const INTERVAL: Duration = Duration::from_millis(50);
/// How much may wait; whoever adds more writes it all, so that nothing is lost and memory is bounded.
const MAX_WAITING_BYTES: usize = 4 << 20;

/// Lines on their way to the output.
struct Gathered {
    waiting: Mutex<Vec<u8>>,
    output: Mutex<File>,
}

/// Keeps the log going; what is still waiting is written when it is dropped.
pub(super) struct Guard {
    filter: Handle<Targets, Registry>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    lines: Lines,
}

/// Lines that wait to be written. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines(Arc<Gathered>);

impl Lines {
    /// Writes them, for as long as the output takes.
    pub(super) fn flush(&self) {
        self.0.write_out();
    }
}

/// Starts logging, for the whole process.
pub(super) fn start(settings: &Log) -> anyhow::Result<Guard> {
    // A duplicate of the descriptor: `Stdout` itself would write line by line.
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let gathered = Arc::new(Gathered { waiting: Mutex::default(), output: Mutex::new(output) });
    let (stop, stopped) = channel();
    let waiting = Lines(Arc::clone(&gathered));
    let lines = Arc::clone(&gathered);
    let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || write_until(&stopped, &lines))?;
    let (filter, handle) = reload::Layer::new(filter_of(settings.level));
    let lines = fmt::layer().with_ansi(false).with_writer(gathered);
    let registry = tracing_subscriber::registry().with(filter);
    match settings.format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    }
    .context("the log was started twice")?;
    Ok(Guard { filter: handle, stop: Some(stop), thread: Some(thread), lines: waiting })
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

fn write_until(stopped: &Receiver<()>, lines: &Gathered) {
    while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        lines.write_out();
    }
    lines.write_out();
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
        // Its only way to fail is a panic, of which the log cannot tell any more.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Gathered {
    fn write_out(&self) {
        // Taken first: lines that are written by two threads stay in order.
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        // Whoever read the log has gone; the server goes on.
        drop(output.write_all(&lines));
    }
}

impl Write for &Gathered {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let full = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.extend_from_slice(line);
            waiting.len() >= MAX_WAITING_BYTES
        };
        if full {
            self.write_out();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out();
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Gathered {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}
