//! The compressed data of a PNG, cut to what belongs to the image.
//!
//! Image and frames are zlib streams, each over one or more chunks. A stream is decompressed once, to find its end: bytes
//! behind it are dropped. A stream that holds other than the rows of its image is compressed anew: rows too many go, and
//! up to 5 % of missing ones become transparent or black.

use std::io::{Read, Write as _};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use crate::photos::picture::Refusal;
use crate::photos::picture::container::{Clean, TOO_LITTLE, is_enough};
use crate::photos::picture::reader::Reader;

use super::chunk::{Header, SIGNATURE, frame_size, next_chunk, put};

/// Of rows that are compressed anew: half a second of one core.
const MAX_REPAIRED_BYTES: u64 = 128 << 20;
const WINDOW_BYTES: usize = 64 << 10;

/// Where a stream ends.
enum Stream {
    /// After so many bytes.
    Ends(usize),
    /// It had to be compressed anew.
    Rewritten(Vec<u8>),
}

struct Writer {
    header: Header,
    bytes: Vec<u8>,
    /// Of the next chunk of the animation.
    sequence: u32,
    frames: u32,
    /// Where the animation's own chunk is, and its content.
    animation: Option<(usize, [u8; 8])>,
    /// The frame whose data comes next.
    frame: Option<[u8; 26]>,
}

pub(in crate::photos::picture::container) fn finish(clean: Clean) -> Result<Clean, Refusal> {
    let mut reader = Reader::new(&clean.bytes);
    reader.take(SIGNATURE.len())?;
    let header = Header::new(&next_chunk(&mut reader.clone())?)?;
    let bytes = Vec::with_capacity(clean.bytes.len());
    let mut writer = Writer { header, bytes, sequence: 0, frames: 0, animation: None, frame: None };
    writer.bytes.extend_from_slice(SIGNATURE);
    while !reader.is_empty() {
        let chunk = next_chunk(&mut reader)?;
        match &chunk.name {
            b"IDAT" => {
                let parts = run(chunk.content, &mut reader, *b"IDAT");
                writer.image(&parts)?;
            }
            b"fdAT" => {
                let parts = run(chunk.content, &mut reader, *b"fdAT");
                let parts: Vec<&[u8]> = parts.iter().map(|part| part.get(4..).unwrap_or_default()).collect();
                writer.frame(&parts)?;
            }
            b"fcTL" => writer.frame = chunk.content.first_chunk().copied(),
            b"acTL" => {
                writer.animation = chunk.content.first_chunk().map(|content| (writer.bytes.len(), *content));
                put(&mut writer.bytes, chunk.name, &[chunk.content]);
            }
            _ => put(&mut writer.bytes, chunk.name, &[chunk.content]),
        }
    }
    writer.count_frames();
    Ok(Clean { bytes: writer.bytes, ..clean })
}

/// The contents of this chunk and of those that go on with it.
fn run<'a>(first: &'a [u8], reader: &mut Reader<'a>, name: [u8; 4]) -> Vec<&'a [u8]> {
    let mut parts = vec![first];
    loop {
        let mut ahead = *reader;
        match next_chunk(&mut ahead) {
            Ok(chunk) if chunk.name == name => {
                parts.push(chunk.content);
                *reader = ahead;
            }
            _ => return parts,
        }
    }
}

impl Writer {
    fn image(&mut self, parts: &[&[u8]]) -> Result<(), Refusal> {
        let raw = self.header.raw_bytes(self.header.width, self.header.height);
        let stream = stream(parts, raw)?;
        if let Some(control) = self.frame.take() {
            self.control(control);
        }
        match stream {
            Stream::Ends(end) => {
                for part in parts_until(parts, end) {
                    put(&mut self.bytes, *b"IDAT", &[part]);
                }
            }
            Stream::Rewritten(stream) => put(&mut self.bytes, *b"IDAT", &[&stream]),
        }
        Ok(())
    }

    /// A further frame. The last one may be cut: then the animation ends before it.
    fn frame(&mut self, parts: &[&[u8]]) -> Result<(), Refusal> {
        let Some(control) = self.frame.take() else { return Ok(()) };
        let (width, height) = frame_size(&control)?;
        let Ok(stream) = stream(parts, self.header.raw_bytes(width, height)) else { return Ok(()) };
        self.control(control);
        match stream {
            Stream::Ends(end) => {
                for part in parts_until(parts, end) {
                    self.data(part);
                }
            }
            Stream::Rewritten(stream) => self.data(&stream),
        }
        Ok(())
    }

