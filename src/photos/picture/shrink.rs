//! Makes a picture smaller while it is decoded, row by row, so that it is never whole in memory: each pixel of the
//! outcome is the mean of a square of pixels. What a JPEG's decoder does by itself.

use crate::photos::picture::pixels::{Layout, Pixels};
use crate::photos::picture::sizes;

/// In which order the rows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// From the top, each once and whole.
    FromTheTop,
    /// As an interlaced PNG has them.
    Interlaced,
}

/// A picture that is becoming smaller.
pub(super) struct Shrink {
    factor: usize,
    order: Order,
    /// Of the source, in pixels.
    width: usize,
    height: usize,
    /// Bytes of a pixel.
    channels: usize,
    /// Sums of each square: of one row of squares or, interlaced, of all. Colours count by how much they cover.
    sums: Vec<u32>,
    out: Pixels,
}

impl Shrink {
    /// For a picture of this size: by as much as the sizes that are made of it allow.
    pub(super) fn new((width, height): (u32, u32), layout: Layout, order: Order) -> Self {
        let factor = sizes::shrink_factor((width, height));
        let out = Pixels { width: width.div_ceil(factor), height: height.div_ceil(factor), layout, bytes: Vec::new() };
        let channels = layout.channels();
        let (across, down) = (out.width as usize * channels, out.height as usize);
        let mut shrink = Self {
            factor: factor as usize,
            order,
            width: width as usize,
            height: height as usize,
            channels,
            sums: Vec::new(),
            out,
        };
        match (factor, order) {
            (1, Order::FromTheTop) => shrink.out.bytes.reserve_exact(across * down),
            (1, Order::Interlaced) => shrink.out.bytes.resize(across * down, 0),
            (_, Order::FromTheTop) => shrink.sums.resize(across, 0),
            (_, Order::Interlaced) => shrink.sums.resize(across * down, 0),
        }
        shrink
    }

    /// Takes row `y`: pixels from `x`, each `step` after the one before.
    pub(super) fn add(&mut self, y: usize, x: usize, step: usize, row: &[u8]) {
        if self.factor == 1 {
            return self.copy(y, x, step, row);
        }
        let across = self.out.width as usize * self.channels;
        let first = match self.order {
            Order::FromTheTop => 0,
            Order::Interlaced => y / self.factor * across,
        };
        let sums = self.sums.get_mut(first..first + across).unwrap_or_default();
        if step == 1 {
            for (sums, pixels) in sums.chunks_exact_mut(self.channels).zip(row.chunks(self.factor * self.channels)) {
                pixels.chunks_exact(self.channels).for_each(|pixel| sum(self.out.layout, sums, pixel));
            }
        } else {
            for (number, pixel) in row.chunks_exact(self.channels).enumerate() {
                let at = (x + number * step) / self.factor * self.channels;
                if let Some(sums) = sums.get_mut(at..at + self.channels) {
                    sum(self.out.layout, sums, pixel);
                }
            }
        }
        if self.order == Order::FromTheTop && (y % self.factor == self.factor - 1 || y == self.height - 1) {
            self.means(y / self.factor);
        }
    }

    fn copy(&mut self, y: usize, x: usize, step: usize, row: &[u8]) {
        if self.order == Order::FromTheTop {
            return self.out.bytes.extend_from_slice(row);
        }
        let start = (y * self.width + x) * self.channels;
        let there = self.out.bytes.get_mut(start..).unwrap_or_default();
        for (there, pixel) in there.chunks_mut(step * self.channels).zip(row.chunks_exact(self.channels)) {
            there.iter_mut().zip(pixel).for_each(|(there, value)| *there = *value);
        }
    }

    /// Writes row `y` of the outcome from its sums.
    fn means(&mut self, y: usize) {
        let across = self.out.width as usize * self.channels;
        let first = if self.order == Order::FromTheTop { 0 } else { y * across };
        let down = self.factor.min(self.height - y * self.factor);
        let sums = self.sums.get_mut(first..first + across).unwrap_or_default();
        for (number, sums) in sums.chunks_exact_mut(self.channels).enumerate() {
            let count = u32::try_from(down * self.factor.min(self.width - number * self.factor)).unwrap_or(u32::MAX);
            match (self.out.layout, &*sums) {
                (Layout::Rgba, [red, green, blue, alpha]) => {
                    let by_alpha = |sum: &u32| byte(*sum, *alpha);
                    self.out.bytes.extend([by_alpha(red), by_alpha(green), by_alpha(blue), byte(*alpha, count)]);
                }
                (Layout::GrayAlpha, [gray, alpha]) => self.out.bytes.extend([byte(*gray, *alpha), byte(*alpha, count)]),
                (_, sums) => self.out.bytes.extend(sums.iter().map(|sum| byte(*sum, count))),
            }
            sums.fill(0);
        }
    }

    /// The smaller picture.
    pub(super) fn end(mut self) -> Pixels {
        if self.factor > 1 && self.order == Order::Interlaced {
            for y in 0..self.out.height as usize {
                self.means(y);
            }
        }
        self.sums = Vec::new();
        // Rows that a broken file does not have.
        let length = self.out.width as usize * self.out.height as usize * self.channels;
        self.out.bytes.resize(length, 0);
        self.out
    }
}

fn sum(layout: Layout, sums: &mut [u32], pixel: &[u8]) {
    match (layout, sums, pixel) {
        (Layout::Rgba, [red, green, blue, covered], [r, g, b, alpha]) => {
            let alpha = u32::from(*alpha);
            *red += u32::from(*r) * alpha;
            *green += u32::from(*g) * alpha;
            *blue += u32::from(*b) * alpha;
            *covered += alpha;
        }
        (Layout::GrayAlpha, [gray, covered], [g, alpha]) => {
            let alpha = u32::from(*alpha);
            *gray += u32::from(*g) * alpha;
            *covered += alpha;
        }
        (_, sums, pixel) => sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value)),
    }
}

/// The mean, rounded.
fn byte(sum: u32, count: u32) -> u8 {
    let mean = (sum + count / 2).checked_div(count).unwrap_or_default();
    u8::try_from(mean).unwrap_or(u8::MAX)
}
