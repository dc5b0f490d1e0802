//! Why a file is not taken.

use std::fmt;

/// What is wrong with a file. Its text is for the person who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No bytes at all.
    Empty,
    /// Something else than a JPEG, PNG, WebP or GIF, or a kind of them that is not read.
    Unsupported {
        /// Such as "PDF".
        found: &'static str,
    },
    /// The file is too long.
    TooManyBytes {
        /// Bytes allowed.
        limit: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// The picture is too large.
    TooManyPixels {
        /// Pixels allowed.
        limit: u64,
        /// Width times height.
        found: u64,
    },
    /// The picture is too wide or too high, however narrow it is.
    TooLong {
        /// Pixels allowed.
        limit: u64,
        /// Of the longer edge.
        found: u64,
    },
    /// The animation is too long.
    TooManyFrames {
        /// Frames allowed.
        limit: u64,
        /// Frames of the file.
        found: u64,
    },
    /// A JPEG that is sent in too many passes.
    TooManyScans {
        /// Scans allowed.
        limit: u64,
        /// Scans until reading stopped.
        found: u64,
    },
    /// A kind of picture that takes too much memory to decode at this size.
    TooMuchMemory {
        /// Bytes allowed.
        limit: u64,
        /// Bytes it takes.
        found: u64,
    },
    /// It begins as a picture and does not go on as one.
    Broken {
        /// Such as "it ends too early".
        why: &'static str,
    },
}

impl Refusal {
    /// Sentences with the limit, the value found and what to do, such as "Image has 70,000,000 pixels; the limit is
    /// 67,108,864. Scale it down."
    #[must_use]
    pub fn message(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "File is empty."),
            Self::Unsupported { found } => {
                write!(f, "Unsupported file type ({found}). Supported: JPEG, PNG, WebP, GIF. Export it as JPEG.")
            }
            Self::TooManyBytes { limit, found } => exceeds(f, "File has", found, "bytes", limit, "Scale it down."),
            Self::TooManyPixels { limit, found } => exceeds(f, "Image has", found, "pixels", limit, "Scale it down."),
            Self::TooLong { limit, found } => {
                exceeds(f, "Longer edge of the image has", found, "pixels", limit, "Scale it down.")
            }
            Self::TooManyFrames { limit, found } => {
                exceeds(f, "Animation has", found, "frames", limit, "Shorten it or scale it down.")
            }
            Self::TooManyScans { limit, found } => {
                exceeds(f, "Image has at least", found, "scans", limit, "Export it as an ordinary JPEG.")
            }
            Self::TooMuchMemory { limit, found } => {
                exceeds(f, "Decoding the image takes", found, "bytes of memory", limit, "Scale it down.")
            }
            Self::Broken { why } => write!(f, "Image is broken: {why}. Copy the file again or export it as JPEG."),
        }
    }
}

fn exceeds(f: &mut fmt::Formatter<'_>, what: &str, found: u64, unit: &str, limit: u64, advice: &str) -> fmt::Result {
    write!(f, "{what} {} {unit}; the limit is {}. {advice}", grouped(found), grouped(limit))
}

/// The number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (left, digit) in (0..digits.len()).rev().zip(digits.chars()) {
        grouped.push(digit);
        if left > 0 && left % 3 == 0 {
            grouped.push(',');
        }
    }
    grouped
}
