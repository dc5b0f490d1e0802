//! Chunks of a PNG, its header, and how long its rows are.

use crate::photos::picture::Refusal;
use crate::photos::picture::reader::Reader;

use super::MISPLACED;

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Where each pass of an interlaced image begins, and the distance of its pixels: x, y, across, down.
const PASSES: [(u32, u32, u32, u32); 7] =
    [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) name: [u8; 4],
    pub(super) content: &'a [u8],
    /// Whether its checksum matches.
    pub(super) is_intact: bool,
}

/// IHDR.
#[derive(Clone, Copy, Default)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    depth: u8,
    color: u8,
    pub(super) interlaced: bool,
}

impl Header {
    pub(super) fn new(chunk: &Chunk<'_>) -> Result<Self, Refusal> {
        if &chunk.name != b"IHDR" || chunk.content.len() != 13 || !chunk.is_intact {
            return Err(MISPLACED);
        }
        let mut content = Reader::new(chunk.content);
        let (width, height) = (content.u32_be()?, content.u32_be()?);
        let [depth, color, _compression, _filter, interlaced] = content.array()?;
        Ok(Self { width, height, depth, color, interlaced: interlaced != 0 })
    }

    /// Of a pixel.
    fn bits(&self) -> u64 {
        let channels = match self.color {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        };
        channels * u64::from(self.depth)
    }

    /// What is transparent, as it is written: of a gray or color, the bits that a pixel has.
    pub(super) fn transparency(&self, content: &[u8]) -> Option<Vec<u8>> {
        let mask = u16::try_from((1_u32 << self.depth.min(16)) - 1).unwrap_or(u16::MAX);
        let values = match self.color {
            0 => 1,
            2 => 3,
            3 => return Some(content.to_vec()),
            _ => return None,
        };
        let values = content.get(..2 * values)?.as_chunks::<2>().0.iter();
        Some(values.flat_map(|value| (u16::from_be_bytes(*value) & mask).to_be_bytes()).collect())
    }

    /// Bytes of an image of this size before compression: rows, each with its filter.
    pub(super) fn raw_bytes(&self, width: u32, height: u32) -> u64 {
        let rows = |width: u32, height: u32| match width {
            0 => 0,
            width => u64::from(height) * (1 + (u64::from(width) * self.bits()).div_ceil(8)),
        };
        if self.interlaced {
            let pass = |&(x, y, across, down): &(u32, u32, u32, u32)| {
                rows(width.saturating_sub(x).div_ceil(across), height.saturating_sub(y).div_ceil(down))
            };
            PASSES.iter().map(pass).sum()
        } else {
            rows(width, height)
        }
    }
}

/// Width and height in a frame's control chunk.
pub(super) fn frame_size(content: &[u8]) -> Result<(u32, u32), Refusal> {
    if content.len() != 26 {
        return Err(MISPLACED);
    }
    let mut reader = Reader::new(content);
    reader.take(4)?;
    Ok((reader.u32_be()?, reader.u32_be()?))
}

/// The next chunk; nothing is taken if it is not whole.
pub(super) fn next_chunk<'a>(reader: &mut Reader<'a>) -> Result<Chunk<'a>, Refusal> {
    let mut ahead = *reader;
    let length = ahead.u32_be()?;
    let name = ahead.array()?;
    let content = ahead.take(usize::try_from(length).unwrap_or(usize::MAX))?;
    let is_intact = ahead.u32_be()? == checksum(name, &[content]);
    *reader = ahead;
    Ok(Chunk { name, content, is_intact })
}

/// What is there of a chunk that ends too early; the end of the file if that is of no use.
pub(super) fn cut<'a>(reader: &mut Reader<'a>) -> Chunk<'a> {
    let (head, content) = reader.rest().split_at_checked(8).unwrap_or_default();
    let content = content.get(..content.len().min(length(head))).unwrap_or_default();
    *reader = Reader::new(&[]);
    match head.get(4..) {
        Some(b"IDAT") => Chunk { name: *b"IDAT", content, is_intact: true },
        Some(b"fdAT") => Chunk { name: *b"fdAT", content, is_intact: true },
        _ => Chunk { name: *b"IEND", content: &[], is_intact: true },
    }
}

fn length(head: &[u8]) -> usize {
    head.first_chunk().map_or(0, |length| usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX))
}

fn checksum(name: [u8; 4], content: &[&[u8]]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&name);
    content.iter().for_each(|part| checksum.update(part));
    checksum.finalize()
}

pub(super) fn put(bytes: &mut Vec<u8>, name: [u8; 4], content: &[&[u8]]) {
    let length = content.iter().map(|part| part.len()).sum::<usize>();
    // Never more than came in one chunk, whose length is a u32 as well, and a few bytes.
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(name);
    content.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.extend(checksum(name, content).to_be_bytes());
}
