//! From a file to four clean pictures, or to a refusal.

mod clean;
mod colour;
mod hostile;
mod memory;
mod sizes;

use bytes::Bytes;
use cloakroom::photos::picture::{self, Format, Limits, Prepared, Refusal, Rendition, Size};

const LIMITS: Limits = Limits { max_bytes: 20 << 20, max_pixels: 50_000_000 };

fn prepare(file: &[u8]) -> Result<Prepared, Refusal> {
    picture::prepare(Bytes::copy_from_slice(file), &LIMITS)
}

/// What a good file becomes.
fn prepared(file: &[u8]) -> Prepared {
    prepare(file).unwrap_or_else(|refusal| panic!("{}", refusal.message()))
}

fn rendition(prepared: &Prepared, size: Size) -> &Rendition {
    prepared.renditions.iter().find(|rendition| rendition.size == size).expect("all four sizes")
}

/// What a picture shows, as somebody else decodes it.
struct Shown {
    width: usize,
    height: usize,
    rgba: Vec<[u8; 4]>,
}

impl Shown {
    fn of(rendition: &Rendition) -> Self {
        let shown = match rendition.format {
            Format::Jpeg => Self::jpeg(&rendition.bytes),
            Format::Png => Self::png(&rendition.bytes),
            format => panic!("{format:?} is no format of a size"),
        };
        assert_eq!((shown.width, shown.height), (rendition.width as usize, rendition.height as usize));
        shown
    }

    fn jpeg(file: &[u8]) -> Self {
        let mut decoder = rusty_jpeg::decode::Decoder::new(file);
        let pixels = decoder.decode().expect("a JPEG");
        let info = decoder.info().expect("a JPEG");
        let channels = pixels.len() / usize::from(info.width) / usize::from(info.height);
        let rgba = pixels.chunks(channels).map(|pixel| [pixel[0], pixel[channels / 2], pixel[channels - 1], 255]);
        Self { width: info.width.into(), height: info.height.into(), rgba: rgba.collect() }
    }

    fn png(file: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a small PNG")];
        let info = reader.next_frame(&mut pixels).expect("a PNG");
        assert_eq!(info.color_type, png::ColorType::Rgba);
        let rgba = pixels.chunks(4).map(|pixel| [pixel[0], pixel[1], pixel[2], pixel[3]]).collect();
        Self { width: info.width as usize, height: info.height as usize, rgba }
    }

    /// A pixel, in hundredths of width and height.
    fn at(&self, x: usize, y: usize) -> [u8; 4] {
        self.rgba[(y * self.height / 100) * self.width + x * self.width / 100]
    }

    /// The middle of each quarter: top left, top right, bottom left, bottom right.
    fn corners(&self) -> [[u8; 4]; 4] {
        [self.at(25, 25), self.at(75, 25), self.at(25, 75), self.at(75, 75)]
    }
}

/// Whether two colours look the same.
fn alike(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).all(|(one, other)| one.abs_diff(*other) <= 6)
}

#[track_caller]
fn assert_shows(shown: &Shown, corners: [[u8; 3]; 4]) {
    let found = shown.corners();
    assert!(found.iter().zip(&corners).all(|(found, wanted)| alike(found, wanted)), "{found:?} for {corners:?}");
}
