//! Huffman codes of a JPEG.

use super::bits::BitReader;

/// Codes up to this length are looked up at once.
const LOOKUP_BITS: u32 = 10;

/// A table of codes.
pub(super) struct Codes {
    /// Length and symbol of the code that so many bits begin with; 0 if it is longer, or none.
    lookup: Vec<u16>,
    /// Of each length from 1: the first code, how many there are, and where their symbols begin.
    lengths: [(u32, u32, usize); 16],
    symbols: Vec<u8>,
}

impl Codes {
    /// From how many codes have each length, and their symbols; `None` if there cannot be as many.
    pub(super) fn new(table: &[u8]) -> Option<Self> {
        let (counts, symbols) = table.split_first_chunk::<16>()?;
        let mut lengths = [(0, 0, 0); 16];
        let mut lookup = vec![0; 1 << LOOKUP_BITS];
        let (mut code, mut first) = (0_u32, 0);
        for ((bits, count), length) in (1..).zip(counts).zip(&mut lengths) {
            let count = u32::from(*count);
            *length = (code, count, first);
            if code + count > 1 << bits {
                return None;
            }
            if bits <= LOOKUP_BITS {
                let each = 1 << (LOOKUP_BITS - bits);
                let places = lookup.iter_mut().skip((code << (LOOKUP_BITS - bits)) as usize);
                let symbols = symbols.get(first..)?.iter().take(count as usize);
                let entries = symbols.flat_map(|symbol| std::iter::repeat_n(u16::from(*symbol), each));
                let bits = u16::try_from(bits).ok()?;
                places.zip(entries).for_each(|(place, symbol)| *place = bits << 8 | symbol);
            }
            first += count as usize;
            code = (code + count) << 1;
        }
        Some(Self { lookup, lengths, symbols: symbols.get(..first)?.to_vec() })
    }

    /// The symbol that comes next in the available bits; `None` if no code does.
    pub(super) fn symbol(&self, bits: &mut BitReader<'_>) -> Option<u8> {
        let [length, symbol] = self.lookup.get(bits.peek(LOOKUP_BITS) as usize)?.to_be_bytes();
        if length > 0 {
            bits.skip(length.into());
            return Some(symbol);
        }
        let ahead = bits.peek(16);
        for (length, (first, count, at)) in (1..).zip(self.lengths).skip(LOOKUP_BITS as usize) {
            let number = (ahead >> (16 - length)).checked_sub(first)?;
            if number < count {
                bits.skip(length);
                return self.symbols.get(at + number as usize).copied();
            }
        }
        None
    }

    /// The code of a symbol and its length.
    pub(super) fn code(&self, symbol: u8) -> Option<(u32, u32)> {
        let at = self.symbols.iter().position(|other| *other == symbol)?;
        (1..).zip(self.lengths).find_map(|(bits, (first, count, start))| {
            let number = u32::try_from(at.checked_sub(start)?).ok()?;
            (number < count).then_some((first + number, bits))
        })
    }
}
