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
        let colors = self.profile.as_deref().map_or(0, color_table_bytes);
        OWN_BYTES + self.decoder_bytes + 2 * pixels + sizes + colors
    }
}

/// Bytes of the tables that are made of a color profile: a copy of each tag, although tags may share their bytes, and of
/// the largest one as floating-point numbers, for each of two steps.
fn color_table_bytes(profile: &[u8]) -> u64 {
    let number_at = |at: usize| {
        let bytes = profile.get(at..)?.first_chunk()?;
        Some(u64::from(u32::from_be_bytes(*bytes)))
    };
    let tags = profile.get(PROFILE_HEADER_BYTES + 4..).unwrap_or_default().as_chunks::<TAG_BYTES>().0.len();
    let tags = number_at(PROFILE_HEADER_BYTES).map_or(0, |count| usize::try_from(count).unwrap_or(tags).min(tags));
    let sizes = (0..tags).filter_map(|tag| number_at(PROFILE_HEADER_BYTES + 4 + tag * TAG_BYTES + 8));
    // A tag that claims more than there is cannot be read.
    let (all, largest) = sizes
        .filter(|size| *size <= profile.len() as u64)
        .fold((0, 0), |(all, largest), size| (all + size, size.max(largest)));
    all + 8 * largest
}

/// Of a profile, before its tags; and of an entry in the table of the tags: a name, a place and a size.
const PROFILE_HEADER_BYTES: usize = 128;
const TAG_BYTES: usize = 12;

/// Of decoders and encoders, whatever the picture.
const OWN_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_share_their_bytes_are_counted_each() {
        let entry = |size: u32| [b"A2B0\0\0\0\xa8".as_slice(), &size.to_be_bytes()].concat();
        let profile = |sizes: &[u32]| {
            let count = u32::try_from(sizes.len()).expect("few").to_be_bytes();
            let mut profile = [vec![0; PROFILE_HEADER_BYTES], count.to_vec()].concat();
            sizes.iter().for_each(|size| profile.extend(entry(*size)));
            profile.resize(4096, 0);
            profile
        };
        assert_eq!(color_table_bytes(&profile(&[1000, 1000, 1000])), 3000 + 8000);
        assert_eq!(color_table_bytes(&profile(&[1000, u32::MAX])), 1000 + 8000);
        assert_eq!(color_table_bytes(&[0; 20]), 0);
    }
}
