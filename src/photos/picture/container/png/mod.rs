//! PNG: a signature, then chunks of a length, a name, content and a checksum, up to IEND.
//!
//! Stays: the image, its palette, transparency, color space, resolution and animation. Written anew: the ICC profile,
//! whose name is free text. Everything else goes, and what follows IEND too. A file that browsers show is repaired: an
//! optional chunk with a wrong checksum is dropped, and IEND is written in any case. `stream` then cuts the compressed
//! data to what belongs to the image.

mod chunk;
mod stream;

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::reader::Reader;
use crate::photos::picture::{Format, Limits, Refusal, exif, sizes};

use super::profile::{MAX_PROFILE_BYTES, sanitize};
use super::{Clean, Coding, check_frames, check_pixels};

use chunk::{Chunk, Header, SIGNATURE, next_chunk, put};
pub(super) use stream::finish;

/// The profile's name, its end, and how it is compressed: the only way there is.
const PROFILE_START: &[u8] = b"ICC\0\0";
/// Chunks that stay as they are, once and before the image, and how long they are at most: what is longer holds
/// something else.
const KEPT: [(&[u8; 4], usize); 10] = [
    (b"PLTE", 768),
    (b"tRNS", 256),
    (b"gAMA", 4),
    (b"cHRM", 32),
    (b"sRGB", 1),
    (b"cICP", 4),
    (b"sBIT", 4),
    (b"bKGD", 6),
    (b"pHYs", 9),
    (b"acTL", 8),
];
/// Of an animation, before compression. Each frame is decompressed once, to find its end: a second of one core.
const MAX_ANIMATION_BYTES: u64 = 1 << 30;

const MISPLACED: Refusal = Refusal::Broken { why: "a PNG chunk is where none may be" };

#[derive(Default)]
struct Walk {
    header: Header,
    bytes: Vec<u8>,
    orientation: Option<Orientation>,
    profile: Option<Vec<u8>>,
    kept: Vec<[u8; 4]>,
    frames: u64,
    /// Of all frames, before compression.
    frame_bytes: u64,
    has_data: bool,
    /// Whether further frames began.
    is_past_data: bool,
    /// Where our EXIF goes: before the image.
    before_data: usize,
}

pub(super) fn clean(file: &[u8], limits: &Limits) -> Result<Clean, Refusal> {
    let mut reader = Reader::new(file);
    reader.take(SIGNATURE.len())?;
    let first = next_chunk(&mut reader)?;
    let header = Header::new(&first)?;
    check_pixels(header.width, header.height, limits)?;
    let mut walk = Walk { header, bytes: Vec::with_capacity(file.len() + 64), ..Walk::default() };
    walk.bytes.extend_from_slice(SIGNATURE);
    put(&mut walk.bytes, first.name, &[first.content]);
    while !reader.is_empty() {
        let chunk = match next_chunk(&mut reader) {
            // The last chunk of a file that was cut: `stream` tells how much of the image is there.
            Err(_) if walk.has_data || reader.rest().get(4..8) == Some(b"IDAT") => chunk::cut(&mut reader),
            chunk => chunk?,
        };
        if &chunk.name == b"IEND" {
            break;
        }
        walk.chunk(&chunk, limits)?;
    }
    check_frames(walk.frames)?;
    if !walk.has_data {
        return Err(Refusal::Broken { why: "it ends before the image begins" });
    }
    Ok(walk.end())
}

