//! Takes a file apart and puts it together again with nothing in it but the image.
//!
//! Each format has a list of the parts that stay. A part that is not on it is left out. A file with the faults that
//! browsers put up with is repaired while it is written: what is stored is valid everywhere. Two steps: [`clean`] goes
//! by headers only, and tells what the rest costs; [`finish`] follows the compressed data to its end, and cuts what
//! hides behind it. Nothing is decoded here.
//!
//! **Invariant:** cleaning what is clean gives the same bytes.

mod gif;
mod jpeg;
mod png;
mod profile;
pub(super) mod webp;

use bytes::Bytes;

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::{Format, Limits, MAX_EDGE, MAX_FRAMES, MAX_WORKING_BYTES, Refusal, recognise};

/// More of the image is missing than is repaired.
const TOO_LITTLE: Refusal = Refusal::Broken { why: "more than 5 % of the image is missing" };

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
    pub(super) coding: Coding,
    pub(super) animated: bool,
    /// Whether it has inks in place of red, green and blue.
    pub(super) has_inks: bool,
    /// What its decoder takes in memory beside the pixels that come out.
    pub(super) decoder_bytes: u64,
    pub(super) bytes: Vec<u8>,
}

/// How exact the colors of a file are: its sizes have them no worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// Each pixel as it was made: often a drawing or a screenshot.
    Lossless,
    /// Lossy, with a color for each pixel.
    FullColor,
    /// Lossy, with a color for several pixels, as cameras store photos.
    SharedColor,
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

/// Follows the compressed data of a clean file to its end, and cuts the file to it. Takes less memory than decoding.
pub(super) fn finish(clean: Clean) -> Result<Clean, Refusal> {
    match clean.format {
        Format::Jpeg => jpeg::finish(clean),
        Format::Png => png::finish(clean),
        // Of GIF, the codes are followed at once: that takes no memory. Of WebP, each chunk says how long it is.
        Format::Gif | Format::Webp => Ok(clean),
    }
}

/// Whether so much of an image is there that the rest is repaired: 95 %.
fn is_enough(found: u64, of: u64) -> bool {
    found.saturating_mul(20) >= of.saturating_mul(19)
}
