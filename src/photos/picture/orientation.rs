//! How a picture is to be turned and mirrored to be upright: EXIF's numbers 1 to 8.

use crate::photos::picture::pixels::Pixels;

/// One of EXIF's eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation(u8);

impl Default for Orientation {
    /// Upright already.
    fn default() -> Self {
        Self(1)
    }
}

impl Orientation {
    pub(super) fn new(number: u32) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..=8).contains(number)).map(Self)
    }

    pub(super) fn number(self) -> u8 {
        self.0
    }

    pub(super) fn is_upright(self) -> bool {
        self.0 == 1
    }

    /// Width and height as they are shown.
    pub(super) fn shown(self, (width, height): (u32, u32)) -> (u32, u32) {
        if self.0 >= 5 { (height, width) } else { (width, height) }
    }

    /// The picture upright.
    pub(super) fn apply(self, pixels: Pixels) -> Pixels {
        let channels = pixels.layout.channels();
        let stride = pixels.width as usize * channels;
        if self.is_upright() || stride == 0 {
            return pixels;
        }
        let mut turned = Vec::with_capacity(pixels.bytes.len());
        let rows = pixels.bytes.chunks_exact(stride);
        match self.0 {
            2 => rows.for_each(|row| row.chunks_exact(channels).rev().for_each(|pixel| turned.extend(pixel))),
            3 => pixels.bytes.chunks_exact(channels).rev().for_each(|pixel| turned.extend(pixel)),
            4 => rows.rev().for_each(|row| turned.extend(row)),
            number => {
                // Each row is a column of the stored picture.
                for row in 0..pixels.width as usize {
                    let column = if number < 7 { row } else { pixels.width as usize - 1 - row };
                    let place = column * channels..(column + 1) * channels;
                    let mut put = |row: &[u8]| turned.extend(row.get(place.clone()).unwrap_or_default());
                    if number == 5 || number == 8 {
                        rows.clone().for_each(&mut put);
                    } else {
                        rows.clone().rev().for_each(&mut put);
                    }
                }
            }
        }
        let (width, height) = self.shown(pixels.edges());
        Pixels { width, height, bytes: turned, ..pixels }
    }
}
