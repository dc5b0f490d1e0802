//! WebP: RIFF chunks of a name, a length and content.
//!
//! Stays: the picture or the frames, their transparency, the ICC profile. A file without the extended header holds one
//! chunk; whatever else is in it goes, and what follows the length that RIFF names too.

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::reader::Reader;
use crate::photos::picture::{Format, Limits, Refusal, exif};

use super::profile::sanitize;
use super::{Clean, Coding, check_frames, check_memory, check_pixels};

/// Flags of the extended header.
const ANIMATED: u8 = 0x02;
const HAS_EXIF: u8 = 0x08;
const HAS_ALPHA: u8 = 0x10;
const HAS_PROFILE: u8 = 0x20;

const MISPLACED: Refusal = Refusal::Broken { why: "a WebP chunk is where none may be" };
const OTHER_SIZE: Refusal = Refusal::Broken { why: "its header names another size than its picture" };

/// One picture of the file.
#[derive(Clone, Copy, Default)]
pub(in crate::photos::picture) struct Frame<'a> {
    /// Where on the canvas it is.
    pub(in crate::photos::picture) x: u32,
    pub(in crate::photos::picture) y: u32,
    pub(in crate::photos::picture) width: u32,
    pub(in crate::photos::picture) height: u32,
    /// The transparency of a lossy picture.
    pub(in crate::photos::picture) alpha: Option<&'a [u8]>,
    pub(in crate::photos::picture) lossless: bool,
    pub(in crate::photos::picture) content: &'a [u8],
}

struct Chunk<'a> {
    name: [u8; 4],
    content: &'a [u8],
}

#[derive(Default)]
struct Walk<'a> {
    orientation: Option<Orientation>,
    profile: Option<Vec<u8>>,
    loops: Option<&'a [u8]>,
    frames: u64,
    /// Of the frame that takes most.
    decoder_bytes: u64,
    has_alpha: bool,
    /// Of the first picture.
    lossless: bool,
    still: Frame<'a>,
    /// The frames, as they are written.
    body: Vec<u8>,
}

pub(super) fn clean(file: &[u8], limits: &Limits) -> Result<Clean, Refusal> {
    let mut chunks = chunks(file)?;
    let first = next_chunk(&mut chunks)?;
    if &first.name != b"VP8X" {
        let frame = picture(&first)?.ok_or(MISPLACED)?;
        let decoder_bytes = check_frame(&frame, limits)?;
        let mut bytes = Vec::with_capacity(file.len());
        put(&mut bytes, first.name, first.content);
        let walk = Walk { decoder_bytes, lossless: frame.lossless, ..Walk::default() };
        return Ok(finish(bytes, (frame.width, frame.height), walk));
    }
    let mut header = Reader::new(first.content);
    let [flags, _, _, _] = header.array()?;
    let (width, height) = (header.u24_le()? + 1, header.u24_le()? + 1);
    check_pixels(width, height, limits)?;
    let animated = flags & ANIMATED != 0;
    let mut walk = Walk { body: Vec::with_capacity(file.len()), ..Walk::default() };
    while !chunks.is_empty() {
        walk.chunk(&next_chunk(&mut chunks)?, flags, (width, height), limits)?;
    }
    walk.end(animated, (width, height), limits)
}

