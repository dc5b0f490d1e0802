//! Clean files to pixels, as small as the sizes that are made of them allow, as stored: neither turned nor converted.

mod gif;
mod jpeg;
mod png;
mod webp;

use crate::photos::picture::container::Clean;
use crate::photos::picture::pixels::Pixels;
use crate::photos::picture::{Format, Refusal};

const BROKEN: Refusal = Refusal::Broken { why: "it cannot be decoded" };

/// The first frame, on its canvas.
pub(super) fn decode(clean: &Clean) -> Result<Pixels, Refusal> {
    let pixels = match clean.format {
        Format::Jpeg => jpeg::decode(clean)?,
        Format::Png => png::decode(clean)?,
        Format::Webp => webp::decode(clean)?,
        Format::Gif => gif::decode(clean)?,
    };
    Ok(pixels.without_idle_alpha())
}
