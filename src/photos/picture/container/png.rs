//! PNG: a signature, then chunks of a length, a name, content and a checksum, up to IEND.
//!
//! Stays: the picture, its palette, transparency, colour space, resolution and animation. The name of the ICC profile
//! is free text, and is written anew. Everything else goes, and what follows IEND too.

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::reader::Reader;
use crate::photos::picture::{Format, Limits, Refusal, exif};

use super::{Clean, check_frames, check_pixels};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const PROFILE_NAME: &[u8] = b"ICC\0";
/// What stays as it is.
const KEPT: [&[u8; 4]; 13] = [
    b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"sBIT", b"bKGD", b"pHYs", b"acTL", b"fdAT",
];

const MISPLACED: Refusal = Refusal::Broken { why: "a PNG chunk is where none may be" };

struct Chunk<'a> {
    name: [u8; 4],
    content: &'a [u8],
}

pub(super) fn clean(file: &[u8], limits: &Limits) -> Result<Clean, Refusal> {
    let mut reader = Reader::new(file);
    reader.take(SIGNATURE.len())?;
    let (width, height) = header(&mut reader.clone(), limits)?;
    let mut orientation = None;
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
            b"iCCP" => {
                let name_length = content.iter().take(80).position(|&b| b == 0).ok_or(MISPLACED)?;
                put(&mut bytes, name, &[PROFILE_NAME, content.get(name_length + 1..).unwrap_or_default()]);
            }
            b"fcTL" => {
                frames += 1;
                check_frame(content, limits)?;
                put(&mut bytes, name, &[content]);
            }
            kept if KEPT.contains(&kept) => {
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
    Ok(Clean { format: Format::Png, width, height, orientation, profile: None, inverted: false, bytes })
}

fn header(reader: &mut Reader<'_>, limits: &Limits) -> Result<(u32, u32), Refusal> {
    let Chunk { name, content } = next_chunk(reader)?;
    if &name != b"IHDR" || content.len() != 13 {
        return Err(MISPLACED);
    }
    let mut content = Reader::new(content);
    let (width, height) = (content.u32_be()?, content.u32_be()?);
    check_pixels(width, height, limits)?;
    Ok((width, height))
}

/// A frame of an animation is no larger than a picture may be.
fn check_frame(content: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let mut reader = Reader::new(content);
    reader.take(4)?;
    check_pixels(reader.u32_be()?, reader.u32_be()?, limits)
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
