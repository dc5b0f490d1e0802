//! JPEG: a chain of segments, with compressed data after each scan's header, up to its end marker.
//!
//! Written anew: JFIF (without its thumbnail), our EXIF, the ICC profile, Adobe's color note, the headers of frame and
//! scans. Copied: the tables that scans use, and the scans. Everything else goes, with all that follows the end marker,
//! such as a phone's second picture.
//!
//! Files that browsers show are repaired: bytes that belong to no segment are passed over, standard Huffman tables are
//! put in if none came, and the end marker is written in any case. `trim` then follows the codes of each scan.

mod bits;
mod codes;
mod frame;
mod huffman;
mod scan;
mod tables;
mod trim;

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::reader::{Reader, TOO_EARLY};
use crate::photos::picture::{Format, Limits, Refusal, exif};

use super::profile::{MAX_PROFILE_BYTES, sanitize};
use super::{Clean, Coding, check_memory, check_pixels};

use frame::{Frame, Scan};
use tables::{Definition, Keys, standard};
pub(super) use trim::finish;

/// Visits of blocks, over all scans: each costs some 50 ns, however little it says. A progressive image of 64 megapixels
/// has 14 million of them as encoders write it, at the full resolution of its colors.
const MAX_BLOCK_VISITS: u64 = 24_000_000;
/// A progressive image has about ten.
const MAX_SCANS: u64 = 100;
/// Bytes of a profile that fit into one segment.
const PROFILE_PIECE: usize = 65_519;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;

const JFIF: &[u8] = b"JFIF\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const ADOBE: &[u8] = b"Adobe";

const MISPLACED: Refusal = Refusal::Broken { why: "a JPEG segment is where none may be" };

