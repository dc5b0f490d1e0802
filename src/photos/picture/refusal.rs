//! Why a file is not taken.

use std::fmt;

/// What is wrong with a file. Its text is for the person who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No bytes at all.
    Empty,
    /// Something else than a JPEG, PNG, WebP or GIF, or a kind of them that is not read.
    Unsupported {
        /// Such as "a PDF".
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
    /// A sentence with limit and found value, such as "The file has 30000000 bytes, 20971520 are allowed."
    #[must_use]
    pub fn message(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => write!(f, "The file is empty."),
            Self::Unsupported { found } => {
                write!(f, "The file is {found}; JPEG, PNG, WebP and GIF pictures are taken.")
            }
            Self::TooManyBytes { limit, found } => write!(f, "The file has {found} bytes, {limit} are allowed."),
            Self::TooManyPixels { limit, found } => write!(f, "The picture has {found} pixels, {limit} are allowed."),
            Self::TooLong { limit, found } => {
                write!(f, "The picture is {found} pixels wide or high, {limit} are allowed.")
            }
            Self::TooManyFrames { limit, found } => write!(f, "The animation has {found} frames, {limit} are allowed."),
            Self::TooManyScans { limit, found } => {
                write!(f, "The picture is sent in {found} scans or more, {limit} are allowed.")
            }
            Self::TooMuchMemory { limit, found } => {
                write!(f, "The picture takes {found} bytes of memory to decode, {limit} are allowed.")
            }
            Self::Broken { why } => write!(f, "The picture is broken: {why}."),
        }
    }
}
