//! PNG, row by row, with eight bits a channel whatever it has.

use std::io::Cursor;

use png::{ColorType, Decoder, Limits, Reader, Transformations};

use crate::photos::picture::Refusal;
use crate::photos::picture::container::Clean;
use crate::photos::picture::pixels::{Layout, Pixels};
use crate::photos::picture::shrink::{Order, Shrink};

use super::BROKEN;

/// Chunks before the picture, and a row: half a megabyte where it is as long as may be.
const MAX_DECODER_BYTES: usize = 4 << 20;
/// Where each pass of an interlaced picture begins and how far its pixels are apart: x, y, across, down.
const PASSES: [(usize, usize, usize, usize); 7] =
    [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

pub(super) fn decode(clean: &Clean) -> Result<Pixels, Refusal> {
    let limits = Limits { bytes: MAX_DECODER_BYTES };
    let mut decoder = Decoder::new_with_limits(Cursor::new(clean.bytes.as_slice()), limits);
    // It is read already, and its length would count.
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|_| BROKEN)?;
    let (colour, _) = reader.output_color_type();
    let layout = match colour {
        ColorType::Grayscale => Layout::Gray,
        ColorType::Rgb => Layout::Rgb,
        ColorType::GrayscaleAlpha => Layout::GrayAlpha,
        ColorType::Rgba => Layout::Rgba,
        ColorType::Indexed => return Err(BROKEN),
    };
    let order = if reader.info().interlaced { Order::Interlaced } else { Order::FromTheTop };
    let mut shrink = Shrink::new((clean.width, clean.height), layout, order);
    let (width, height) = (clean.width as usize, clean.height as usize);
    match order {
        Order::FromTheTop => {
            for y in 0..height {
                add_row(&mut reader, &mut shrink, (0, y, 1))?;
            }
        }
        Order::Interlaced => {
            for (x, y, across, down) in PASSES.into_iter().filter(|(x, ..)| *x < width) {
                for y in (y..height).step_by(down) {
                    add_row(&mut reader, &mut shrink, (x, y, across))?;
                }
            }
        }
    }
    Ok(shrink.end())
}

fn add_row(
    reader: &mut Reader<Cursor<&[u8]>>,
    shrink: &mut Shrink,
    (x, y, step): (usize, usize, usize),
) -> Result<(), Refusal> {
    let row = reader.next_row().map_err(|_| BROKEN)?.ok_or(BROKEN)?;
    shrink.add(y, x, step, row.data());
    Ok(())
}
