//! Log lines on their way to standard output.
//!
//! A request never waits for the output. Its lines go into a queue in memory, and a thread writes
//! them. When the queue is full, because nobody reads the output or its disk is full, further lines
//! are dropped and counted. The log has their number as soon as the output takes lines again.

use std::cell::Cell;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that may wait, and as many again that are being written.
const MAX_WAITING_BYTES: usize = 4 << 20;

thread_local! {
    /// True while this thread logs the number of dropped lines, for which there is always room.
    static IS_REPORTING: Cell<bool> = const { Cell::new(false) };
}

/// Lines that wait to be written. Cheap to clone.
#[derive(Clone)]
pub(in crate::cli) struct Lines(Arc<Queue>);

struct Queue {
    waiting: Mutex<Waiting>,
    output: Mutex<File>,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Lines that were dropped since the log last had their number.
    dropped: usize,
}

impl Lines {
    /// Lines for this output.
    pub(in crate::cli) fn new(output: File) -> Self {
        Self(Arc::new(Queue { waiting: Mutex::default(), output: Mutex::new(output) }))
    }

    /// Adds a text and the end of its last line.
    pub(in crate::cli) fn print(&self, text: impl Display) {
        self.add(format!("{text}\n").as_bytes());
    }

    /// Writes the lines that wait, for as long as the output takes. Returns false if there were
    /// none.
    pub(in crate::cli) fn write_out(&self) -> bool {
        // Locked first: lines that are written by two threads stay in order.
        let mut output = self.0.output.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut self.lock().lines);
        if lines.is_empty() {
            return false;
        }
        let lost = write(&mut output, &lines);
        drop(output);
        let dropped = {
            let mut waiting = self.lock();
            waiting.dropped = waiting.dropped.saturating_add(lost);
            if lost == 0 { std::mem::take(&mut waiting.dropped) } else { 0 }
        };
        if dropped > 0 {
            let reason = "standard output did not take them in time";
            IS_REPORTING.set(true);
            tracing::error!(log.dropped_lines = dropped, "dropped {dropped} log lines, because {reason}");
            IS_REPORTING.set(false);
        }
        true
    }

    fn add(&self, lines: &[u8]) {
        let mut waiting = self.lock();
        if waiting.lines.len() + lines.len() <= MAX_WAITING_BYTES || IS_REPORTING.get() {
            waiting.lines.extend_from_slice(lines);
        } else {
            waiting.dropped = waiting.dropped.saturating_add(count(lines));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer of one event, which is one line.
pub(in crate::cli) struct LineWriter(Lines);

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = LineWriter;

    fn make_writer(&'w self) -> LineWriter {
        LineWriter(self.clone())
    }
}

/// Writes these lines; returns the number of those that the output refused.
fn write(output: &mut File, mut lines: &[u8]) -> usize {
    while !lines.is_empty() {
        let written = match output.write(lines) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            written => written,
        };
        let outcome = match written {
            Ok(bytes) => {
                lines = lines.get(bytes..).unwrap_or_default();
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            // Another process may have made the pipe non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait_for(output),
            Err(error) => Err(error),
        };
        // A full disk, or a pipe that nobody reads any more.
        if outcome.is_err() {
            return count(lines);
        }
    }
    0
}

fn wait_for(output: &File) -> io::Result<()> {
    poll(&mut [PollFd::new(output, PollFlags::OUT)], None).map(drop).map_err(io::Error::from)
}

fn count(lines: &[u8]) -> usize {
    lines.iter().filter(|byte| **byte == b'\n').count()
}
