//! The codes of a scan: what each kind of scan says of its blocks (T.81, F.2 and G.2).

use super::bits::{BitReader, BitWriter};
use super::frame::Scan;
use super::huffman::Codes;

/// Bits of the difference between two first coefficients.
const MAX_DIFFERENCE_BITS: u8 = 15;

/// The tables in force.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) dc: [Option<Codes>; 4],
    pub(super) ac: [Option<Codes>; 4],
    /// Units between restart markers; 0 if there are none.
    pub(super) restart: u64,
}

/// How far an interval was followed.
#[derive(Clone, Copy, Default)]
pub(super) struct Walked {
    /// Whole units.
    pub(super) units: u64,
    /// Bits up to the end of the last one.
    pub(super) bits: usize,
    /// The first coefficients of the last blocks.
    values: [i32; 4],
    /// Blocks that the last code says nothing more of.
    run: u32,
}

/// A block of a unit.
struct Block<'t> {
    /// Which component of the scan.
    part: usize,
    dc: Option<&'t Codes>,
    ac: Option<&'t Codes>,
}

pub(super) struct Coder<'t> {
    kind: Kind,
    blocks: Vec<Block<'t>>,
    first: u32,
    last: u32,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Whole blocks, or their first coefficients.
    First,
    /// One more bit of first coefficients.
    Refine,
    /// Other coefficients of one component.
    Rest,
    /// One more bit of those.
    RefineRest,
}

impl<'t> Coder<'t> {
    /// `None` if a table is missing or broken.
    pub(super) fn new(scan: &Scan, tables: &'t Tables) -> Option<Self> {
        let kind = match (scan.first > 0, scan.refines()) {
            (false, false) => Kind::First,
            (false, true) => Kind::Refine,
            (true, false) => Kind::Rest,
            (true, true) => Kind::RefineRest,
        };
        let mut blocks = Vec::new();
        for (number, part) in scan.parts.iter().enumerate() {
            for _ in 0..part.blocks {
                let table = |tables: &'t [Option<Codes>; 4], id: u8| tables.get(usize::from(id))?.as_ref();
                let dc = if scan.needs_dc() { Some(table(&tables.dc, part.dc)?) } else { None };
                let ac = if scan.needs_ac() { Some(table(&tables.ac, part.ac)?) } else { None };
                blocks.push(Block { part: number, dc, ac });
            }
        }
        Some(Self { kind, blocks, first: scan.first.into(), last: scan.last.into() })
    }

    /// Follows up to `count` units.
    pub(super) fn walk(&self, bits: &mut BitReader<'_>, bytes: usize, count: u64, masks: &mut [u64]) -> Walked {
        match (self.kind, self.blocks.first().and_then(|block| block.ac)) {
            (Kind::Rest, Some(ac)) => self.rest(bits, ac, count, masks),
            (Kind::RefineRest, Some(ac)) => self.refine_rest(bits, ac, count, masks),
            (Kind::Refine, _) => {
                let units = count.min((bytes * 8 / self.blocks.len().max(1)) as u64);
                let bits = usize::try_from(units).unwrap_or(usize::MAX).saturating_mul(self.blocks.len());
                Walked { units, bits, ..Walked::default() }
            }
            _ => self.first(bits, count),
        }
    }

    fn first(&self, bits: &mut BitReader<'_>, count: u64) -> Walked {
        let mut values = [0_i32; 4];
        for units in 0..count {
            let walked = Walked { units, bits: bits.position(), values, run: 0 };
            for block in &self.blocks {
                let Some(difference) = block.follow(bits) else { return walked };
                values.get_mut(block.part).into_iter().for_each(|value| *value = value.wrapping_add(difference));
            }
            if bits.is_over() {
                return walked;
            }
        }
        Walked { units: count, bits: bits.position(), values, run: 0 }
    }

    fn rest(&self, bits: &mut BitReader<'_>, ac: &Codes, count: u64, masks: &mut [u64]) -> Walked {
        let mut units = 0;
        while units < count {
            let walked = Walked { units, bits: bits.position(), ..Walked::default() };
            let (mut at, mut mask, mut run) = (self.first, 0, 1);
            while at <= self.last {
                bits.refill();
                let Some(symbol) = ac.symbol(bits) else { return walked };
                let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
                match (zeros, size) {
                    (15, 0) => at += 16,
                    (exponent, 0) => {
                        run = (1 << exponent) + bits.take(exponent);
                        break;
                    }
                    _ if at + zeros > self.last => return walked,
                    _ => {
                        at += zeros;
                        mask |= 1 << at;
                        at += 1;
                        bits.skip(size);
                    }
                }
            }
            if bits.is_over() {
                return walked;
            }
            let known = usize::try_from(units).ok().and_then(|unit| masks.get_mut(unit));
            known.into_iter().for_each(|known| *known |= mask);
            units += u64::from(run);
        }
        Walked { units: count, bits: bits.position(), ..Walked::default() }
    }

