//! JPEG: a chain of segments, with compressed data after each scan's header, up to its end marker.
//!
//! Written anew: JFIF (without its thumbnail), our EXIF, the ICC profile. Copied: Adobe's colour note, frame, tables,
//! scans. Everything else goes, with all that follows the end marker, such as a phone's second picture.

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::reader::{Reader, TOO_EARLY};
use crate::photos::picture::{Format, Limits, Refusal, exif};

use super::{Clean, check_memory, check_pixels, profile};

/// A progressive picture has about ten. Each costs a walk over all blocks, however short it is.
const MAX_SCANS: u64 = 100;
/// Bytes of a profile that fit into one segment.
const PROFILE_PIECE: usize = 65_519;

const SOI: [u8; 2] = [0xff, 0xd8];
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;

const JFIF: &[u8] = b"JFIF\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const ADOBE: &[u8] = b"Adobe";

const MISPLACED: Refusal = Refusal::Broken { why: "a JPEG segment is where none may be" };

#[derive(Default)]
struct Walk<'a> {
    size: Option<(u32, u32)>,
    decoder_bytes: u64,
    orientation: Option<Orientation>,
    jfif: Option<&'a [u8]>,
    profile: Vec<(u8, &'a [u8])>,
    inverted: bool,
    scans: u64,
    /// Frame, tables and scans, as they came.
    body: Vec<u8>,
}

pub(super) fn clean(file: &[u8], limits: &Limits) -> Result<Clean, Refusal> {
    let mut reader = Reader::new(file);
    reader.take(SOI.len())?;
    let mut walk = Walk { body: Vec::with_capacity(file.len()), ..Walk::default() };
    loop {
        let marker = next_marker(&mut reader)?;
        if marker == EOI {
            break;
        }
        if matches!(marker, 0 | 1 | 0xd0..=0xd8) {
            return Err(MISPLACED);
        }
        let length = reader.u16_be()?.checked_sub(2).ok_or(MISPLACED)?;
        walk.segment(marker, reader.take(length.into())?, limits)?;
        if marker == SOS {
            walk.body.extend_from_slice(compressed(&mut reader)?);
        }
    }
    walk.end()
}

