//! The tables of a JPEG: quantization, Huffman codes and the restart interval.
//!
//! A segment may define several tables, and a table again. A definition that no scan uses is no part of the image.

use crate::photos::picture::Refusal;
use crate::photos::picture::reader::Reader;

use super::frame::{Frame, Scan};
use super::{DHT, DQT, DRI, MISPLACED};

/// Which table: four for quantization, four of each kind of Huffman codes, and the restart interval.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u16);

impl Key {
    pub(super) const RESTART: Self = Self(1 << 12);

    fn quantization(id: u8) -> Self {
        Self(1 << (id & 3))
    }

    pub(super) fn dc(id: u8) -> Self {
        Self(1 << (4 + (id & 3)))
    }

    pub(super) fn ac(id: u8) -> Self {
        Self(1 << (8 + (id & 3)))
    }
}

/// A set of tables.
#[derive(Clone, Copy, Default)]
pub(super) struct Keys(u16);

impl Keys {
    /// The tables that a scan uses.
    pub(super) fn of_scan(frame: &Frame, scan: &Scan) -> Self {
        let mut keys = Self::default();
        keys.insert(Key::RESTART);
        for part in &scan.parts {
            keys.insert(Key::quantization(frame.components.get(part.component).map_or(0, |component| component.table)));
            for key in Self::huffman(scan, part.dc, part.ac) {
                keys.insert(key);
            }
        }
        keys
    }

    pub(super) fn huffman(scan: &Scan, dc: u8, ac: u8) -> impl Iterator<Item = Key> {
        let dc = scan.needs_dc().then_some(Key::dc(dc));
        dc.into_iter().chain(scan.needs_ac().then_some(Key::ac(ac)))
    }

    pub(super) fn insert(&mut self, key: Key) {
        self.0 |= key.0;
    }

    pub(super) fn insert_all(&mut self, keys: Self) {
        self.0 |= keys.0;
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.0 &= !key.0;
    }

    pub(super) fn contains(self, key: Key) -> bool {
        self.0 & key.0 != 0
    }
}

/// A definition in a segment, with the byte that names it.
pub(super) struct Definition<'a> {
    pub(super) key: Key,
    pub(super) content: &'a [u8],
}

impl<'a> Definition<'a> {
    /// All definitions of a segment; bytes behind them are dropped.
    pub(super) fn all(marker: u8, content: &'a [u8]) -> Result<Vec<Self>, Refusal> {
        let mut reader = Reader::new(content);
        if marker == DRI {
            return Ok(vec![Self { key: Key::RESTART, content: reader.take(2)? }]);
        }
        let mut definitions = Vec::new();
        while !reader.is_empty() {
            let whole = reader.rest();
            let name = reader.byte()?;
            let (kind, id) = (name >> 4, name & 15);
            if kind > 1 || id > 3 {
                // What follows the tables is none.
                if definitions.is_empty() { return Err(MISPLACED) } else { break }
            }
            let (key, length) = match (marker, kind) {
                (DQT, 0) => (Key::quantization(id), 64),
                (DQT, _) => (Key::quantization(id), 128),
                (_, 0) => (Key::dc(id), symbols(reader)?),
                (_, _) => (Key::ac(id), symbols(reader)?),
            };
            let Ok(_) = reader.take(length) else { if definitions.is_empty() { return Err(MISPLACED) } else { break } };
            definitions.push(Self { key, content: whole.get(..=length).unwrap_or_default() });
        }
        Ok(definitions)
    }
}

/// Bytes of a Huffman table: sixteen counts, and their symbols.
fn symbols(mut reader: Reader<'_>) -> Result<usize, Refusal> {
    let counts: [u8; 16] = reader.array()?;
    Ok(counts.len() + counts.into_iter().map(usize::from).sum::<usize>())
}

/// The tables of T.81, K.3 to K.6, with the marker of their segment and the byte that names each. Frames of a film
/// (MJPEG) go without them; so do stills that are cut out of one.
pub(super) fn standard(key: Key) -> Option<(u8, &'static [u8])> {
    let content: &[u8] = if key == Key::dc(0) {
        &DC_LUMINANCE
    } else if key == Key::dc(1) {
        &DC_CHROMINANCE
    } else if key == Key::ac(0) {
        &AC_LUMINANCE
    } else if key == Key::ac(1) {
        &AC_CHROMINANCE
    } else {
        return None;
    };
    Some((DHT, content))
}

const DC_LUMINANCE: [u8; 29] =
    [0x00, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const DC_CHROMINANCE: [u8; 29] =
    [0x01, 0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const AC_LUMINANCE: [u8; 179] = *b"\
\x10\x00\x02\x01\x03\x03\x02\x04\x03\x05\x05\x04\x04\x00\x00\x01\x7d\
\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xa1\x08\x23\x42\xb1\xc1\x15\
\x52\xd1\xf0\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28\x29\x2a\x34\x35\x36\x37\x38\x39\x3a\x43\
\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\
\x79\x7a\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\
\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2\xe3\
\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa";
const AC_CHROMINANCE: [u8; 179] = *b"\
\x11\x00\x02\x01\x02\x04\x04\x03\x04\x07\x05\x04\x04\x00\x01\x02\x77\
\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91\xa1\xb1\xc1\x09\x23\
\x33\x52\xf0\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26\x27\x28\x29\x2a\x35\x36\x37\x38\x39\x3a\
\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\
\x78\x79\x7a\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\
\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe2\
\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa";
