//! PNG files, chunk by chunk.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};

use super::{SECRET, TAIL, exif, paint};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// How the pixels are stored: PNG's own numbers.
#[derive(Clone, Copy)]
pub struct Kind {
    pub depth: u8,
    pub colour: u8,
    pub interlaced: bool,
}

pub const RGB: Kind = Kind { depth: 8, colour: 2, interlaced: false };
pub const RGBA: Kind = Kind { depth: 8, colour: 6, interlaced: false };

pub fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a short chunk");
    let checked = [name, content].concat();
    [&length.to_be_bytes()[..], &checked, &crc32fast::hash(&checked).to_be_bytes()].concat()
}

pub fn header(width: u32, height: u32, kind: Kind) -> Vec<u8> {
    let (width, height) = (width.to_be_bytes(), height.to_be_bytes());
    let rest = [kind.depth, kind.colour, 0, 0, u8::from(kind.interlaced)];
    chunk(b"IHDR", &[&width[..], &height[..], &rest].concat())
}

pub fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A file of these chunks.
pub fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    [SIGNATURE, &chunks.concat(), &chunk(b"IEND", &[])].concat()
}

/// Rows with their filter: none.
pub fn rows(pixels: &[u8], row: usize) -> Vec<u8> {
    pixels.chunks(row).flat_map(|row| [&[0], row].concat()).collect()
}

/// A picture of eight-bit pixels with these chunks before them.
pub fn painted(width: u32, height: u32, kind: Kind, pixels: &[u8], before: &[Vec<u8>]) -> Vec<u8> {
    let bytes = pixels.len() / height as usize;
    let data = chunk(b"IDAT", &compressed(&rows(pixels, bytes)));
    file(&[header(width, height, kind), before.concat(), data])
}

/// The same picture in seven passes, as an interlaced one.
pub fn interlaced(width: usize, height: usize, kind: Kind, pixels: &[u8]) -> Vec<u8> {
    let size = pixels.len() / width / height;
    let mut data = Vec::new();
    for (x, y, across, down) in
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    {
        for y in (y..height).step_by(down).filter(|_| x < width) {
            data.push(0);
            for x in (x..width).step_by(across) {
                let at = (y * width + x) * size;
                data.extend_from_slice(&pixels[at..at + size]);
            }
        }
    }
    let (width, height) = (u32::try_from(width).expect("small"), u32::try_from(height).expect("small"));
    file(&[header(width, height, Kind { interlaced: true, ..kind }), chunk(b"IDAT", &compressed(&data))])
}

pub fn profile(profile: &[u8]) -> Vec<u8> {
    profile_stream(&compressed(profile))
}

/// The chunk of a profile that is compressed already.
pub fn profile_stream(stream: &[u8]) -> Vec<u8> {
    chunk(b"iCCP", &[SECRET.as_bytes(), b"\0\0", stream].concat())
}

/// A small picture whose profile is so many zeros.
pub fn with_bomb(bytes: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    (0..bytes >> 20).for_each(|_| encoder.write_all(&zeros).expect("memory"));
    let bomb = profile_stream(&encoder.finish().expect("memory"));
    painted(64, 48, RGB, &paint::rgb(64, 48), &[bomb])
}

/// Secrets in EXIF, every kind of text, the time, an unknown chunk and behind the end.
pub fn with_secrets(width: u32, height: u32, orientation: u8) -> Vec<u8> {
    let secret = SECRET.as_bytes();
    let chunks = [
        chunk(b"eXIf", &exif::block(orientation, false)),
        chunk(b"tEXt", &[b"Comment\0", secret].concat()),
        chunk(b"zTXt", &[b"GPS-SECRET\0\0", &compressed(secret)[..]].concat()),
        chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", &exif::xmp()[..]].concat()),
        chunk(b"tIME", &[7, 234, 1, 2, 3, 4, 5]),
        chunk(b"prVt", secret),
    ];
    let pixels = paint::rgb(width as usize, height as usize);
    [&painted(width, height, RGB, &pixels, &chunks)[..], TAIL].concat()
}

/// A picture of zeros, however large.
pub fn flat(width: u32, height: u32, kind: Kind) -> Vec<u8> {
    let channels = match kind.colour {
        0 | 3 => 1,
        4 => 2,
        2 => 3,
        _ => 4,
    };
    let zeros = vec![0; 1 << 16];
    let mut left = (u64::from(width) * channels * u64::from(kind.depth)).div_ceil(8) * u64::from(height)
        + u64::from(height) * if kind.interlaced { 2 } else { 1 };
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    while left > 0 {
        let some = left.min(1 << 16);
        encoder.write_all(&zeros[..usize::try_from(some).expect("64 KiB")]).expect("memory");
        left -= some;
    }
    file(&[header(width, height, kind), chunk(b"IDAT", &encoder.finish().expect("memory"))])
}

/// Where each part of a file begins, and the middle of each.
pub fn seams(file: &[u8]) -> Vec<usize> {
    let mut seams = vec![0, 4, 8];
    let mut at = 8;
    while at < file.len() {
        let length = u32::from_be_bytes(file[at..at + 4].try_into().expect("four bytes")) as usize;
        seams.extend([at + 2, at + 6, at + 8, at + 8 + length / 2, at + 8 + length, at + 10 + length]);
        at += 12 + length;
        seams.push(at);
    }
    seams.retain(|seam| *seam < file.len());
    seams
}
