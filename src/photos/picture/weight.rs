//! How much memory it takes to make the sizes of a picture: known from its headers, and asked for before it is decoded.

use crate::photos::picture::container::Clean;
use crate::photos::picture::{Format, sizes};

impl Clean {
    /// Bytes beside the clean file, at most: of the decoder, of the pixels that come out, and of the sizes while they
    /// are made. Somewhat more than was measured.
    #[must_use]
    pub fn working_bytes(&self) -> u64 {
        let size = (self.width, self.height);
        let factor = if self.format == Format::Jpeg { sizes::jpeg_factor(size) } else { sizes::shrink_factor(size) };
        let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
        let pixels = 4 * area(self.width.div_ceil(factor), self.height.div_ceil(factor));
        // LARGE as it is scaled, in sRGB, turned, and as a file.
        let sizes = 16 * area(self.width.min(sizes::LARGE), self.height.min(sizes::LARGE));
        // A JPEG's colours come out apart and are put together; others are weighed by their transparency, or lose it.
        OWN_BYTES + self.decoder_bytes + 2 * pixels + sizes + self.profile_bytes()
    }

    /// The tables of a profile, as it is read and as numbers to work with.
    fn profile_bytes(&self) -> u64 {
        8 * self.profile.as_ref().map_or(0, Vec::len) as u64
    }
}

/// Of decoders and encoders, whatever the picture.
const OWN_BYTES: u64 = 1 << 20;