impl Walk {
    fn chunk(&mut self, chunk: &Chunk<'_>, limits: &Limits) -> Result<(), Refusal> {
        let Chunk { name, content, is_intact } = *chunk;
        let kept = KEPT.iter().any(|(kept, most)| **kept == name && content.len() <= *most);
        match &name {
            b"IHDR" => return Err(MISPLACED),
            b"IDAT" | b"PLTE" if !is_intact => return Err(Refusal::Broken { why: "a checksum does not match" }),
            b"IDAT" if !self.is_past_data => {
                if !self.has_data {
                    (self.has_data, self.before_data) = (true, self.bytes.len());
                }
                put(&mut self.bytes, name, &[content]);
            }
            b"IDAT" => {}
            _ if !is_intact => {}
            b"eXIf" => {
                self.orientation.get_or_insert(exif::orientation(content));
            }
            b"iCCP" if self.profile.is_none() && !self.has_data => {
                self.profile = inflate(content);
                if let Some(profile) = &self.profile {
                    put(&mut self.bytes, name, &[PROFILE_START, &deflate(profile)?]);
                }
            }
            b"fcTL" if self.is_animated() => self.frame(content, limits)?,
            // Its sequence number, then compressed data.
            b"fdAT" if self.is_animated() && self.has_data && content.len() >= 4 => {
                self.is_past_data = true;
                put(&mut self.bytes, name, &[content]);
            }
            _ if kept && (self.has_data || self.kept.contains(&name)) => {}
            _ if kept => {
                self.kept.push(name);
                if &name != b"tRNS" {
                    put(&mut self.bytes, name, &[content]);
                } else if let Some(content) = self.header.transparency(content) {
                    put(&mut self.bytes, name, &[&content]);
                }
            }
            // A capital letter says that the image cannot be shown without it.
            [b'A'..=b'Z', ..] => return Err(Refusal::Unsupported { found: "PNG with chunks of an unknown kind" }),
            _ => {}
        }
        Ok(())
    }

    fn is_animated(&self) -> bool {
        self.kept.contains(b"acTL")
    }

    /// A frame of an animation is no larger than an image may be.
    fn frame(&mut self, content: &[u8], limits: &Limits) -> Result<(), Refusal> {
        self.frames += 1;
        self.is_past_data |= self.has_data;
        let (width, height) = chunk::frame_size(content)?;
        check_pixels(width, height, limits)?;
        self.frame_bytes += self.header.raw_bytes(width, height);
        if self.frame_bytes > MAX_ANIMATION_BYTES && self.frames > 1 {
            return Err(Refusal::TooManyFrames { limit: self.frames - 1, found: self.frames });
        }
        put(&mut self.bytes, *b"fcTL", &[content]);
        Ok(())
    }

    fn end(self) -> Clean {
        let Self { header, mut bytes, profile, before_data, .. } = self;
        let orientation = self.orientation.unwrap_or_default();
        if let Some(block) = exif::block(orientation) {
            let mut chunk = Vec::new();
            put(&mut chunk, *b"eXIf", &[&block]);
            bytes.splice(before_data..before_data, chunk);
        }
        put(&mut bytes, *b"IEND", &[]);
        let Header { width, height, .. } = header;
        let decoder_bytes = decoder_bytes(&header);
        let (format, coding, animated) = (Format::Png, Coding::Lossless, self.frames > 0);
        Clean { format, width, height, orientation, profile, coding, animated, has_inks: false, decoder_bytes, bytes }
    }
}

/// Some rows of eight bytes a pixel and, where the rows of all passes become a smaller image, the sums of its pixels.
fn decoder_bytes(header: &Header) -> u64 {
    let factor = sizes::shrink_factor((header.width, header.height));
    let shrunk = u64::from(header.width.div_ceil(factor)) * u64::from(header.height.div_ceil(factor));
    let sums = if header.interlaced && factor > 1 { 16 * shrunk } else { 0 };
    sums + 8 * 8 * u64::from(header.width)
}

/// The profile in a chunk: as much as it says it has, if that is allowed, whatever its stream goes on with.
fn inflate(content: &[u8]) -> Option<Vec<u8>> {
    let name_length = content.iter().take(80).position(|&b| b == 0)?;
    let [0, stream @ ..] = content.get(name_length + 1..)? else { return None };
    let mut stream = ZlibDecoder::new(stream);
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let total = usize::try_from(u32::from_be_bytes(length)).ok()?;
    let rest = total.checked_sub(length.len()).filter(|_| total <= MAX_PROFILE_BYTES)?;
    let mut bytes = Vec::with_capacity(total);
    bytes.extend(length);
    stream.take(u64::try_from(rest).ok()?).read_to_end(&mut bytes).ok()?;
    sanitize(&bytes)
}

fn deflate(profile: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(profile.len()), Compression::fast());
    encoder.write_all(profile).and_then(|()| encoder.finish()).map_err(|_| MISPLACED)
}