impl<'a> Walk<'a> {
    fn chunk(&mut self, chunk: &Chunk<'a>, flags: u8, canvas: (u32, u32), limits: &Limits) -> Result<(), Refusal> {
        let (animated, has_exif) = (flags & ANIMATED != 0, flags & HAS_EXIF != 0);
        match &chunk.name {
            // Without its flag nobody looks at it.
            b"EXIF" if has_exif => {
                self.orientation.get_or_insert(exif::orientation(chunk.content));
            }
            b"ICCP" if self.profile.is_none() => self.profile = sanitize(chunk.content),
            b"ANIM" if animated => self.loops = chunk.content.get(..6),
            b"ANMF" if animated => {
                let frame = frame(chunk.content)?;
                self.decoder_bytes = self.decoder_bytes.max(check_frame(&frame, limits)?);
                if frame.x + frame.width > canvas.0 || frame.y + frame.height > canvas.1 {
                    return Err(OTHER_SIZE);
                }
                self.lossless = if self.frames == 0 { frame.lossless } else { self.lossless };
                self.frames += 1;
                self.has_alpha |= frame.alpha.is_some() || frame.lossless;
                let mut content = chunk.content.get(..16).unwrap_or_default().to_vec();
                // How it covers what was there before; the other bits mean nothing.
                content.last_mut().into_iter().for_each(|flags| *flags &= 3);
                put_frame(&mut content, &frame);
                put(&mut self.body, *b"ANMF", &content);
            }
            b"ALPH" if !animated && self.still.content.is_empty() => self.still.alpha = Some(chunk.content),
            _ if !animated && self.still.content.is_empty() => {
                if let Some(frame) = picture(chunk)? {
                    let alpha = self.still.alpha.filter(|_| !frame.lossless);
                    self.still = Frame { alpha, ..frame };
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(mut self, animated: bool, canvas: (u32, u32), limits: &Limits) -> Result<Clean, Refusal> {
        if !animated {
            self.decoder_bytes = check_frame(&self.still, limits)?;
            if (self.still.width, self.still.height) != canvas {
                return Err(OTHER_SIZE);
            }
            self.lossless = self.still.lossless;
            self.has_alpha = self.still.alpha.is_some() || self.still.has_lossless_alpha();
            put_frame(&mut self.body, &self.still);
        } else if self.frames == 0 {
            return Err(Refusal::Broken { why: "it ends before the picture begins" });
        }
        check_frames(self.frames)?;
        let orientation = self.orientation.unwrap_or_default();
        let block = exif::block(orientation);
        let flags = [
            (animated, ANIMATED),
            (block.is_some(), HAS_EXIF),
            (self.has_alpha, HAS_ALPHA),
            (self.profile.is_some(), HAS_PROFILE),
        ];
        let flags = flags.iter().filter(|(set, _)| *set).fold(0, |flags, (_, flag)| flags | flag);
        let mut bytes = Vec::with_capacity(self.body.len() + 128 + self.profile.as_ref().map_or(0, Vec::len));
        put(&mut bytes, *b"VP8X", &extended(flags, canvas));
        if let Some(profile) = &self.profile {
            put(&mut bytes, *b"ICCP", profile);
        }
        if animated {
            // Background and how often; white and for ever if nothing was said.
            put(&mut bytes, *b"ANIM", self.loops.unwrap_or(&[0xff, 0xff, 0xff, 0xff, 0, 0]));
        }
        bytes.append(&mut self.body);
        if let Some(block) = block {
            put(&mut bytes, *b"EXIF", &block);
        }
        Ok(finish(bytes, canvas, self))
    }
}

impl Frame<'_> {
    /// Whether a lossless picture says that something shines through.
    pub(in crate::photos::picture) fn has_lossless_alpha(&self) -> bool {
        self.lossless && self.content.get(4).is_some_and(|byte| byte & 0x10 != 0)
    }
}

/// The first picture of a clean file: the only one, or the first of an animation.
pub(in crate::photos::picture) fn first_frame(clean: &[u8]) -> Result<Frame<'_>, Refusal> {
    let mut chunks = chunks(clean)?;
    let mut alpha = None;
    loop {
        let chunk = next_chunk(&mut chunks)?;
        match &chunk.name {
            b"ALPH" => alpha = Some(chunk.content),
            b"ANMF" => return frame(chunk.content),
            _ => {
                if let Some(frame) = picture(&chunk)? {
                    return Ok(Frame { alpha, ..frame });
                }
            }
        }
    }
}

/// A still file with this picture and nothing else.
pub(in crate::photos::picture) fn still(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.content.len() + frame.alpha.map_or(0, <[u8]>::len) + 64);
    if frame.alpha.is_some() {
        put(&mut bytes, *b"VP8X", &extended(HAS_ALPHA, (frame.width, frame.height)));
    }
    put_frame(&mut bytes, frame);
    riff(bytes)
}

/// What is in the chunk of a frame of an animation.
fn frame(content: &[u8]) -> Result<Frame<'_>, Refusal> {
    let mut reader = Reader::new(content);
    let (x, y) = (reader.u24_le()? * 2, reader.u24_le()? * 2);
    let size = (reader.u24_le()? + 1, reader.u24_le()? + 1);
    reader.take(4)?;
    let mut alpha = None;
    loop {
        let chunk = next_chunk(&mut reader)?;
        if &chunk.name == b"ALPH" {
            alpha = Some(chunk.content);
        } else if let Some(frame) = picture(&chunk)? {
            if (frame.width, frame.height) != size {
                return Err(OTHER_SIZE);
            }
            return Ok(Frame { x, y, alpha: alpha.filter(|_| !frame.lossless), ..frame });
        }
    }
}

