//! The headers of a JPEG's frame and scans: how many blocks there are, and which of them a scan has.

use crate::photos::picture::Refusal;
use crate::photos::picture::reader::Reader;

use super::MISPLACED;

#[derive(Clone, Copy)]
pub(super) struct Component {
    id: u8,
    across: u32,
    down: u32,
    /// Quantization.
    pub(super) table: u8,
    /// Blocks of a scan with this component alone.
    pub(super) blocks: u64,
}

pub(super) struct Frame {
    pub(super) progressive: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: Vec<Component>,
    /// Units of a scan with several components.
    units: u64,
}

impl Frame {
    pub(super) fn new(progressive: bool, content: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(content);
        let precision = reader.byte()?;
        let (height, width) = (u32::from(reader.u16_be()?), u32::from(reader.u16_be()?));
        let count = reader.byte()?;
        if precision != 8 {
            return Err(Refusal::Unsupported { found: "JPEG with more than 8 bits a channel" });
        }
        if height == 0 && width > 0 {
            return Err(Refusal::Unsupported { found: "JPEG that names its height only at its end" });
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Refusal::Unsupported { found: "JPEG that is neither gray nor RGB nor CMYK" });
        }
        let mut components = Vec::new();
        for _ in 0..count {
            let [id, sampling, table] = reader.array()?;
            let (across, down) = (u32::from(sampling >> 4), u32::from(sampling & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) || table > 3 {
                return Err(Refusal::Broken { why: "its colors are sampled in no known way" });
            }
            components.push(Component { id, across, down, table, blocks: 0 });
        }
        let most_across = components.iter().map(|component| component.across).max().unwrap_or(1);
        let most_down = components.iter().map(|component| component.down).max().unwrap_or(1);
        let blocks = |length: u32, sampling: u32, most: u32| u64::from((length * sampling).div_ceil(most).div_ceil(8));
        for component in &mut components {
            component.blocks = blocks(width, component.across, most_across) * blocks(height, component.down, most_down);
        }
        let units = blocks(width, 1, most_across) * blocks(height, 1, most_down);
        Ok(Self { progressive, width, height, components, units })
    }

    /// Bytes of its header that mean something.
    pub(super) fn header_bytes(&self) -> usize {
        6 + 3 * self.components.len()
    }

    /// Whether all components have the same resolution.
    pub(super) fn has_full_color(&self) -> bool {
        let samplings = self.components.iter().map(|component| (component.across, component.down));
        samplings.clone().zip(samplings.skip(1)).all(|(one, other)| one == other)
    }

    /// Blocks of all components, in whole units.
    pub(super) fn blocks(&self) -> u64 {
        self.units * self.components.iter().map(|component| u64::from(component.across * component.down)).sum::<u64>()
    }
}

/// A component in a scan.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// Which component of the frame.
    pub(super) component: usize,
    /// Huffman tables.
    pub(super) dc: u8,
    pub(super) ac: u8,
    /// Blocks in each unit.
    pub(super) blocks: u32,
}

/// The header of a scan.
pub(super) struct Scan {
    pub(super) parts: Vec<Part>,
    /// The first and the last coefficient.
    pub(super) first: u8,
    pub(super) last: u8,
    /// The bit that came before this scan, or 0, and the one that comes with it.
    pub(super) high: u8,
    pub(super) low: u8,
    /// Units, each of some blocks.
    pub(super) units: u64,
}

impl Scan {
    pub(super) fn new(content: &[u8], frame: &Frame) -> Result<Self, Refusal> {
        let mut reader = Reader::new(content);
        let count = usize::from(reader.byte()?);
        let mut parts: Vec<Part> = Vec::new();
        for _ in 0..count {
            let [id, tables] = reader.array()?;
            let component = frame.components.iter().position(|component| component.id == id).ok_or(MISPLACED)?;
            let (dc, ac) = (tables >> 4, tables & 15);
            if dc > 3 || ac > 3 || parts.iter().any(|part| part.component == component) {
                return Err(MISPLACED);
            }
            let blocks =
                frame.components.get(component).map_or(1, |it| if count == 1 { 1 } else { it.across * it.down });
            parts.push(Part { component, dc, ac, blocks });
        }
        let [first, last, bits] = reader.array()?;
        let (high, low) = (bits >> 4, bits & 15);
        let units = match parts.first().ok_or(MISPLACED)? {
            part if count == 1 => frame.components.get(part.component).map_or(0, |component| component.blocks),
            _ => frame.units,
        };
        if !frame.progressive {
            // Some cameras write zeros.
            return Ok(Self { parts, first: 0, last: 63, high: 0, low: 0, units });
        }
        let is_dc = first == 0 && last == 0;
        let is_ac = (1..64).contains(&first) && (first..64).contains(&last) && count == 1;
        if !(is_dc || is_ac) || low > 13 || (high > 0 && high != low + 1) {
            return Err(Refusal::Broken { why: "a JPEG scan has impossible parameters" });
        }
        Ok(Self { parts, first, last, high, low, units })
    }

    /// The header as it is written.
    pub(super) fn content(&self, frame: &Frame) -> Vec<u8> {
        let mut content = vec![u8::try_from(self.parts.len()).unwrap_or(u8::MAX)];
        for part in &self.parts {
            let id = frame.components.get(part.component).map_or(0, |component| component.id);
            content.extend([id, part.dc << 4 | part.ac]);
        }
        content.extend([self.first, self.last, self.high << 4 | self.low]);
        content
    }

    pub(super) fn blocks(&self) -> u64 {
        self.units * self.parts.iter().map(|part| u64::from(part.blocks)).sum::<u64>()
    }

    pub(super) fn needs_dc(&self) -> bool {
        self.first == 0 && self.high == 0
    }

    pub(super) fn needs_ac(&self) -> bool {
        self.last > 0
    }

    /// Whether it goes on with coefficients that others began.
    pub(super) fn refines(&self) -> bool {
        self.high > 0
    }
}
