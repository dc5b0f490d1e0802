//! WebP files, chunk by chunk.

use image_webp::{ColorType, WebPEncoder};

use super::{SECRET, TAIL, exif, paint};

pub fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a short chunk");
    let padding = &[0][..content.len() % 2];
    [name, &length.to_le_bytes()[..], content, padding].concat()
}

pub fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"RIFF", &[b"WEBP", &chunks.concat()[..]].concat())
}

/// The extended header.
pub fn extended(flags: u8, (width, height): (u32, u32)) -> Vec<u8> {
    chunk(b"VP8X", &[&[flags, 0, 0, 0], &u24(width - 1)[..], &u24(height - 1)].concat())
}

fn u24(value: u32) -> [u8; 3] {
    let [a, b, c, _] = value.to_le_bytes();
    [a, b, c]
}

/// The one chunk of a lossless picture.
pub fn lossless(width: u32, height: u32, rgba: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    WebPEncoder::new(&mut file).encode(rgba, width, height, ColorType::Rgba8).expect("a WebP");
    file[12..].to_vec()
}

/// The one chunk of a lossy picture of 64 by 48 pixels: yellow, green, magenta and blue corners, as libwebp wrote it.
pub fn lossy() -> Vec<u8> {
    let hex = "3005009d012a400030003f096cad502ba62422b2a8017021094017fd3defcaff19b4d9fe20567e03c4f812130558ed28720000fe\
               eebd15c3b242ca3323a3ba19e96d963b4b649209117db57a6028e2a1fffdd3b98c24f7ccb67e3d52854e0337419cb26c29c40000";
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex"));
    chunk(b"VP8 ", &bytes.collect::<Vec<u8>>())
}

/// Secrets in EXIF, XMP, an unknown chunk and behind the end.
pub fn with_secrets(picture: &[u8], size: (u32, u32), orientation: u8) -> Vec<u8> {
    let secrets = [chunk(b"EXIF", &exif::block(orientation, true)), chunk(b"XMP ", &exif::xmp())];
    let unknown = chunk(b"GPSX", SECRET.as_bytes());
    let file = riff(&[extended(0x1c, size), unknown, picture.to_vec(), secrets.concat()]);
    [&file[..], TAIL].concat()
}

/// The chunk of a frame.
pub fn frame((x, y): (u32, u32), (width, height): (u32, u32), chunks: &[Vec<u8>]) -> Vec<u8> {
    let start = [u24(x / 2), u24(y / 2), u24(width - 1), u24(height - 1), u24(100)].concat();
    chunk(b"ANMF", &[&start[..], &[0], &chunks.concat()].concat())
}

/// An animation whose first frame fills a part of the canvas, with secrets inside of the frames too.
pub fn animation_with_secrets(orientation: u8) -> Vec<u8> {
    let unknown = chunk(b"GPSX", SECRET.as_bytes());
    let first = [unknown.clone(), lossless(64, 48, &paint::rgba(64, 48)), unknown.clone()];
    let animation = [
        chunk(b"ANIM", b"\xff\xff\xff\xff\0\0GPS-SECRET"),
        frame((0, 0), (64, 48), &first),
        frame((0, 0), (64, 48), &[lossy(), unknown]),
        chunk(b"EXIF", &exif::block(orientation, false)),
        chunk(b"XMP ", &exif::xmp()),
    ];
    let file = riff(&[extended(0x1e, (64, 48)), animation.concat()]);
    [&file[..], TAIL].concat()
}

/// The chunk of a lossless picture, however large, from 28 bytes: every code has one symbol, which takes no bits.
pub fn flat_lossless(width: u32, height: u32) -> Vec<u8> {
    let size = (width - 1) | ((height - 1) << 14);
    let mut content = vec![0x2f];
    content.extend(size.to_le_bytes());
    content.extend(flat_codes());
    chunk(b"VP8L", &content)
}

/// No transforms, no cache, one group of codes: each simple, of the one symbol 0.
fn flat_codes() -> [u8; 4] {
    let codes: u32 = (0..5).fold(0, |codes, number| codes | (1 << (3 + 4 * number)));
    codes.to_le_bytes()
}

/// The chunk of transparency for [`flat_lossy`]: compressed like a lossless picture.
pub fn flat_alpha() -> Vec<u8> {
    chunk(b"ALPH", &[&[1], &flat_codes()[..]].concat())
}

/// The chunk of a lossy picture, however large: an arithmetic coder reads zeros as "no" to every question.
pub fn flat_lossy(width: u16, height: u16) -> Vec<u8> {
    let blocks = usize::from(width.div_ceil(16)) * usize::from(height.div_ceil(16));
    let first = blocks * 5 / 8 + 256;
    let tag = (u32::try_from(first).expect("19 bits") << 5) | 0x10;
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let zeros = vec![0; first + blocks * 5 + 256];
    chunk(b"VP8 ", &[&u24(tag)[..], &[0x9d, 0x01, 0x2a], &size, &zeros].concat())
}

/// Where each part of a file begins, and the middle of each.
pub fn seams(file: &[u8]) -> Vec<usize> {
    let mut seams = vec![0, 4, 6, 8, 12];
    let mut at = 12;
    while at + 8 <= file.len() {
        let length = u32::from_le_bytes(file[at + 4..at + 8].try_into().expect("four bytes")) as usize;
        seams.extend([at + 2, at + 6, at + 8, at + 8 + length / 2, at + 7 + length]);
        at += 8 + length + length % 2;
        seams.push(at);
    }
    seams.retain(|seam| *seam < file.len());
    seams
}
