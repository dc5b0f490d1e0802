//! JPEG, decoded to a half, a quarter or an eighth where that is enough: its blocks of 8 by 8 pixels come out as blocks
//! of 4, 2 or 1, which is faster than decoding them whole and never takes the memory of the whole picture.
//!
//! jpeg-decoder was chosen by measurement: release builds in turns on one busy machine, milliseconds as the least of
//! seven rounds (50 MP: of three), peak memory of a process.
//!
//! | | 12 MP to 1/2 | progressive | 50 MP to 1/4 | 49 MP progressive, 4:4:4 | of 14 faulty files | in Rust |
//! |---|---|---|---|---|---|---|
//! | jpeg-decoder 0.3.2 | 43 | 74 | 49 | 331 MB | 9 | yes |
//! | rusty_jpeg 0.4.8 | 52 | 56 | 76 | 329 MB | 8 | yes |
//! | zune-jpeg 0.5.15 | 36 | 64 | 177 | 454 MB | 13 | yes |
//! | mozjpeg 0.10.13 (libjpeg-turbo without assembler) | 49 | 65 | 121 | 312 MB | 13 | no |
//!
//! zune-jpeg does not scale: 64 megapixels would be 200 MB more than is allowed. libjpeg-turbo forgives most, but is C,
//! and is only faster with an assembler at build time. What decoders forgive does not count here: `container` has
//! followed all codes of a scan and repaired it before, so that jpeg-decoder decodes 13 of them. It is maintained by the
//! image-rs project.

use jpeg_decoder::{Decoder, PixelFormat};

use crate::photos::picture::container::Clean;
use crate::photos::picture::pixels::{Layout, Pixels};
use crate::photos::picture::{Refusal, sizes};

use super::BROKEN;

pub(super) fn decode(clean: &Clean) -> Result<Pixels, Refusal> {
    let mut decoder = Decoder::new(clean.bytes.as_slice());
    let factor = sizes::jpeg_factor((clean.width, clean.height));
    // It takes the smallest scale at which one of the edges is as long as asked for: the longer one, therefore.
    let edge = |edge: u32, other: u32| {
        if edge >= other { u16::try_from(edge.div_ceil(factor)).map_err(|_| BROKEN) } else { Ok(u16::MAX) }
    };
    let scaled = decoder.scale(edge(clean.width, clean.height)?, edge(clean.height, clean.width)?);
    let (width, height) = scaled.map_err(|_| BROKEN)?;
    let bytes = decoder.decode().map_err(|_| BROKEN)?;
    let layout = match decoder.info().ok_or(BROKEN)?.pixel_format {
        PixelFormat::L8 => Layout::Gray,
        PixelFormat::RGB24 => Layout::Rgb,
        PixelFormat::CMYK32 => Layout::Cmyk,
        PixelFormat::L16 => return Err(BROKEN),
    };
    // Four inks are inverted, as everybody takes them, and as the decoder has turned them back.
    let pixels = Pixels { width: width.into(), height: height.into(), layout, bytes };
    let length = pixels.width as usize * pixels.height as usize * layout.channels();
    if pixels.bytes.len() == length { Ok(pixels) } else { Err(BROKEN) }
}
