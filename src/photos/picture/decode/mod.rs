//! Clean files to pixels, as small as the sizes that are made of them allow, as stored: neither turned nor converted.

mod gif;
mod jpeg;
mod png;
mod webp;

use crate::photos::picture::container::Clean;
use crate::photos::picture::pixels::Pixels;
use crate::photos::picture::{Format, Refusal};

/// What came out of a file.
pub(super) struct Decoded {
    pub(super) pixels: Pixels,
    /// The ICC profile that the pixels are meant in.
    pub(super) profile: Option<Vec<u8>>,
}

const BROKEN: Refusal = Refusal::Broken { why: "it cannot be decoded" };

/// The first frame, on its canvas.
pub(super) fn decode(clean: &Clean) -> Result<Decoded, Refusal> {
    let decoded = match clean.format {
        Format::Jpeg => Decoded { pixels: jpeg::decode(clean)?, profile: clean.profile.clone() },
        Format::Png => png::decode(clean)?,
        Format::Webp => Decoded { pixels: webp::decode(clean)?, profile: clean.profile.clone() },
        Format::Gif => Decoded { pixels: gif::decode(clean)?, profile: None },
    };
    Ok(Decoded { pixels: decoded.pixels.without_idle_alpha(), ..decoded })
}
