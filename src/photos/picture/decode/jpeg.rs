//! JPEG, decoded to a half, a quarter or an eighth where that is enough: its blocks of 8 by 8 pixels come out as blocks
//! of 4, 2 or 1, which is faster than decoding them whole and never takes the memory of the whole picture.

use rusty_jpeg::decode::{Decoder, PixelFormat};

use crate::photos::picture::container::Clean;
use crate::photos::picture::pixels::{Layout, Pixels};
use crate::photos::picture::{Refusal, sizes};

use super::BROKEN;

pub(super) fn decode(clean: &Clean) -> Result<Pixels, Refusal> {
    let mut decoder = Decoder::new(clean.bytes.as_slice());
    // Its threads take the rows faster than they work on them: that would be the whole picture in memory after all.
    decoder.set_single_threaded(true);
    let factor = sizes::jpeg_factor((clean.width, clean.height));
    let edge = |edge: u32| u16::try_from(edge.div_ceil(factor)).map_err(|_| BROKEN);
    let (width, height) = decoder.scale(edge(clean.width)?, edge(clean.height)?).map_err(|_| BROKEN)?;
    let mut bytes = decoder.decode().map_err(|_| BROKEN)?;
    let layout = match decoder.info().ok_or(BROKEN)?.pixel_format {
        PixelFormat::L8 => Layout::Gray,
        PixelFormat::RGB24 => Layout::Rgb,
        PixelFormat::CMYK32 => Layout::Cmyk,
        PixelFormat::L16 => return Err(BROKEN),
    };
    if layout == Layout::Cmyk && !clean.inverted {
        // The decoder takes all of them for Adobe's.
        bytes.iter_mut().for_each(|ink| *ink = u8::MAX - *ink);
    }
    let pixels = Pixels { width: width.into(), height: height.into(), layout, bytes };
    let length = pixels.width as usize * pixels.height as usize * layout.channels();
    if pixels.bytes.len() == length { Ok(pixels) } else { Err(BROKEN) }
}
