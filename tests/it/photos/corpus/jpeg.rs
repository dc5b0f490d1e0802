//! JPEG files.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{SECRET, TAIL, exif, paint};

/// A picture of four corners.
pub fn painted(width: u16, height: u16, progressive: bool) -> Vec<u8> {
    encoded(&paint::rgb(width.into(), height.into()), (width, height), ColorType::Rgb, progressive)
}

pub fn encoded(pixels: &[u8], (width, height): (u16, u16), colour: ColorType, progressive: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 95);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    encoder.set_progressive(progressive);
    encoder.encode(pixels, width, height, colour).expect("a JPEG");
    file
}

pub fn segment(marker: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = u16::try_from(content.len() + 2).expect("a short segment");
    [&[0xff, marker], &length.to_be_bytes()[..], &content[..]].concat()
}

/// The file with this behind its start.
pub fn with(file: &[u8], segments: &[u8]) -> Vec<u8> {
    [&file[..2], segments, &file[2..]].concat()
}

/// The file with an ICC profile, in pieces of so many bytes.
pub fn with_profile(file: &[u8], profile: &[u8], piece: usize) -> Vec<u8> {
    let pieces = profile.chunks(piece);
    let count = u8::try_from(pieces.len()).expect("few pieces");
    let segments = (1..).zip(pieces).map(|(number, piece)| segment(0xe2, &[b"ICC_PROFILE\0", &[number, count], piece]));
    with(file, &segments.collect::<Vec<_>>().concat())
}

pub fn with_orientation(file: &[u8], orientation: u8) -> Vec<u8> {
    with(file, &segment(0xe1, &[b"Exif\0\0", &exif::block(orientation, orientation.is_multiple_of(2))]))
}

/// The file with secrets in EXIF, XMP, IPTC, comments, a maker's segment, a second picture and behind its end.
pub fn with_secrets(file: &[u8], orientation: u8) -> Vec<u8> {
    let secret = SECRET.as_bytes();
    let segments = [
        segment(0xe1, &[b"Exif\0\0", &exif::block(orientation, true)]),
        segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", &exif::xmp()]),
        segment(0xe2, &[b"MPF\0II*\0", secret]),
        segment(0xe2, &[b"FPXR\0", secret]),
        segment(0xe0, &[b"JFXX\0\x10", secret]),
        segment(0xed, &[b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x0f\x1c\x02\x78\0\x0a", secret, b"\0"]),
        segment(0xef, &[secret]),
        segment(0xfe, &[secret]),
    ];
    // A second picture, as phones append one, and the tail.
    [&with(file, &segments.concat())[..], file, TAIL].concat()
}

/// A picture of one colour, however large, from few bytes: each block takes one bit, or two.
pub fn flat(width: u16, height: u16, components: u8, progressive: bool) -> Vec<u8> {
    let frame = (1..=components).flat_map(|id| [id, 0x11, 0]).collect::<Vec<u8>>();
    let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
    // One code of one bit, for the value 0: no difference, or nothing more in this block.
    let code = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let scan = (1..=components).flat_map(|id| [id, 0]).collect::<Vec<u8>>();
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8)) * usize::from(components);
    [
        vec![0xff, 0xd8],
        segment(0xdb, &[&[0], &[1; 64]]),
        segment(if progressive { 0xc2 } else { 0xc0 }, &[&[8], &size, &[components], &frame]),
        segment(0xc4, &[&[0], &code, &[0x10], &code]),
        segment(0xda, &[&[components], &scan, &[0, if progressive { 0 } else { 63 }, 0]]),
        vec![0; blocks / if progressive { 8 } else { 4 } + 1],
        vec![0xff, 0xd9],
    ]
    .concat()
}

/// Where each part of a file begins: segments, and the compressed data after a scan's header.
pub fn seams(file: &[u8]) -> Vec<usize> {
    let mut seams = vec![0, 1, 2];
    let mut at = 2;
    while file[at + 1] != 0xda {
        at += 2 + usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
        seams.extend([at, at + 1, at + 2, at + 3]);
    }
    seams.extend([at + 8, file.len() / 2 + at / 2, file.len() - 3, file.len() - 2, file.len() - 1]);
    seams.retain(|seam| *seam < file.len());
    seams
}