    fn refine_rest(&self, bits: &mut BitReader<'_>, ac: &Codes, count: u64, masks: &mut [u64]) -> Walked {
        let mut run = 0;
        for (units, mask) in (0..count).zip(masks) {
            let walked = Walked { units, bits: bits.position(), run, ..Walked::default() };
            let (mut at, mut new) = (self.first, 0);
            while run == 0 && at <= self.last {
                bits.refill();
                let Some(symbol) = ac.symbol(bits) else { return walked };
                let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
                match size {
                    0 if zeros < 15 => {
                        run = (1 << zeros) + bits.take(zeros);
                        break;
                    }
                    0 => {}
                    // Its sign.
                    _ => bits.skip(1),
                }
                let mut known = 0;
                while at <= self.last {
                    if *mask >> at & 1 == 1 {
                        known += 1;
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    at += 1;
                }
                bits.skip_far(known);
                if size > 0 && at <= self.last {
                    new |= 1 << at;
                }
                at += 1;
            }
            if run > 0 {
                bits.skip_far((*mask & self.between(at)).count_ones());
                run -= 1;
            }
            if bits.is_over() {
                return walked;
            }
            *mask |= new;
        }
        Walked { units: count, bits: bits.position(), run, ..Walked::default() }
    }

    /// The coefficients of the scan from this one on, as bits.
    fn between(&self, at: u32) -> u64 {
        (u64::MAX << at) & (u64::MAX >> (63 - self.last))
    }

    /// Writes units that are missing: gray blocks, or such as change nothing. `None` if no code says so.
    pub(super) fn fill(&self, out: &mut BitWriter, walked: &Walked, count: u64, masks: &[u64]) -> Option<()> {
        let ac = self.blocks.first().and_then(|block| block.ac);
        let mut values = walked.values;
        let mut run = u64::from(walked.run);
        let mut left = count - walked.units;
        let masks = masks.get(usize::try_from(walked.units).ok()?..).unwrap_or_default();
        match self.kind {
            Kind::First => {
                for _ in 0..left {
                    for block in &self.blocks {
                        block.fill(out, std::mem::take(values.get_mut(block.part)?))?;
                    }
                }
            }
            Kind::Refine => (0..left).for_each(|_| self.blocks.iter().for_each(|_| out.put(0, 1))),
            Kind::Rest => {
                while left > 0 {
                    left -= end_of_blocks(out, ac?, left)?;
                }
            }
            Kind::RefineRest => {
                for (left, mask) in (1..=left).rev().zip(masks) {
                    if run == 0 {
                        run = end_of_blocks(out, ac?, left)?;
                    }
                    (0..(mask & self.between(self.first)).count_ones()).for_each(|_| out.put(0, 1));
                    run -= 1;
                }
            }
        }
        Some(())
    }
}

/// Writes that so many blocks at most have nothing more, and tells how many.
fn end_of_blocks(out: &mut BitWriter, ac: &Codes, most: u64) -> Option<u64> {
    (0..15_u8).rev().filter(|exponent| 1 << exponent <= most).find_map(|exponent| {
        let (code, length) = ac.code(exponent << 4)?;
        out.put(code, length);
        out.put(0, exponent.into());
        Some(1 << exponent)
    })
}

impl Block<'_> {
    /// Passes the codes of a block, and tells by how much its first coefficient differs from that of the one before.
    fn follow(&self, bits: &mut BitReader<'_>) -> Option<i32> {
        let mut difference = 0;
        if let Some(dc) = self.dc {
            bits.refill();
            let size = u32::from(dc.symbol(bits)?);
            if size > MAX_DIFFERENCE_BITS.into() {
                return None;
            }
            let value = i32::try_from(bits.take(size)).ok()?;
            // Values whose first bit is 0 are negative.
            let is_negative = size > 0 && value >> (size - 1) == 0;
            difference = if is_negative { value - (1 << size) + 1 } else { value };
        }
        if let Some(ac) = self.ac {
            let mut at = 1;
            while at < 64 {
                bits.refill();
                let symbol = ac.symbol(bits)?;
                let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
                match (zeros, size) {
                    (15, 0) => at += 16,
                    (_, 0) => break,
                    _ if at + zeros > 63 => return None,
                    _ => {
                        at += zeros + 1;
                        bits.skip(size);
                    }
                }
            }
        }
        Some(difference)
    }

    /// Writes a block whose first coefficient becomes 0 after this value, and the others too.
    fn fill(&self, out: &mut BitWriter, value: i32) -> Option<()> {
        if let Some(dc) = self.dc {
            let size = 32 - value.unsigned_abs().leading_zeros();
            let by_size = u8::try_from(size).ok().filter(|size| *size <= MAX_DIFFERENCE_BITS);
            if let Some((code, length)) = by_size.and_then(|size| dc.code(size)) {
                out.put(code, length);
                let difference = if value > 0 { (1 << size) - 1 - value } else { -value };
                out.put(u32::try_from(difference).unwrap_or_default(), size);
            } else {
                // Without a code for it, the block goes on as the one before.
                let (code, length) = dc.code(0)?;
                out.put(code, length);
            }
        }
        if let Some(ac) = self.ac {
            let (code, length) = ac.code(0)?;
            out.put(code, length);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_block_is_written_whatever_the_coefficients_before_it_add_up_to() {
        // One code of eight bits for each size from 0 to 32, also for those that no file may have.
        let table: Vec<u8> = [0, 0, 0, 0, 0, 0, 0, 33, 0, 0, 0, 0, 0, 0, 0, 0].into_iter().chain(0..=32).collect();
        let dc = Codes::new(&table).expect("a table");
        let block = Block { part: 0, dc: Some(&dc), ac: None };
        for (value, left) in
            [(5, 0), (-5, 0), (32_767, 0), (40_000, 40_000), (i32::MAX, i32::MAX), (i32::MIN, i32::MIN)]
        {
            let mut out = BitWriter::new(&[], 0);
            block.fill(&mut out, value).expect("a code");
            let mut bytes = Vec::new();
            out.finish(&mut bytes);
            let difference = block.follow(&mut BitReader::new(&bytes)).expect("a block");
            assert_eq!(value.wrapping_add(difference), left, "{value}");
        }
    }
}
