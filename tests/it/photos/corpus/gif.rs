//! GIF files.

use gif::{Encoder, Frame, Repeat};

use super::{SECRET, TAIL, paint};

/// An animation of two frames, of which the first is what [`paint::indices`] shows.
pub fn painted(width: u16, height: u16) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height, &paint::CORNERS.concat()).expect("a GIF");
    encoder.set_repeat(Repeat::Infinite).expect("a GIF");
    for fill in [None, Some(1)] {
        let indices = match fill {
            None => paint::indices(width.into(), height.into()),
            Some(index) => vec![index; usize::from(width) * usize::from(height)],
        };
        let frame = Frame { width, height, delay: 10, buffer: indices.into(), ..Frame::default() };
        encoder.write_frame(&frame).expect("a frame");
    }
    drop(encoder);
    file
}

/// A single frame.
pub fn still(width: u16, height: u16) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height, &paint::CORNERS.concat()).expect("a GIF");
    let buffer = paint::indices(width.into(), height.into()).into();
    encoder.write_frame(&Frame { width, height, buffer, ..Frame::default() }).expect("a frame");
    drop(encoder);
    file
}

fn extension(kind: u8, blocks: &[&[u8]]) -> Vec<u8> {
    let blocks = blocks.iter().flat_map(|block| [&[u8::try_from(block.len()).expect("a block")], *block].concat());
    [0x21, kind].into_iter().chain(blocks).chain([0]).collect()
}

/// Secrets in a comment, a text, XMP, an application's extension, beside the loop and behind the end.
pub fn with_secrets(width: u16, height: u16) -> Vec<u8> {
    let secret = SECRET.as_bytes();
    let extensions = [
        extension(0xfe, &[secret]),
        extension(0x01, &[&[0; 12], secret]),
        extension(0xff, &[b"XMP DataXMP", secret]),
        extension(0xff, &[b"GPS-SECRET!", secret]),
        extension(0xff, &[b"NETSCAPE2.0", &[1, 0, 0], secret]),
    ];
    let file = painted(width, height);
    // Behind the screen and its four colours.
    let start = 13 + 4 * 3;
    [&file[..start], &extensions.concat(), &file[start..], TAIL].concat()
}

/// So many frames of one pixel.
pub fn frames(count: usize) -> Vec<u8> {
    let screen = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff";
    let frame = b"\x21\xf9\x04\x04\x01\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    [screen, &frame.repeat(count)[..], b";"].concat()
}

/// A picture of one colour, however large.
pub fn flat(width: u16, height: u16) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height, &[1, 2, 3, 4, 5, 6]).expect("a GIF");
    let buffer = vec![0; usize::from(width) * usize::from(height)].into();
    encoder.write_frame(&Frame { width, height, buffer, ..Frame::default() }).expect("a frame");
    drop(encoder);
    file
}
