//! GIF: the first frame in its place on the screen, which is transparent elsewhere.

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use crate::photos::picture::container::Clean;
use crate::photos::picture::pixels::{Layout, Pixels};
use crate::photos::picture::shrink::{Order, Shrink};
use crate::photos::picture::{MAX_WORKING_BYTES, Refusal};

use super::BROKEN;

pub(super) fn decode(clean: &Clean) -> Result<Pixels, Refusal> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(MAX_WORKING_BYTES.try_into().map_err(|_| BROKEN)?));
    let mut decoder = options.read_info(clean.bytes.as_slice()).map_err(|_| BROKEN)?;
    let frame = decoder.next_frame_info().map_err(|_| BROKEN)?.ok_or(BROKEN)?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (width, transparent) = (usize::from(frame.width), frame.transparent);
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(|_| BROKEN)?;
    let colours = palette(decoder.palette().map_err(|_| BROKEN)?, transparent);

    let across = clean.width as usize;
    let mut shrink = Shrink::new((clean.width, clean.height), Layout::Rgba, Order::FromTheTop);
    let mut row = Vec::with_capacity(across * 4);
    for y in 0..clean.height as usize {
        row.clear();
        let line = y.checked_sub(top).and_then(|y| indices.get(y * width..(y + 1) * width));
        if let Some(line) = line {
            row.resize(left.min(across) * 4, 0);
            let shown = line.iter().take(across.saturating_sub(left));
            row.extend(shown.flat_map(|&index| colours.get(usize::from(index)).copied().unwrap_or_default()));
        }
        row.resize(across * 4, 0);
        shrink.add(y, 0, 1, &row);
    }
    Ok(shrink.end())
}

/// The colours of a frame with their transparency; those that are not there show nothing.
fn palette(colours: &[u8], transparent: Option<u8>) -> Vec<[u8; 4]> {
    let colours = colours.as_chunks::<3>().0.iter().zip(0..=u8::MAX);
    colours
        .map(|(&[red, green, blue], index)| match transparent {
            Some(transparent) if transparent == index => [0; 4],
            _ => [red, green, blue, u8::MAX],
        })
        .collect()
}
