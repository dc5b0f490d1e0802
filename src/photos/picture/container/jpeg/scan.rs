//! One scan of a JPEG: its codes are followed to the last block, and what is written ends there.
//!
//! Restart markers are brought into order as libjpeg does it: a part that is missing stays gray, and bytes before a
//! marker are passed over. What is missing is written as blocks that say nothing, so that every decoder sees a whole
//! image.

use crate::photos::picture::Refusal;
use crate::photos::picture::container::{TOO_LITTLE, is_enough};

use super::bits::{BitReader, BitWriter};
use super::codes::{Coder, Tables};
use super::frame::Scan;

/// Writes the compressed data of a scan. The masks of a component tell which coefficients of its blocks are not zero.
pub(super) fn rewrite(
    data: &[u8],
    scan: &Scan,
    tables: &Tables,
    masks: &mut [Vec<u64>],
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let coder = Coder::new(scan, tables).ok_or(Refusal::Broken { why: "its Huffman tables make no sense" })?;
    let component = scan.parts.first().map_or(0, |part| part.component);
    let masks = masks.get_mut(component).map(Vec::as_mut_slice).unwrap_or_default();
    let interval = if tables.restart == 0 { scan.units } else { tables.restart };
    let mut pieces = Pieces { rest: data, marker: None };
    let mut piece = pieces.data();
    let (mut first, mut found, mut number) = (0, 0, 0);
    while first < scan.units {
        if first > 0 {
            piece = pieces.after_restart(number);
            out.extend([0xff, 0xd0 | number]);
            number = (number + 1) & 7;
        }
        let count = interval.min(scan.units - first);
        let start = usize::try_from(first).unwrap_or(usize::MAX).min(masks.len());
        let masks = masks.get_mut(start..).unwrap_or_default();
        let walked = coder.walk(&mut BitReader::new(&piece), piece.len(), count, masks);
        found += walked.units;
        first += count;
        if !is_enough(scan.units - (first - found), scan.units) {
            return Err(TOO_LITTLE);
        }
        let mut writer = BitWriter::new(&piece, walked.bits);
        coder.fill(&mut writer, &walked, count, masks).ok_or(TOO_LITTLE)?;
        writer.finish(out);
    }
    Ok(())
}

/// The compressed data between markers.
struct Pieces<'a> {
    rest: &'a [u8],
    /// The marker before what is left.
    marker: Option<u8>,
}

impl Pieces<'_> {
    /// The bytes up to the next marker, without the zeros behind 0xFF.
    fn data(&mut self) -> Vec<u8> {
        let mut data = Vec::with_capacity(if self.marker.is_none() { self.rest.len() } else { 0 });
        self.marker = None;
        while let Some(at) = self.rest.iter().position(|byte| *byte == 0xff) {
            let (before, after) = self.rest.split_at(at);
            data.extend_from_slice(before);
            let fill = after.iter().take_while(|byte| **byte == 0xff).count();
            self.rest = after.get(fill + 1..).unwrap_or_default();
            match after.get(fill) {
                Some(0) => data.push(0xff),
                marker => {
                    self.marker = marker.copied();
                    return data;
                }
            }
        }
        data.extend_from_slice(self.rest);
        self.rest = &[];
        data
    }

    /// The bytes behind the restart marker of this number; none if they are missing.
    fn after_restart(&mut self, number: u8) -> Vec<u8> {
        while let Some(marker) = self.marker {
            let is_restart = matches!(marker, 0xd0..=0xd7);
            match marker.wrapping_sub(number) & 7 {
                // One of the next two: the part before it is missing.
                1 | 2 if is_restart => return Vec::new(),
                // One of the last two, or none: the right one is still to come.
                6 | 7 if is_restart => {}
                // The right one, or one that is too far away to be in order.
                _ if is_restart => return self.data(),
                _ => {}
            }
            drop(self.data());
        }
        Vec::new()
    }
}