impl<'a> Walk<'a> {
    fn segment(&mut self, marker: u8, content: &'a [u8], limits: &Limits) -> Result<(), Refusal> {
        match marker {
            SOS => {
                self.scans += 1;
                if self.size.is_none() {
                    return Err(MISPLACED);
                }
                if self.scans > MAX_SCANS {
                    return Err(Refusal::TooManyScans { limit: MAX_SCANS, found: self.scans });
                }
                put(&mut self.body, marker, &[content]);
            }
            // Tables: quantisation, Huffman, how often the decoder may start anew.
            0xdb | 0xc4 | 0xdd => put(&mut self.body, marker, &[content]),
            0xc0..=0xc2 => {
                if self.size.is_some() {
                    return Err(MISPLACED);
                }
                let (width, height, decoder_bytes) = frame(marker == 0xc2, content, limits)?;
                (self.size, self.decoder_bytes) = (Some((width, height)), decoder_bytes);
                put(&mut self.body, marker, &[content]);
            }
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcf => {
                return Err(Refusal::Unsupported { found: "a lossless, hierarchical or arithmetic JPEG" });
            }
            0xdc => return Err(Refusal::Unsupported { found: "a JPEG that tells its height only at its end" }),
            APP0 if self.jfif.is_none() => self.jfif = content.strip_prefix(JFIF).and_then(|jfif| jfif.get(..7)),
            APP1 if self.orientation.is_none() && content.starts_with(exif::PREFIX) => {
                self.orientation = Some(exif::orientation(content));
            }
            APP2 => {
                if let Some([number, _count, piece @ ..]) = content.strip_prefix(ICC) {
                    self.profile.push((*number, piece));
                }
            }
            APP14 if content.starts_with(ADOBE) && content.len() >= 12 => {
                self.inverted = true;
                put(&mut self.body, marker, &[content.get(..12).unwrap_or_default()]);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(mut self) -> Result<Clean, Refusal> {
        let (Some((width, height)), 1..) = (self.size, self.scans) else {
            return Err(Refusal::Broken { why: "it ends before the picture begins" });
        };
        let orientation = self.orientation.unwrap_or_default();
        self.profile.sort_by_key(|(number, _)| *number);
        let in_order = self.profile.iter().zip(1..=u8::MAX).all(|((number, _), expected)| *number == expected);
        let pieces = self.profile.iter().flat_map(|(_, piece)| *piece).copied().collect::<Vec<u8>>();
        let profile = if in_order { profile(pieces) } else { None };

        let mut bytes = Vec::with_capacity(self.body.len() + 1024 + profile.as_ref().map_or(0, |it| it.len() + 1024));
        bytes.extend(SOI);
        if let Some(jfif) = self.jfif {
            put(&mut bytes, APP0, &[JFIF, jfif, &[0, 0]]);
        }
        if let Some(block) = exif::block(orientation) {
            put(&mut bytes, APP1, &[exif::PREFIX, &block]);
        }
        if let Some(profile) = &profile {
            let pieces = profile.chunks(PROFILE_PIECE);
            let count = u8::try_from(pieces.len()).map_err(|_| Refusal::Broken { why: "its profile is too long" })?;
            for (number, piece) in (1..=count).zip(pieces) {
                put(&mut bytes, APP2, &[ICC, &[number, count], piece]);
            }
        }
        bytes.append(&mut self.body);
        bytes.extend([0xff, EOI]);
        Ok(Clean {
            format: Format::Jpeg,
            width,
            height,
            orientation,
            profile,
            inverted: self.inverted,
            decoder_bytes: self.decoder_bytes,
            bytes,
        })
    }
}

/// The size that a frame's header names, and the bytes that its decoder takes.
fn frame(progressive: bool, content: &[u8], limits: &Limits) -> Result<(u32, u32, u64), Refusal> {
    let mut reader = Reader::new(content);
    let precision = reader.byte()?;
    let (height, width) = (u32::from(reader.u16_be()?), u32::from(reader.u16_be()?));
    check_pixels(width, height, limits)?;
    if precision != 8 {
        return Err(Refusal::Unsupported { found: "a JPEG with more than 8 bits a channel" });
    }
    let components = reader.byte()?;
    if !matches!(components, 1 | 3 | 4) {
        return Err(Refusal::Unsupported { found: "a JPEG that is neither grey nor RGB nor CMYK" });
    }
    let mut samplings = Vec::new();
    for _ in 0..components {
        let [_id, sampling, _table] = reader.array()?;
        let (across, down) = (u32::from(sampling >> 4), u32::from(sampling & 15));
        if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
            return Err(Refusal::Broken { why: "its colours are sampled in no known way" });
        }
        samplings.push((across, down));
    }
    let decoder_bytes = if progressive {
        // All coefficients are kept until the last scan, with two bytes each.
        let across = samplings.iter().map(|(across, _)| *across).max().unwrap_or(1);
        let down = samplings.iter().map(|(_, down)| *down).max().unwrap_or(1);
        let units = u64::from(width.div_ceil(8 * across)) * u64::from(height.div_ceil(8 * down));
        check_memory(samplings.iter().map(|(across, down)| units * u64::from(across * down) * 128).sum())?
    } else {
        // A row of blocks.
        64 * u64::from(width)
    };
    Ok((width, height, decoder_bytes))
}

/// The marker that comes next; it may have any number of 0xFF before it.
fn next_marker(reader: &mut Reader<'_>) -> Result<u8, Refusal> {
    if reader.byte()? != 0xff {
        return Err(MISPLACED);
    }
    loop {
        let marker = reader.byte()?;
        if marker != 0xff {
            return Ok(marker);
        }
    }
}

/// The compressed data of a scan: up to a marker that is neither an escaped 0xFF nor one to start anew.
fn compressed<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    let data = reader.rest();
    let mut from = 0;
    loop {
        let at = from + data.get(from..).and_then(|rest| rest.iter().position(|&b| b == 0xff)).ok_or(TOO_EARLY)?;
        match data.get(at + 1).ok_or(TOO_EARLY)? {
            0 | 0xd0..=0xd7 => from = at + 2,
            _ => return reader.take(at),
        }
    }
}

fn put(bytes: &mut Vec<u8>, marker: u8, content: &[&[u8]]) {
    // Never more than what came in one segment.
    let length = content.iter().map(|part| part.len()).sum::<usize>() + 2;
    bytes.extend([0xff, marker]);
    bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    content.iter().for_each(|part| bytes.extend_from_slice(part));
}