/// A picture with the size that its own header names; `None` if the chunk is none.
fn picture<'a>(chunk: &Chunk<'a>) -> Result<Option<Frame<'a>>, Refusal> {
    let mut reader = Reader::new(chunk.content);
    let lossless = &chunk.name == b"VP8L";
    let (width, height) = match &chunk.name {
        b"VP8 " => {
            reader.take(3)?;
            if reader.array()? != [0x9d, 0x01, 0x2a] {
                return Err(Refusal::Broken { why: "a WebP picture does not begin as one" });
            }
            (u32::from(reader.u16_le()? & 0x3fff), u32::from(reader.u16_le()? & 0x3fff))
        }
        b"VP8L" => {
            if reader.byte()? != 0x2f {
                return Err(Refusal::Broken { why: "a WebP picture does not begin as one" });
            }
            let bits = reader.u32_le()?;
            ((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)
        }
        _ => return Ok(None),
    };
    Ok(Some(Frame { width, height, lossless, content: chunk.content, ..Frame::default() }))
}

/// What decoding a frame takes, if that is allowed.
fn check_frame(frame: &Frame<'_>, limits: &Limits) -> Result<u64, Refusal> {
    check_pixels(frame.width, frame.height, limits)?;
    // Measured: the planes and what they are turned into, in half bytes a pixel; transparency is decoded apart.
    let half_bytes = match (frame.lossless, frame.alpha) {
        (true, _) => 8,
        (false, None) => 9,
        (false, Some(_)) => 21,
    };
    check_memory(u64::from(frame.width) * u64::from(frame.height) * half_bytes / 2)
}

fn chunks(file: &[u8]) -> Result<Reader<'_>, Refusal> {
    let mut reader = Reader::new(file);
    reader.take(4)?;
    let length = reader.u32_le()?;
    let mut chunks = Reader::new(reader.take(usize::try_from(length).unwrap_or(usize::MAX))?);
    chunks.take(4)?;
    Ok(chunks)
}

fn next_chunk<'a>(reader: &mut Reader<'a>) -> Result<Chunk<'a>, Refusal> {
    let name = reader.array()?;
    let length = reader.u32_le()?;
    let content = reader.take(usize::try_from(length).unwrap_or(usize::MAX))?;
    if content.len() % 2 == 1 && !reader.is_empty() {
        reader.take(1)?;
    }
    Ok(Chunk { name, content })
}

fn extended(flags: u8, (width, height): (u32, u32)) -> Vec<u8> {
    let size = [width, height].into_iter().flat_map(|edge| edge.saturating_sub(1).to_le_bytes().into_iter().take(3));
    [flags, 0, 0, 0].into_iter().chain(size).collect()
}

fn put_frame(bytes: &mut Vec<u8>, frame: &Frame<'_>) {
    if let Some(alpha) = frame.alpha {
        put(bytes, *b"ALPH", alpha);
    }
    put(bytes, if frame.lossless { *b"VP8L" } else { *b"VP8 " }, frame.content);
}

fn put(bytes: &mut Vec<u8>, name: [u8; 4], content: &[u8]) {
    bytes.extend(name);
    // Never more than came in a file, whose length is a u32 as well.
    bytes.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(content);
    if content.len() % 2 == 1 {
        bytes.push(0);
    }
}

fn riff(mut chunks: Vec<u8>) -> Vec<u8> {
    let mut start = b"RIFF".to_vec();
    start.extend(u32::try_from(chunks.len() + 4).unwrap_or(u32::MAX).to_le_bytes());
    start.extend(b"WEBP");
    chunks.splice(0..0, start);
    chunks
}

fn finish(chunks: Vec<u8>, (width, height): (u32, u32), walk: Walk<'_>) -> Clean {
    Clean {
        format: Format::Webp,
        width,
        height,
        orientation: walk.orientation.unwrap_or_default(),
        profile: walk.profile,
        coding: if walk.lossless { Coding::Lossless } else { Coding::SharedColor },
        animated: walk.frames > 0,
        has_inks: false,
        decoder_bytes: walk.decoder_bytes,
        bytes: riff(chunks),
    }
}
