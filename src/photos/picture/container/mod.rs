//! Takes a file apart and puts it together again with nothing in it but the picture.
//!
//! Each format has a list of the parts that stay. A part that is not on it is left out; a part that is not where it
//! should be, or that is shorter than it says, makes the file a broken one. Nothing is decoded here.
//!
//! **Invariant:** cleaning what is clean gives the same bytes.

mod gif;
mod jpeg;
mod png;
pub(super) mod webp;

use bytes::Bytes;

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::{Format, Limits, MAX_EDGE, MAX_FRAMES, MAX_WORKING_BYTES, Refusal, recognise};

/// A file with nothing in it but the picture, not decoded yet.
#[derive(Debug)]
pub struct Clean {
    pub(super) format: Format,
    /// In pixels, as stored.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) orientation: Orientation,
    /// The ICC profile.
    pub(super) profile: Option<Vec<u8>>,
    /// Whether a JPEG with four inks stores them the way Adobe does: inverted.
    pub(super) inverted: bool,
    /// What its decoder takes in memory beside the pixels that come out.
    pub(super) decoder_bytes: u64,
    pub(super) bytes: Vec<u8>,
}

/// Cleans a file. What is written stays valid for whoever looks at it.
pub(super) fn clean(file: Bytes, limits: &Limits) -> Result<Clean, Refusal> {
    let format = recognise::recognise(&file)?;
    let found = file.len() as u64;
    if found > limits.max_bytes {
        return Err(Refusal::TooManyBytes { limit: limits.max_bytes, found });
    }
    let clean = match format {
        Format::Jpeg => jpeg::clean(&file, limits),
        Format::Png => png::clean(&file, limits),
        Format::Webp => webp::clean(&file, limits),
        Format::Gif => gif::clean(&file, limits),
    };
    // Not to be in memory while its picture is decoded.
    drop(file);
    clean
}

/// Whether a picture of this size is allowed, or a frame, or what frames are shown on.
fn check_pixels(width: u32, height: u32, limits: &Limits) -> Result<(), Refusal> {
    let found = u64::from(width) * u64::from(height);
    if found == 0 {
        Err(Refusal::Broken { why: "it has no width or no height" })
    } else if found > limits.max_pixels {
        Err(Refusal::TooManyPixels { limit: limits.max_pixels, found })
    } else {
        check_edge(width.max(height).into())
    }
}

fn check_edge(found: u64) -> Result<(), Refusal> {
    if found > MAX_EDGE { Err(Refusal::TooLong { limit: MAX_EDGE, found }) } else { Ok(()) }
}

fn check_frames(found: u64) -> Result<(), Refusal> {
    if found > MAX_FRAMES { Err(Refusal::TooManyFrames { limit: MAX_FRAMES, found }) } else { Ok(()) }
}

/// What a decoder takes, if that is allowed.
fn check_memory(found: u64) -> Result<u64, Refusal> {
    if found > MAX_WORKING_BYTES { Err(Refusal::TooMuchMemory { limit: MAX_WORKING_BYTES, found }) } else { Ok(found) }
}

/// An ICC profile without what follows its end; `None` if it is none.
fn profile(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
    let is_profile = bytes.get(36..40) == Some(b"acsp") && (128..=bytes.len()).contains(&length);
    bytes.truncate(length);
    is_profile.then_some(bytes)
}
