//! GIF: a screen, then extensions and frames in blocks of up to 255 bytes, up to the trailer.
//!
//! Stays: frames, what controls them, and how often they are shown. Comments, texts and every other extension go.

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::reader::Reader;
use crate::photos::picture::{Format, Limits, Refusal};

use super::{Clean, check_frames, check_pixels};

const EXTENSION: u8 = 0x21;
const FRAME: u8 = 0x2c;
const TRAILER: u8 = 0x3b;
const CONTROL: u8 = 0xf9;
const APPLICATION: u8 = 0xff;
/// Whose extension says how often the frames are shown.
const LOOPING: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];

pub(super) fn clean(file: &[u8], limits: &Limits) -> Result<Clean, Refusal> {
    let mut reader = Reader::new(file);
    let mut bytes = Vec::with_capacity(file.len());
    let start = reader.take(13)?;
    bytes.extend_from_slice(start);
    let mut screen = Reader::new(start.get(6..).unwrap_or_default());
    let (width, height) = (u32::from(screen.u16_le()?), u32::from(screen.u16_le()?));
    check_pixels(width, height, limits)?;
    bytes.extend_from_slice(reader.take(palette_bytes(screen.byte()?))?);
    let (mut frames, mut decoder_bytes) = (0, 0);
    loop {
        match reader.byte()? {
            TRAILER => break,
            EXTENSION => extension(&mut reader, &mut bytes)?,
            FRAME => {
                frames += 1;
                let header = reader.take(9)?;
                let mut values = Reader::new(header.get(4..).unwrap_or_default());
                let (width, height) = (u32::from(values.u16_le()?), u32::from(values.u16_le()?));
                check_pixels(width, height, limits)?;
                decoder_bytes = decoder_bytes.max(u64::from(width) * u64::from(height));
                bytes.push(FRAME);
                bytes.extend_from_slice(header);
                // The palette, then with how many bits the codes begin.
                bytes.extend_from_slice(reader.take(palette_bytes(values.byte()?) + 1)?);
                bytes.extend_from_slice(blocks(&mut reader)?);
            }
            _ => return Err(Refusal::Broken { why: "a GIF block is of no known kind" }),
        }
    }
    check_frames(frames)?;
    if frames == 0 {
        return Err(Refusal::Broken { why: "it ends before the picture begins" });
    }
    bytes.push(TRAILER);
    let orientation = Orientation::default();
    Ok(Clean { format: Format::Gif, width, height, orientation, profile: None, inverted: false, decoder_bytes, bytes })
}

fn extension(reader: &mut Reader<'_>, bytes: &mut Vec<u8>) -> Result<(), Refusal> {
    let kind = reader.byte()?;
    let content = blocks(reader)?;
    match (kind, content) {
        (CONTROL, [4, _, _, _, _, 0]) => {
            bytes.extend([EXTENSION, CONTROL]);
            bytes.extend_from_slice(content);
        }
        (CONTROL, _) => return Err(Refusal::Broken { why: "a GIF block does not have its length" }),
        (APPLICATION, [11, content @ ..]) => {
            let (name, values) = content.split_at_checked(11).unwrap_or_default();
            if let (true, [3, 1, low, high, ..]) = (LOOPING.contains(&name), values) {
                bytes.extend([EXTENSION, APPLICATION, 11]);
                bytes.extend_from_slice(name);
                bytes.extend([3, 1, *low, *high, 0]);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Blocks of a length and as many bytes, with the empty one at their end.
fn blocks<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    let mut ahead = *reader;
    let mut length = 0;
    loop {
        let block = ahead.byte()?;
        ahead.take(block.into())?;
        length += 1 + usize::from(block);
        if block == 0 {
            return reader.take(length);
        }
    }
}

/// How long the palette is that these flags announce.
fn palette_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 6 << (flags & 7) }
}
