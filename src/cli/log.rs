//! The log: to standard output, written by a thread of its own so that no request waits for a terminal.

use std::fs::File;
use std::io::BufWriter;
use std::os::fd::AsFd as _;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::LevelFilter;

use crate::config::{Log, LogFormat, LogLevel};

/// Lines that may wait to be written. Beyond it requests wait, so that no line is lost.
const WAITING_LINES: usize = 65_536;

/// Starts logging; what is still waiting is written when the guard is dropped.
pub(super) fn start(settings: &Log) -> Option<WorkerGuard> {
    // A duplicate of the descriptor: `Stdout` itself flushes at every line, this flushes when nothing waits.
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned().ok()?);
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .lossy(false)
        .thread_name("log")
        .finish(BufWriter::new(output));
    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(writer);
    let started = match settings.format {
        LogFormat::Text => tracing::subscriber::set_global_default(subscriber.with_target(false).finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(subscriber.json().flatten_event(true).finish()),
    };
    started.ok().map(|()| guard)
}
