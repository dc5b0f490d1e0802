//! From a file to four clean pictures, or to a refusal.

mod clean;
mod colour;
mod corpus;
mod hidden;
mod hostile;
mod memory;
mod repair;
mod sizes;

use bytes::Bytes;
use cloakroom::photos::picture::{self, Format, Limits, Prepared, Refusal, Rendition, Size};

const LIMITS: Limits = Limits { max_bytes: 20 << 20, max_pixels: 64 << 20 };

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
            Format::Webp => Self::webp(&rendition.bytes),
            Format::Gif => Self::gif(&rendition.bytes),
        };
        assert_eq!((shown.width, shown.height), (rendition.width as usize, rendition.height as usize));
        shown
    }

    fn jpeg(file: &[u8]) -> Self {
        let mut decoder = jpeg_decoder::Decoder::new(file);
        let pixels = decoder.decode().expect("a JPEG");
        let info = decoder.info().expect("a JPEG");
        let channels = pixels.len() / usize::from(info.width) / usize::from(info.height);
        let rgba = pixels.chunks(channels).map(|pixel| [pixel[0], pixel[channels / 2], pixel[channels - 1], 255]);
        Self { width: info.width.into(), height: info.height.into(), rgba: rgba.collect() }
    }

    fn png(file: &[u8]) -> Self {
        let mut reader = {
            let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
            decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
            decoder.read_info().expect("a PNG")
        };
        let mut pixels = vec![0; reader.output_buffer_size().expect("a small PNG")];
        let info = reader.next_frame(&mut pixels).expect("a PNG");
        assert_eq!(info.bit_depth, png::BitDepth::Eight);
        let rgba = pixels[..info.buffer_size()].chunks(info.color_type.samples()).map(|pixel| match *pixel {
            [gray] => [gray, gray, gray, 255],
            [gray, alpha] => [gray, gray, gray, alpha],
            [red, green, blue] => [red, green, blue, 255],
            [red, green, blue, alpha] => [red, green, blue, alpha],
            _ => panic!("{:?}", info.color_type),
        });
        Self { width: info.width as usize, height: info.height as usize, rgba: rgba.collect() }
    }

    fn webp(file: &[u8]) -> Self {
        let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(file)).expect("a WebP");
        let mut pixels = vec![0; decoder.output_buffer_size().expect("a small WebP")];
        decoder.read_image(&mut pixels).expect("a WebP");
        let (width, height) = decoder.dimensions();
        let channels = if decoder.has_alpha() { 4 } else { 3 };
        let rgba = pixels.chunks(channels).map(|pixel| [pixel[0], pixel[1], pixel[2], *pixel.get(3).unwrap_or(&255)]);
        Self { width: width as usize, height: height as usize, rgba: rgba.collect() }
    }

    /// The first frame, which fills the screen.
    fn gif(file: &[u8]) -> Self {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(file).expect("a GIF");
        let (width, height) = (decoder.width(), decoder.height());
        let frame = decoder.read_next_frame().expect("a GIF").expect("a frame");
        assert_eq!((frame.width, frame.height), (width, height));
        let rgba = frame.buffer.as_chunks::<4>().0.to_vec();
        Self { width: width.into(), height: height.into(), rgba }
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

/// The mean of all pixels, in which a color counts by how much it covers.
fn mean(rgba: &[[u8; 4]]) -> [f64; 4] {
    let mut sums = [0.0; 4];
    for [red, green, blue, alpha] in rgba {
        let alpha = f64::from(*alpha);
        for (sum, value) in sums.iter_mut().zip([*red, *green, *blue]) {
            *sum += f64::from(value) * alpha / 255.0;
        }
        sums[3] += alpha;
    }
    let count = f64::from(u32::try_from(rgba.len()).expect("a small image"));
    sums.map(|sum| sum / count)
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
