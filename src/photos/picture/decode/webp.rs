//! WebP: the only picture, or the first frame of an animation in its place on the canvas, as a still file of its own.

use std::io::Cursor;

use image_webp::WebPDecoder;

use crate::photos::picture::Refusal;
use crate::photos::picture::container::{Clean, webp};
use crate::photos::picture::pixels::{Layout, Pixels};
use crate::photos::picture::shrink::{Order, Shrink};

use super::BROKEN;

pub(super) fn decode(clean: &Clean) -> Result<Pixels, Refusal> {
    let frame = webp::first_frame(&clean.bytes)?;
    let is_opaque = frame.alpha.is_none() && !frame.has_lossless_alpha();
    let mut still = webp::still(&frame);
    if frame.lossless {
        // Said to have alpha, its four bytes a pixel are decoded in place instead of into a copy. The flag is after
        // RIFF, name and length of the chunk (20 bytes), a signature and 28 bits of size.
        still.get_mut(24).into_iter().for_each(|byte| *byte |= 0x10);
    }
    let mut decoder = WebPDecoder::new(Cursor::new(still)).map_err(|_| BROKEN)?;
    if decoder.dimensions() != (frame.width, frame.height) {
        return Err(BROKEN);
    }
    let mut bytes = vec![0; decoder.output_buffer_size().ok_or(BROKEN)?];
    decoder.read_image(&mut bytes).map_err(|_| BROKEN)?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    drop(decoder);

    let fills = (frame.x, frame.y, frame.width, frame.height) == (0, 0, clean.width, clean.height);
    let layout = if fills && is_opaque { Layout::Rgb } else { Layout::Rgba };
    let (across, left, top) = (clean.width as usize * layout.channels(), frame.x as usize * 4, frame.y as usize);
    let stride = frame.width as usize * channels;
    let mut shrink = Shrink::new((clean.width, clean.height), layout, Order::FromTheTop);
    let mut row = Vec::with_capacity(across);
    for y in 0..clean.height as usize {
        row.clear();
        if let Some(line) = y.checked_sub(top).and_then(|y| bytes.get(y * stride..(y + 1) * stride)) {
            row.resize(left, 0);
            for pixel in line.chunks_exact(channels) {
                row.extend(pixel.iter().take(3));
                if layout == Layout::Rgba {
                    row.push(if is_opaque { u8::MAX } else { pixel.last().copied().unwrap_or(u8::MAX) });
                }
            }
        }
        row.resize(across, 0);
        shrink.add(y, 0, 1, &row);
    }
    Ok(shrink.end())
}
