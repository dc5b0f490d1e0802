//! PNG: a signature, then chunks of a length, a name, content and a checksum, up to IEND.
//!
//! Stays: the picture, its palette, transparency, colour space, resolution and animation. Written anew: the ICC
//! profile, whose name is free text, and which is compressed: what else its stream holds would be unseen. Everything
//! else goes, and what follows IEND too.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::reader::Reader;
use crate::photos::picture::{Format, Limits, Refusal, exif, sizes};

use super::{Clean, check_frames, check_pixels, profile};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The profile's name, its end, and how it is compressed: the only way there is.
const PROFILE_START: &[u8] = b"ICC\0\0";
/// The largest profiles of displays and printers have half of that. A longer one counts as none.
const MAX_PROFILE_BYTES: u32 = 4 << 20;
/// What stays as it is, and how long it is at most: what is longer holds something else.
const KEPT: [(&[u8; 4], usize); 13] = [
    (b"IHDR", 13),
    (b"PLTE", 768),
    (b"IDAT", usize::MAX),
    (b"tRNS", 256),
    (b"gAMA", 4),
    (b"cHRM", 32),
    (b"sRGB", 1),
    (b"cICP", 4),
    (b"sBIT", 4),
    (b"bKGD", 6),
    (b"pHYs", 9),
    (b"acTL", 8),
    (b"fdAT", usize::MAX),
];

const MISPLACED: Refusal = Refusal::Broken { why: "a PNG chunk is where none may be" };

struct Chunk<'a> {
    name: [u8; 4],
    content: &'a [u8],
}

pub(super) fn clean(file: &[u8], limits: &Limits) -> Result<Clean, Refusal> {
    let mut reader = Reader::new(file);
    reader.take(SIGNATURE.len())?;
    let (width, height, interlaced) = header(&mut reader.clone(), limits)?;
    let (mut orientation, mut profile) = (None, None);
    let (mut frames, mut has_data) = (0, false);
    let mut bytes = Vec::with_capacity(file.len() + 64);
    bytes.extend_from_slice(SIGNATURE);
    // Where our EXIF goes: before the picture.
    let mut before_data = 0;
    loop {
        let Chunk { name, content } = next_chunk(&mut reader)?;
        match &name {
            b"IHDR" if bytes.len() > SIGNATURE.len() => return Err(MISPLACED),
            b"IEND" => break,
            b"eXIf" => {
                orientation.get_or_insert(exif::orientation(content));
            }
            b"iCCP" if profile.is_none() && !has_data => {
                profile = inflate(content);
                if let Some(profile) = &profile {
                    put(&mut bytes, name, &[PROFILE_START, &deflate(profile)?]);
                }
            }
            b"fcTL" => {
                frames += 1;
                check_frame(content, limits)?;
                put(&mut bytes, name, &[content]);
            }
            kept if KEPT.iter().any(|(name, most)| *name == kept && content.len() <= *most) => {
                if kept == b"IDAT" && !has_data {
                    (has_data, before_data) = (true, bytes.len());
                }
                put(&mut bytes, name, &[content]);
            }
            // A capital letter says that the picture cannot be shown without it.
            [b'A'..=b'Z', ..] => return Err(Refusal::Unsupported { found: "a PNG with parts of an unknown kind" }),
            _ => {}
        }
    }
    check_frames(frames)?;
    if !has_data {
        return Err(Refusal::Broken { why: "it ends before the picture begins" });
    }
    let orientation: Orientation = orientation.unwrap_or_default();
    if let Some(block) = exif::block(orientation) {
        let mut chunk = Vec::new();
        put(&mut chunk, *b"eXIf", &[&block]);
        bytes.splice(before_data..before_data, chunk);
    }
    put(&mut bytes, *b"IEND", &[]);
    let decoder_bytes = decoder_bytes(width, height, interlaced);
    Ok(Clean { format: Format::Png, width, height, orientation, profile, inverted: false, decoder_bytes, bytes })
}

fn header(reader: &mut Reader<'_>, limits: &Limits) -> Result<(u32, u32, bool), Refusal> {
    let Chunk { name, content } = next_chunk(reader)?;
    if &name != b"IHDR" || content.len() != 13 {
        return Err(MISPLACED);
    }
    let mut content = Reader::new(content);
    let (width, height) = (content.u32_be()?, content.u32_be()?);
    check_pixels(width, height, limits)?;
    let [_depth, _colour, _compression, _filter, interlaced] = content.array()?;
    Ok((width, height, interlaced != 0))
}

/// Some rows of eight bytes a pixel and, where the rows of all passes become a smaller picture, the sums of its pixels.
fn decoder_bytes(width: u32, height: u32, interlaced: bool) -> u64 {
    let factor = sizes::shrink_factor((width, height));
    let shrunk = u64::from(width.div_ceil(factor)) * u64::from(height.div_ceil(factor));
    let sums = if interlaced && factor > 1 { 16 * shrunk } else { 0 };
    sums + 8 * 8 * u64::from(width)
}

/// A frame of an animation is no larger than a picture may be.
fn check_frame(content: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let mut reader = Reader::new(content);
    reader.take(4)?;
    check_pixels(reader.u32_be()?, reader.u32_be()?, limits)
}

/// The profile in a chunk: as much as it says it has, if that is allowed, whatever its stream goes on with.
fn inflate(content: &[u8]) -> Option<Vec<u8>> {
    let name_length = content.iter().take(80).position(|&b| b == 0)?;
    let [0, stream @ ..] = content.get(name_length + 1..)? else { return None };
    let mut stream = ZlibDecoder::new(stream);
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let rest = u32::from_be_bytes(length).checked_sub(4).filter(|rest| *rest <= MAX_PROFILE_BYTES)?;
    let mut bytes = Vec::with_capacity(usize::try_from(rest).ok()? + length.len());
    bytes.extend(length);
    stream.take(rest.into()).read_to_end(&mut bytes).ok()?;
    profile(bytes)
}

fn deflate(profile: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(profile.len()), Compression::fast());
    encoder.write_all(profile).and_then(|()| encoder.finish()).map_err(|_| MISPLACED)
}

fn next_chunk<'a>(reader: &mut Reader<'a>) -> Result<Chunk<'a>, Refusal> {
    let length = reader.u32_be()?;
    let name = reader.array()?;
    let content = reader.take(usize::try_from(length).unwrap_or(usize::MAX))?;
    if reader.u32_be()? != checksum(name, &[content]) {
        return Err(Refusal::Broken { why: "a checksum does not match" });
    }
    Ok(Chunk { name, content })
}

fn checksum(name: [u8; 4], content: &[&[u8]]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&name);
    content.iter().for_each(|part| checksum.update(part));
    checksum.finalize()
}

fn put(bytes: &mut Vec<u8>, name: [u8; 4], content: &[&[u8]]) {
    let length = content.iter().map(|part| part.len()).sum::<usize>();
    // Never more than came in one chunk, whose length is a u32 as well, and a few bytes.
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(name);
    content.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.extend(checksum(name, content).to_be_bytes());
}