    fn control(&mut self, [_, _, _, _, rest @ ..]: [u8; 26]) {
        let sequence = self.next_sequence();
        put(&mut self.bytes, *b"fcTL", &[&sequence, &rest]);
        self.frames += 1;
    }

    fn data(&mut self, part: &[u8]) {
        let sequence = self.next_sequence();
        put(&mut self.bytes, *b"fdAT", &[&sequence, part]);
    }

    fn next_sequence(&mut self) -> [u8; 4] {
        self.sequence += 1;
        (self.sequence - 1).to_be_bytes()
    }

    /// Says how many frames are left; none is no animation.
    fn count_frames(&mut self) {
        let Some((at, [_, _, _, _, plays @ ..])) = self.animation else { return };
        let mut chunk = Vec::new();
        if self.frames > 0 {
            put(&mut chunk, *b"acTL", &[&self.frames.to_be_bytes(), &plays]);
        }
        // Length, name, content and checksum.
        self.bytes.splice(at..at + 20, chunk);
    }
}

/// The parts up to the end of the stream; parts without anything go.
fn parts_until<'p>(parts: &'p [&[u8]], end: usize) -> impl Iterator<Item = &'p [u8]> {
    let mut left = end;
    parts.iter().filter_map(move |part| {
        let part = part.get(..part.len().min(left)).unwrap_or_default();
        left -= part.len();
        if part.is_empty() { None } else { Some(part) }
    })
}

/// Finds the end of a stream that holds so many bytes.
fn stream(parts: &[&[u8]], raw: u64) -> Result<Stream, Refusal> {
    let mut inflater = Decompress::new(true);
    let mut window = vec![0; WINDOW_BYTES];
    let mut taken = 0;
    'parts: for part in parts {
        let mut rest = *part;
        while !rest.is_empty() && inflater.total_out() <= raw {
            let before = (inflater.total_in(), inflater.total_out());
            let Ok(status) = inflater.decompress(rest, &mut window, FlushDecompress::None) else { break 'parts };
            let read = usize::try_from(inflater.total_in() - before.0).unwrap_or_default();
            taken += read;
            rest = rest.get(read..).unwrap_or_default();
            match status {
                Status::StreamEnd if inflater.total_out() == raw => return Ok(Stream::Ends(taken)),
                Status::StreamEnd => break 'parts,
                _ if (inflater.total_in(), inflater.total_out()) == before => break 'parts,
                _ => {}
            }
        }
    }
    if !is_enough(inflater.total_out(), raw) || raw > MAX_REPAIRED_BYTES {
        return Err(TOO_LITTLE);
    }
    rewrite(parts, raw).map(Stream::Rewritten)
}

/// Compresses so many bytes of a stream anew, zeros where it has none.
fn rewrite(parts: &[&[u8]], raw: u64) -> Result<Vec<u8>, Refusal> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut inflater = Decompress::new(true);
    let mut window = vec![0; WINDOW_BYTES];
    let mut left = usize::try_from(raw).map_err(|_| TOO_LITTLE)?;
    let mut is_broken = false;
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() && left > 0 && !is_broken {
            let before = (inflater.total_in(), inflater.total_out());
            let status = inflater.decompress(rest, &mut window, FlushDecompress::None);
            let read = usize::try_from(inflater.total_in() - before.0).unwrap_or_default();
            let made = usize::try_from(inflater.total_out() - before.1).unwrap_or_default().min(left);
            encoder.write_all(window.get(..made).unwrap_or_default()).map_err(|_| TOO_LITTLE)?;
            left -= made;
            rest = rest.get(read..).unwrap_or_default();
            is_broken = !matches!(status, Ok(Status::Ok)) || (read, made) == (0, 0);
        }
    }
    std::io::copy(&mut std::io::repeat(0).take(left as u64), &mut encoder).map_err(|_| TOO_LITTLE)?;
    encoder.finish().map_err(|_| TOO_LITTLE)
}
