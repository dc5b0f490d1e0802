//! GIF: a screen, then extensions and frames in blocks of up to 255 bytes, up to the trailer.
//!
//! Stays: frames, their controls, and the number of repetitions. Comments, texts and every other extension go. Files
//! that browsers show are repaired: the trailer is written whether it came or not, a last frame that is cut is dropped,
//! and the screen grows to its first frame.

mod codes;

use crate::photos::picture::orientation::Orientation;
use crate::photos::picture::reader::Reader;
use crate::photos::picture::{Format, Limits, Refusal};

use super::{Clean, Coding, TOO_LITTLE, check_frames, check_pixels, is_enough};

const EXTENSION: u8 = 0x21;
const FRAME: u8 = 0x2c;
const TRAILER: u8 = 0x3b;
const CONTROL: u8 = 0xf9;
const APPLICATION: u8 = 0xff;
/// The application extensions that say how often the frames are shown.
const LOOPING: [&[u8]; 2] = [b"NETSCAPE2.0", b"ANIMEXTS1.0"];
const SIGNATURE_BYTES: usize = 6;

#[derive(Default)]
struct Walk {
    screen: (u32, u32),
    /// Extensions and frames, as they are written.
    body: Vec<u8>,
    /// The control of the next frame.
    control: Option<[u8; 4]>,
    has_loops: bool,
    /// For frames without their own.
    has_palette: bool,
    frames: u64,
    decoder_bytes: u64,
}

pub(super) fn clean(file: &[u8], limits: &Limits) -> Result<Clean, Refusal> {
    let mut reader = Reader::new(file);
    let signature = reader.take(SIGNATURE_BYTES)?;
    let screen = (u32::from(reader.u16_le()?), u32::from(reader.u16_le()?));
    let [flags, background, aspect] = reader.array()?;
    let palette = reader.take(palette_bytes(flags))?;
    if screen != (0, 0) {
        check_pixels(screen.0.max(1), screen.1.max(1), limits)?;
    }
    let has_palette = !palette.is_empty();
    let mut walk = Walk { screen, has_palette, body: Vec::with_capacity(file.len()), ..Walk::default() };
    loop {
        match walk.block(&mut reader, limits) {
            Ok(Block::Taken) => {}
            Ok(Block::End) => break,
            // The file was cut after a whole frame.
            Err(Refusal::Broken { .. }) if walk.frames > 0 => break,
            Err(refusal) => return Err(refusal),
        }
    }
    check_frames(walk.frames)?;
    if walk.frames == 0 {
        return Err(Refusal::Broken { why: "it ends before the image begins" });
    }
    let (width, height) = walk.screen;
    check_pixels(width, height, limits)?;
    let mut bytes = Vec::with_capacity(walk.body.len() + 800);
    bytes.extend_from_slice(signature);
    for edge in [width, height] {
        bytes.extend(edge.to_le_bytes().into_iter().take(2));
    }
    bytes.extend([flags, background, aspect]);
    bytes.extend_from_slice(palette);
    bytes.append(&mut walk.body);
    bytes.push(TRAILER);
    let (format, orientation, decoder_bytes) = (Format::Gif, Orientation::default(), walk.decoder_bytes);
    let (coding, animated) = (Coding::Lossless, walk.frames > 1);
    Ok(Clean {
        format,
        width,
        height,
        orientation,
        profile: None,
        coding,
        animated,
        has_inks: false,
        decoder_bytes,
        bytes,
    })
}

enum Block {
    Taken,
    End,
}

impl Walk {
    fn block(&mut self, reader: &mut Reader<'_>, limits: &Limits) -> Result<Block, Refusal> {
        match reader.byte()? {
            EXTENSION => self.extension(reader)?,
            FRAME => self.frame(reader, limits)?,
            TRAILER => return Ok(Block::End),
            // Browsers show what came before.
            _ if self.frames > 0 => return Ok(Block::End),
            0 => {}
            _ => return Err(Refusal::Broken { why: "a GIF block is of no known kind" }),
        }
        Ok(Block::Taken)
    }

    fn extension(&mut self, reader: &mut Reader<'_>) -> Result<(), Refusal> {
        let kind = reader.byte()?;
        let content = blocks(reader)?;
        match (kind, content) {
            (CONTROL, [4, flags, low, high, transparent, ..]) => {
                // The upper bits of the flags mean nothing.
                self.control = Some([flags & 0x1f, *low, *high, *transparent]);
            }
            (APPLICATION, [11, content @ ..]) => {
                let (name, values) = content.split_at_checked(11).unwrap_or_default();
                if let (true, [3, 1, low, high, ..]) = (LOOPING.contains(&name) && !self.has_loops, values) {
                    self.has_loops = true;
                    self.body.extend([EXTENSION, APPLICATION, 11]);
                    self.body.extend_from_slice(name);
                    self.body.extend([3, 1, *low, *high, 0]);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn frame(&mut self, reader: &mut Reader<'_>, limits: &Limits) -> Result<(), Refusal> {
        let place = reader.take(8)?;
        let flags = reader.byte()?;
        let mut values = Reader::new(place);
        let [left, top, width, height] = values.array::<8>().map(edges)?;
        check_pixels(width, height, limits)?;
        let palette = reader.take(palette_bytes(flags))?;
        if palette.is_empty() && !self.has_palette {
            return Err(Refusal::Unsupported { found: "GIF without a palette" });
        }
        let code_bits = reader.byte()?;
        let pixels = u64::from(width) * u64::from(height);
        let is_first = self.frames == 0;
        let codes = codes::trim(reader, code_bits, pixels, is_first)?;
        // A later frame may leave pixels as they are, unless the file was cut.
        let is_missing =
            if is_first { !is_enough(codes.pixels, pixels) } else { codes.is_cut && codes.pixels < pixels };
        if is_missing {
            return Err(TOO_LITTLE);
        }
        if is_first {
            // Frames that follow are cut to the screen.
            let reach = |screen: u32, start: u32, length: u32| screen.max(start + length).min(u32::from(u16::MAX));
            self.screen = (reach(self.screen.0, left, width), reach(self.screen.1, top, height));
        }
        if let Some([flags, low, high, transparent]) = self.control.take() {
            self.body.extend([EXTENSION, CONTROL, 4, flags, low, high, transparent, 0]);
        }
        self.frames += 1;
        self.decoder_bytes = self.decoder_bytes.max(pixels);
        self.body.push(FRAME);
        self.body.extend_from_slice(place);
        // Two of the flags mean nothing.
        self.body.push(flags & !0x18);
        self.body.extend_from_slice(palette);
        self.body.push(code_bits);
        self.body.extend(codes.blocks);
        Ok(())
    }
}

fn edges([a, b, c, d, e, f, g, h]: [u8; 8]) -> [u32; 4] {
    [[a, b], [c, d], [e, f], [g, h]].map(|edge| u32::from(u16::from_le_bytes(edge)))
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
