//! The picture: 4000 by 3000 pixels of waves, edges and noise, about as hard to compress as a photo.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

const WIDTH: u16 = 4000;
const HEIGHT: u16 = 3000;

/// Always the same bytes.
pub(super) fn jpeg(progressive: bool) -> Vec<u8> {
    let mut random = 12_345_u32;
    let mut pixels = Vec::with_capacity(usize::from(WIDTH) * usize::from(HEIGHT) * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            let noise = f32::from(u8::try_from(random & 15).unwrap_or_default()) - 8.0;
            let edge = if (x / 211 + y / 173) % 2 == 0 { 40.0 } else { -30.0 };
            let (x, y) = (f32::from(x), f32::from(y));
            let red = 128.0 + 60.0 * (x / 97.0).sin() + 50.0 * (y / 61.0).cos();
            let green = 128.0 + 60.0 * ((x + y) / 143.0).sin() + edge;
            let blue = 128.0 + 90.0 * (x * y / 900_000.0).sin();
            // A cast from a float keeps to the range of a byte.
            pixels.extend([red, green, blue].map(|channel| (channel + noise) as u8));
        }
    }
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 85);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    encoder.encode(&pixels, WIDTH, HEIGHT, ColorType::Rgb).expect("a JPEG");
    file
}