/// A part of the image, as it is written.
enum Part<'a> {
    Tables(u8, Vec<Definition<'a>>),
    Segment(u8, Vec<u8>),
    /// A scan, the tables that it uses, and its compressed data.
    Scan(Vec<u8>, Keys, &'a [u8]),
}

#[derive(Default)]
struct Walk<'a> {
    frame: Option<Frame>,
    orientation: Option<Orientation>,
    jfif: Option<&'a [u8]>,
    profile: Vec<(u8, &'a [u8])>,
    has_adobe: bool,
    defined: Keys,
    scans: u64,
    block_visits: u64,
    /// Of each component, how many bits of each coefficient are still to come; 16 if none came.
    missing: Vec<[u8; 64]>,
    parts: Vec<Part<'a>>,
}

pub(super) fn clean(file: &[u8], limits: &Limits) -> Result<Clean, Refusal> {
    let mut reader = Reader::new(file);
    reader.take(2)?;
    let mut walk = Walk::default();
    let has_end = loop {
        match walk.segment(&mut reader, limits) {
            Ok(true) => {}
            Ok(false) => break true,
            // The file was cut: the scans tell how much of the image is there.
            Err(TOO_EARLY) if walk.scans > 0 => break false,
            Err(refusal) => return Err(refusal),
        }
    };
    walk.end(has_end, file.len())
}

impl<'a> Walk<'a> {
    /// Takes the next segment; false at the end of the image.
    fn segment(&mut self, reader: &mut Reader<'a>, limits: &Limits) -> Result<bool, Refusal> {
        let marker = next_marker(reader)?;
        match marker {
            EOI => return Ok(false),
            SOI if self.scans > 0 => return Ok(false),
            SOI => return Err(MISPLACED),
            _ => {}
        }
        let length = reader.u16_be()?.checked_sub(2).ok_or(MISPLACED)?;
        let content = reader.take(length.into())?;
        if marker == SOS {
            return self.scan(content, reader).map(|()| true);
        }
        self.content(marker, content, limits).map(|()| true)
    }

    fn content(&mut self, marker: u8, content: &'a [u8], limits: &Limits) -> Result<(), Refusal> {
        match marker {
            DQT | DHT | DRI => {
                let definitions = Definition::all(marker, content)?;
                definitions.iter().for_each(|definition| self.defined.insert(definition.key));
                self.parts.push(Part::Tables(marker, definitions));
            }
            0xc0..=0xc2 => {
                if self.frame.is_some() {
                    return Err(MISPLACED);
                }
                let frame = Frame::new(marker == 0xc2, content)?;
                check_pixels(frame.width, frame.height, limits)?;
                let header = content.get(..frame.header_bytes()).unwrap_or_default().to_vec();
                self.missing = vec![[16; 64]; frame.components.len()];
                self.frame = Some(frame);
                self.parts.push(Part::Segment(marker, header));
            }
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcf => {
                return Err(Refusal::Unsupported { found: "lossless, hierarchical or arithmetic JPEG" });
            }
            APP0 if self.jfif.is_none() => self.jfif = content.strip_prefix(JFIF).and_then(|jfif| jfif.get(..7)),
            APP1 if self.orientation.is_none() && content.starts_with(exif::PREFIX) => {
                self.orientation = Some(exif::orientation(content));
            }
            APP2 => {
                if let Some([number, _count, piece @ ..]) = content.strip_prefix(ICC) {
                    self.profile.push((*number, piece));
                }
            }
            APP14 if content.starts_with(ADOBE) && !self.has_adobe => {
                if let Some(transform) = content.get(11) {
                    self.has_adobe = true;
                    // Its version and no flags; the last byte names the color space.
                    let note = [ADOBE, &[0, 100, 0, 0, 0, 0, *transform]].concat();
                    self.parts.push(Part::Segment(APP14, note));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn scan(&mut self, content: &[u8], reader: &mut Reader<'a>) -> Result<(), Refusal> {
        let frame = self.frame.as_ref().ok_or(MISPLACED)?;
        let scan = Scan::new(content, frame)?;
        self.scans += 1;
        self.block_visits += scan.blocks();
        let limit = MAX_SCANS.min(MAX_BLOCK_VISITS / frame.blocks().max(1));
        if self.scans > MAX_SCANS || self.block_visits > MAX_BLOCK_VISITS {
            return Err(Refusal::TooManyScans { limit, found: self.scans });
        }
        for part in &scan.parts {
            for key in Keys::huffman(&scan, part.dc, part.ac) {
                if !self.defined.contains(key) {
                    let (marker, content) = standard(key).ok_or(MISPLACED)?;
                    self.defined.insert(key);
                    self.parts.push(Part::Tables(marker, vec![Definition { key, content }]));
                }
            }
            let coefficients = usize::from(scan.first)..=usize::from(scan.last);
            let missing = self.missing.get_mut(part.component).and_then(|missing| missing.get_mut(coefficients));
            missing.unwrap_or_default().fill(scan.low);
        }
        let keys = Keys::of_scan(frame, &scan);
        self.parts.push(Part::Scan(scan.content(frame), keys, compressed(reader)));
        Ok(())
    }

    fn end(self, has_end: bool, file_bytes: usize) -> Result<Clean, Refusal> {
        let (Some(frame), 1..) = (&self.frame, self.scans) else {
            return Err(Refusal::Broken { why: "it ends before the image begins" });
        };
        // A whole file may leave out the finest bits; in one that was cut, they would have come.
        let is_missing = |bits: &[u8; 64]| bits.first() == Some(&16) || (!has_end && bits.iter().any(|bits| *bits > 0));
        if self.missing.iter().any(is_missing) {
            return Err(TOO_EARLY);
        }
        let (width, height) = (frame.width, frame.height);
        // Of a progressive image, all coefficients are kept until the last scan, with two bytes each; of others, a row of
        // blocks is.
        let decoder_bytes =
            check_memory(if frame.progressive { frame.blocks() * 128 } else { 64 * u64::from(frame.width) })?;
        let coding = if frame.has_full_color() { Coding::FullColor } else { Coding::SharedColor };
        let orientation = self.orientation.unwrap_or_default();
        let profile = joined(self.profile).and_then(|profile| sanitize(&profile));

        let mut bytes = Vec::with_capacity(file_bytes + 1024);
        bytes.extend([0xff, SOI]);
        if let Some(jfif) = self.jfif {
            put(&mut bytes, APP0, &[JFIF, jfif, &[0, 0]]);
        }
        if let Some(block) = exif::block(orientation) {
            put(&mut bytes, APP1, &[exif::PREFIX, &block]);
        }
        if let Some(profile) = &profile {
            let pieces = profile.chunks(PROFILE_PIECE);
            let count = u8::try_from(pieces.len()).unwrap_or(u8::MAX);
            for (number, piece) in (1..=count).zip(pieces) {
                put(&mut bytes, APP2, &[ICC, &[number, count], piece]);
            }
        }
        write_parts(&mut bytes, self.parts);
        bytes.extend([0xff, EOI]);
        let (format, animated, has_inks) = (Format::Jpeg, false, frame.components.len() == 4);
        Ok(Clean { format, width, height, orientation, profile, coding, animated, has_inks, decoder_bytes, bytes })
    }
}

/// Writes the parts, without the tables that no scan uses.
fn write_parts(bytes: &mut Vec<u8>, mut parts: Vec<Part<'_>>) {
    let mut used = Keys::default();
    for part in parts.iter_mut().rev() {
        match part {
            Part::Scan(_, keys, _) => used.insert_all(*keys),
            Part::Segment(..) => {}
            Part::Tables(_, definitions) => {
                let mut kept = Vec::new();
                for definition in std::mem::take(definitions).into_iter().rev() {
                    if used.contains(definition.key) {
                        used.remove(definition.key);
                        kept.push(definition);
                    }
                }
                kept.reverse();
                *definitions = kept;
            }
        }
    }
    for part in parts {
        match part {
            Part::Segment(marker, content) => put(bytes, marker, &[&content]),
            Part::Tables(_, definitions) if definitions.is_empty() => {}
            Part::Tables(marker, definitions) => {
                let contents = definitions.iter().map(|definition| definition.content).collect::<Vec<_>>();
                put(bytes, marker, &contents);
            }
            Part::Scan(header, _, data) => {
                put(bytes, SOS, &[&header]);
                bytes.extend_from_slice(data);
            }
        }
    }
}

/// A profile from its pieces, if all are there.
fn joined(mut pieces: Vec<(u8, &[u8])>) -> Option<Vec<u8>> {
    pieces.sort_by_key(|(number, _)| *number);
    let in_order = pieces.iter().zip(1..=u8::MAX).all(|((number, _), expected)| *number == expected);
    let length = pieces.iter().map(|(_, piece)| piece.len()).sum::<usize>();
    // As long as it may be, and some bytes behind its end.
    let is_short = length <= MAX_PROFILE_BYTES + PROFILE_PIECE;
    (in_order && is_short).then(|| pieces.iter().flat_map(|(_, piece)| *piece).copied().collect())
}

/// The marker of the segment that comes next. Other bytes before it are passed over, as decoders do.
fn next_marker(reader: &mut Reader<'_>) -> Result<u8, Refusal> {
    loop {
        while reader.byte()? != 0xff {}
        let mut marker = reader.byte()?;
        while marker == 0xff {
            marker = reader.byte()?;
        }
        if is_segment(marker) {
            return Ok(marker);
        }
    }
}

/// Whether a marker stands for a segment, or the beginning or end of an image.
fn is_segment(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf | 0xd8..=0xfe)
}

/// The compressed data of a scan: up to the next marker of a segment, or to the end of the file.
fn compressed<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    let data = reader.rest();
    let mut from = 0;
    while let Some(at) = data.get(from..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) {
        let at = from + at;
        if data.get(at + 1).is_some_and(|marker| is_segment(*marker)) {
            return reader.take(at).unwrap_or_default();
        }
        from = at + 1;
    }
    *reader = Reader::new(&[]);
    data
}

fn put(bytes: &mut Vec<u8>, marker: u8, content: &[&[u8]]) {
    // Never more than what came in one segment.
    let length = content.iter().map(|part| part.len()).sum::<usize>() + 2;
    bytes.extend([0xff, marker]);
    bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    content.iter().for_each(|part| bytes.extend_from_slice(part));
}
