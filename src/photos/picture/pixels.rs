//! A picture as rows of pixels, eight bits a channel.

/// What the bytes of one pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Gray,
    /// The last one is how much it covers, here and in `Rgba`.
    GrayAlpha,
    Rgb,
    Rgba,
    /// 0 is no ink.
    Cmyk,
}

impl Layout {
    pub(super) fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

/// A picture, row after row from the top, without gaps.
#[derive(Clone)]
pub(super) struct Pixels {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) layout: Layout,
    pub(super) bytes: Vec<u8>,
}

impl Pixels {
    pub(super) fn edges(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(super) fn short_edge(&self) -> u32 {
        self.width.min(self.height)
    }

    /// Without the fourth channel where nothing shines through.
    pub(super) fn without_idle_alpha(mut self) -> Self {
        let (channels, opaque) = match self.layout {
            Layout::GrayAlpha => (2, Layout::Gray),
            Layout::Rgba => (4, Layout::Rgb),
            Layout::Gray | Layout::Rgb | Layout::Cmyk => return self,
        };
        if self.bytes.chunks_exact(channels).all(|pixel| pixel.last() == Some(&u8::MAX)) {
            // As long as it becomes: growing, it would take as much again.
            let mut bytes = Vec::with_capacity(self.bytes.len() / channels * (channels - 1));
            let colors = self.bytes.chunks_exact(channels).filter_map(|pixel| pixel.get(..channels - 1));
            colors.for_each(|color| bytes.extend_from_slice(color));
            (self.bytes, self.layout) = (bytes, opaque);
        }
        self
    }

    /// Every pixel as red, green, blue and alpha. Not for CMYK.
    pub(super) fn rgba(&self) -> Vec<u8> {
        match self.layout {
            Layout::Gray => self.bytes.iter().flat_map(|&gray| [gray, gray, gray, u8::MAX]).collect(),
            Layout::GrayAlpha => {
                let pixels = self.bytes.as_chunks::<2>().0.iter();
                pixels.flat_map(|&[gray, alpha]| [gray, gray, gray, alpha]).collect()
            }
            Layout::Rgb => {
                self.bytes.chunks_exact(3).flat_map(|pixel| pixel.iter().copied().chain([u8::MAX])).collect()
            }
            Layout::Rgba | Layout::Cmyk => self.bytes.clone(),
        }
    }
}
