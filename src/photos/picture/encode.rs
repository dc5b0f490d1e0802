//! Pixels to files: JPEG, or PNG where something shines through. Without any metadata; sRGB is what that means.

use jpeg_encoder::{ColorType, Encoder};

use crate::photos::picture::Format;
use crate::photos::picture::pixels::{Layout, Pixels};

/// Of JPEG, from 1 to 100: about a tenth of the bytes of 100, and nothing to be seen of it.
const QUALITY: u8 = 80;

/// A file and its format; `None` if the encoder cannot write it, which is a bug.
pub(super) fn encode(pixels: &Pixels) -> Option<(Format, Vec<u8>)> {
    match pixels.layout {
        Layout::Rgba => Some((Format::Png, png(pixels)?)),
        Layout::Gray => Some((Format::Jpeg, jpeg(pixels, ColorType::Luma)?)),
        Layout::Rgb => Some((Format::Jpeg, jpeg(pixels, ColorType::Rgb)?)),
        Layout::Cmyk => None,
    }
}

fn jpeg(pixels: &Pixels, colour: ColorType) -> Option<Vec<u8>> {
    let (width, height) = (u16::try_from(pixels.width).ok()?, u16::try_from(pixels.height).ok()?);
    let mut file = Vec::with_capacity(pixels.bytes.len() / 8);
    Encoder::new(&mut file, QUALITY).encode(&pixels.bytes, width, height, colour).ok()?;
    Some(file)
}

fn png(pixels: &Pixels) -> Option<Vec<u8>> {
    let mut file = Vec::with_capacity(pixels.bytes.len() / 2);
    let mut encoder = png::Encoder::new(&mut file, pixels.width, pixels.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels.bytes).ok()?;
    writer.finish().ok()?;
    Some(file)
}
