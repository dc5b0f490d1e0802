//! The codes of a GIF frame (LZW), followed to the last pixel without making any: what comes behind it is no image.

use crate::photos::picture::Refusal;
use crate::photos::picture::container::is_enough;
use crate::photos::picture::reader::Reader;

const MAX_CODES: usize = 4096;

/// The codes of a frame.
pub(super) struct Codes {
    /// In blocks of a length and as many bytes, with the empty one at their end.
    pub(super) blocks: Vec<u8>,
    /// Pixels that they make, at least.
    pub(super) pixels: u64,
    /// Whether the file ended before them.
    pub(super) is_cut: bool,
}

/// Takes the blocks of a frame, and cuts them to its pixels. Pixels that are missing are filled with the first color
/// if wanted.
pub(super) fn trim(reader: &mut Reader<'_>, code_bits: u8, pixels: u64, fill: bool) -> Result<Codes, Refusal> {
    if !(1..=11).contains(&code_bits) {
        return Err(Refusal::Broken { why: "a GIF frame has codes of an impossible length" });
    }
    let start = reader.rest();
    let (data, is_cut) = data(reader);
    let mut walk = Walk::new(code_bits);
    while walk.pixels < pixels && walk.follow(&data) {}
    let mut codes = Writer::new(&data, walk.bit);
    let found = walk.pixels;
    if fill && is_enough(found, pixels) {
        for _ in found..pixels {
            codes.put(walk.clear, walk.width);
            walk.reset();
            codes.put(0, walk.width);
        }
    }
    codes.put(walk.clear + 1, walk.width);
    if codes.bytes == data && !is_cut {
        let blocks = start.get(..start.len() - reader.rest().len()).unwrap_or_default().to_vec();
        return Ok(Codes { blocks, pixels: found, is_cut });
    }
    let mut blocks = Vec::with_capacity(codes.bytes.len() + codes.bytes.len() / 255 + 2);
    for block in codes.bytes.chunks(255) {
        blocks.push(u8::try_from(block.len()).unwrap_or(u8::MAX));
        blocks.extend_from_slice(block);
    }
    blocks.push(0);
    Ok(Codes { blocks, pixels: found, is_cut })
}

/// The bytes of all blocks, and whether the file ended before the empty one.
fn data(reader: &mut Reader<'_>) -> (Vec<u8>, bool) {
    let mut data = Vec::new();
    while let Ok(length) = reader.byte() {
        if length == 0 {
            return (data, false);
        }
        let rest = reader.rest();
        let block = reader.take(length.into()).unwrap_or(rest);
        data.extend_from_slice(block);
        if block.len() < usize::from(length) {
            *reader = Reader::new(&[]);
        }
    }
    (data, true)
}

struct Walk {
    code_bits: u8,
    /// The code that empties the table; the next one ends the frame.
    clear: usize,
    /// Of a code, in bits.
    width: u8,
    /// Where the next code begins.
    bit: usize,
    /// How many pixels each code of the table stands for.
    lengths: Vec<u64>,
    /// The code that is defined next.
    next: usize,
    previous: Option<u64>,
    pixels: u64,
}

impl Walk {
    fn new(code_bits: u8) -> Self {
        let clear = 1 << code_bits;
        let (width, next) = (code_bits + 1, clear + 2);
        Self { code_bits, clear, width, bit: 0, lengths: vec![1; MAX_CODES], next, previous: None, pixels: 0 }
    }

    fn reset(&mut self) {
        (self.width, self.next, self.previous) = (self.code_bits + 1, self.clear + 2, None);
    }

    /// Takes the next code; false if there is none, or if it ends the frame or is undefined.
    fn follow(&mut self, data: &[u8]) -> bool {
        let end = self.bit + usize::from(self.width);
        if end > data.len() * 8 {
            return false;
        }
        let byte = |number: usize| data.get(self.bit / 8 + number).copied().map_or(0, usize::from);
        let bits = byte(0) | byte(1) << 8 | byte(2) << 16;
        let code = (bits >> (self.bit % 8)) & ((1 << self.width) - 1);
        if code == self.clear {
            self.bit = end;
            self.reset();
            return true;
        }
        let length = match self.previous {
            _ if code < self.clear => 1,
            _ if code > self.clear + 1 && code < self.next => self.lengths.get(code).copied().unwrap_or(1),
            Some(previous) if code == self.next => previous + 1,
            _ => return false,
        };
        self.bit = end;
        self.pixels += length;
        if let (Some(previous), Some(defined)) = (self.previous, self.lengths.get_mut(self.next)) {
            *defined = previous + 1;
            self.next += 1;
            if self.next == 1 << self.width && self.width < 12 {
                self.width += 1;
            }
        }
        self.previous = Some(length);
        true
    }
}

struct Writer {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken.
    used: u8,
}

impl Writer {
    /// With so many bits of the data.
    fn new(data: &[u8], bits: usize) -> Self {
        let mut bytes = data.get(..bits.div_ceil(8)).unwrap_or_default().to_vec();
        let used = u8::try_from(bits % 8).unwrap_or_default();
        if let Some(last) = bytes.last_mut().filter(|_| used > 0) {
            *last &= (1 << used) - 1;
        }
        Self { bytes, used }
    }

    fn put(&mut self, code: usize, width: u8) {
        for bit in 0..width {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let value = u8::from(code >> bit & 1 == 1) << self.used;
            if let Some(last) = self.bytes.last_mut() {
                *last |= value;
            }
            self.used = (self.used + 1) % 8;
        }
    }
}
