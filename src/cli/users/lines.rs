//! The lines of an import, read by a thread of their own: a pipe may be silent, and the command can still be stopped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, stdin};
use std::path::Path;

use anyhow::Context as _;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Length of a line without its line break, in bytes.
pub(super) const MAX_LINE_BYTES: usize = 64 << 10;
/// Lines that are read ahead.
const READ_AHEAD: usize = 256;

/// A line that is not empty.
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: u64,
    /// Bytes of the file up to its end.
    pub(super) end: u64,
    /// The text; `None` for a line that is too long.
    pub(super) text: Option<Zeroizing<Vec<u8>>>,
}

/// The lines of a file, or of standard input.
pub(super) struct Lines {
    /// They end with an error that the file could not be read.
    pub(super) received: mpsc::Receiver<io::Result<Line>>,
    /// Length of the file in bytes; `None` for a pipe.
    pub(super) file_bytes: Option<u64>,
}

impl Lines {
    /// Begins to read at this line.
    pub(super) fn open(path: &Path, from_line: u64) -> anyhow::Result<Self> {
        let (sender, received) = mpsc::channel(READ_AHEAD);
        let (mut file_bytes, mut file) = (None, None);
        if path != Path::new("-") {
            let opened = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            file_bytes = opened.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
            file = Some(opened);
        }
        let read = move || match file {
            Some(file) => send_lines(BufReader::new(file), from_line, &sender),
            None => send_lines(stdin().lock(), from_line, &sender),
        };
        std::thread::Builder::new().name("lines".to_owned()).spawn(read)?;
        Ok(Self { received, file_bytes })
    }
}

fn send_lines(mut reader: impl BufRead, from_line: u64, sender: &mpsc::Sender<io::Result<Line>>) {
    let (mut buffer, mut end) = (Zeroizing::new(Vec::new()), 0);
    for number in 1.. {
        buffer.clear();
        let (bytes, is_whole) = match read_line(&mut reader, &mut buffer) {
            Ok((0, _)) => return,
            Ok(read) => read,
            Err(error) => {
                sender.blocking_send(Err(error)).ok();
                return;
            }
        };
        end += bytes;
        // Some programs begin a file with a byte order mark.
        let text = buffer.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 1).unwrap_or(&buffer).trim_ascii();
        if number < from_line || (is_whole && text.is_empty()) {
            continue;
        }
        let text = is_whole.then(|| Zeroizing::new(text.to_vec()));
        if sender.blocking_send(Ok(Line { number, end, text })).is_err() {
            return;
        }
    }
}

/// Reads a line into `buffer`, and passes over what is longer than a line may be. Returns how many bytes it has, and
/// whether it is whole.
fn read_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<(u64, bool)> {
    let limit = MAX_LINE_BYTES as u64 + 1;
    let read = reader.by_ref().take(limit).read_until(b'\n', buffer)? as u64;
    if read < limit || buffer.last() == Some(&b'\n') {
        return Ok((read, true));
    }
    Ok((read + reader.skip_until(b'\n')? as u64, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &[u8]) -> Vec<(u64, bool)> {
        let mut reader = text;
        let mut found = Vec::new();
        loop {
            let read = read_line(&mut reader, &mut Vec::new()).expect("memory is readable");
            if read.0 == 0 {
                return found;
            }
            found.push(read);
        }
    }

    #[test]
    fn a_line_that_is_too_long_ends_where_the_next_begins() {
        let longest = [b"x".repeat(MAX_LINE_BYTES), b"\n".to_vec()].concat();
        let too_long = [b"x".repeat(3 * MAX_LINE_BYTES), b"\n".to_vec()].concat();
        let text = [longest.as_slice(), &too_long, b"a\n", &too_long[..too_long.len() - 1]].concat();
        let bytes = MAX_LINE_BYTES as u64;
        assert_eq!(lengths(&text), [(bytes + 1, true), (3 * bytes + 1, false), (2, true), (3 * bytes, false)]);
    }
}
