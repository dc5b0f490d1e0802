//! Pixels to files: JPEG, or PNG if that is shorter or keeps transparency. Without any metadata; sRGB is what that means.

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};

use crate::photos::picture::Format;
use crate::photos::picture::container::Coding;
use crate::photos::picture::pixels::{Layout, Pixels};

/// Of a photo as JPEG, from 1 to 100: about a tenth of the bytes of 100, and nothing to be seen of it.
const QUALITY: u8 = 80;
/// Of images with a color for each pixel. At 80, colors of lines of one pixel are off by up to 7 of 255.
const FULL_COLOR_QUALITY: u8 = 90;

/// A JPEG of less fits into a block of a disk, and into a few packets.
const MIN_COMPARED_BYTES: usize = 4096;

/// A file and its format; `None` if the encoder cannot write it, which is a bug.
pub(super) fn encode(pixels: &Pixels, coding: Coding) -> Option<(Format, Vec<u8>)> {
    let color = match pixels.layout {
        Layout::Gray => ColorType::Luma,
        Layout::Rgb => ColorType::Rgb,
        Layout::GrayAlpha | Layout::Rgba => return Some((Format::Png, png(pixels)?)),
        Layout::Cmyk => return None,
    };
    let jpeg = jpeg(pixels, color, coding)?;
    if coding == Coding::Lossless && jpeg.len() > MIN_COMPARED_BYTES {
        // Drawings and screenshots have few colors and sharp edges: as PNG they are often shorter, and exact.
        let png = png(pixels)?;
        if png.len() <= jpeg.len() {
            return Some((Format::Png, png));
        }
    }
    Some((Format::Jpeg, jpeg))
}

fn jpeg(pixels: &Pixels, color: ColorType, coding: Coding) -> Option<Vec<u8>> {
    let (width, height) = (u16::try_from(pixels.width).ok()?, u16::try_from(pixels.height).ok()?);
    let mut file = Vec::with_capacity(pixels.bytes.len() / 8);
    // A color for four pixels is enough for photos; lines and text would lose theirs. The mean of the four, since the
    // first of them may be of another color than the rest.
    let is_shared = coding == Coding::SharedColor;
    let (quality, sampling) =
        if is_shared { (QUALITY, SamplingFactor::F_2_2) } else { (FULL_COLOR_QUALITY, SamplingFactor::F_1_1) };
    let mut encoder = Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(sampling);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.encode(&pixels.bytes, width, height, color).ok()?;
    Some(file)
}

fn png(pixels: &Pixels) -> Option<Vec<u8>> {
    let mut file = Vec::with_capacity(pixels.bytes.len() / 2);
    let mut encoder = png::Encoder::new(&mut file, pixels.width, pixels.height);
    encoder.set_color(match pixels.layout {
        Layout::Gray => png::ColorType::Grayscale,
        Layout::GrayAlpha => png::ColorType::GrayscaleAlpha,
        Layout::Rgb => png::ColorType::Rgb,
        Layout::Rgba | Layout::Cmyk => png::ColorType::Rgba,
    });
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels.bytes).ok()?;
    writer.finish().ok()?;
    Some(file)
}
