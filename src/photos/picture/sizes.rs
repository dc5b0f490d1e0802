//! The sizes of a photo, each made of the next larger one that has enough pixels.

use bytes::Bytes;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions, Resizer};

use crate::photos::picture::container::{self, Clean};
use crate::photos::picture::decode::decode;
use crate::photos::picture::pixels::{Layout, Pixels};
use crate::photos::picture::{Prepared, Refusal, Rendition, Size, colour, encode};

/// Edges in pixels.
pub(super) const LARGE: u32 = 1280;
const SMALL: u32 = 320;
const THUMBNAIL: u32 = 160;
const THUMBHASH: u32 = 100;
/// A mean of squares is not the best of filters: the last step to LARGE is left to a better one.
const SHRUNK: u32 = 1920;

const BROKEN: Refusal = Refusal::Broken { why: "its sizes cannot be made" };

/// All sizes of a clean file.
pub(super) fn make(clean: Clean) -> Result<Prepared, Refusal> {
    let clean = container::finish(clean)?;
    let orientation = clean.orientation;
    let stored = (clean.width, clean.height);
    let original = orientation.shown(stored);
    let pixels = decode(&clean)?;
    let finish = |pixels| orientation.apply(colour::to_srgb(pixels, clean.profile.as_deref()));

    let large = finish(resize(&pixels, whole(&pixels), fit(stored, LARGE))?);
    let small = resize(&large, whole(&large), fit(original, SMALL))?;
    let thumbnail = match [&small, &large].into_iter().find(|made| has_enough(made, original)) {
        Some(made) => thumbnail(made)?,
        // Long and narrow: what LARGE has left of it is too narrow.
        None => finish(thumbnail(&pixels)?),
    };
    drop(pixels);

    let tiny = resize(&small, whole(&small), fit(small.edges(), THUMBHASH))?;
    let thumbhash = thumbhash::rgba_to_thumb_hash(tiny.width as usize, tiny.height as usize, &tiny.rgba());
    let is_shown_as_it_is = clean.is_shown_as_it_is();
    let (coding, format, bytes) = (clean.coding, clean.format, Bytes::from(clean.bytes));
    let mut renditions = Vec::with_capacity(Size::ALL.len());
    for (size, pixels) in [(Size::Thumbnail, thumbnail), (Size::Small, small), (Size::Large, large)] {
        let (width, height) = pixels.edges();
        let (made, file) = encode::encode(&pixels, coding).ok_or(BROKEN)?;
        // Encoded again, an image without anything to change is often longer, and never better.
        let is_original = size == Size::Large && is_shown_as_it_is && pixels.edges() == original;
        renditions.push(if is_original && bytes.len() <= file.len() {
            Rendition { size, width, height, format, bytes: bytes.clone() }
        } else {
            Rendition { size, width, height, format: made, bytes: Bytes::from(file) }
        });
    }
    let (width, height) = original;
    renditions.push(Rendition { size: Size::Original, width, height, format, bytes });
    Ok(Prepared { renditions, thumbhash })
}

impl Clean {
    /// Whether a viewer that knows of no orientation, profile, animation or inks shows it right.
    fn is_shown_as_it_is(&self) -> bool {
        self.orientation.is_upright() && self.profile.is_none() && !self.animated && !self.has_inks
    }
}

/// By how much a picture may shrink before the sizes are made of it.
pub(super) fn shrink_factor((width, height): (u32, u32)) -> u32 {
    let (long, short) = (width.max(height), width.min(height));
    // The bound keeps the sums of a square in 32 bits.
    (long / SHRUNK).min(short / THUMBNAIL).clamp(1, 128)
}

/// The same for a JPEG, whose decoder knows a half, a quarter and an eighth.
pub(super) fn jpeg_factor((width, height): (u32, u32)) -> u32 {
    let (long, short) = (width.max(height), width.min(height));
    let enough = |factor: &u32| long.div_ceil(*factor) >= LARGE && short.div_ceil(*factor) >= THUMBNAIL;
    [8, 4, 2].into_iter().find(enough).unwrap_or(1)
}

/// The largest size of the same shape whose edges are no longer than `edge`; never larger than it is.
fn fit((width, height): (u32, u32), edge: u32) -> (u32, u32) {
    let long = width.max(height);
    if long <= edge {
        return (width, height);
    }
    let scaled = |length: u32| {
        let rounded = (u64::from(length) * u64::from(edge) + u64::from(long) / 2) / u64::from(long).max(1);
        u32::try_from(rounded).unwrap_or(edge).max(1)
    };
    (scaled(width), scaled(height))
}

/// Whether the thumbnail of a photo can be cut out of this size of it.
fn has_enough(made: &Pixels, original: (u32, u32)) -> bool {
    made.edges() == original || made.short_edge() >= THUMBNAIL
}

/// A square from the middle; of a picture that is too narrow for it, the middle as it is.
fn thumbnail(pixels: &Pixels) -> Result<Pixels, Refusal> {
    let (width, height) = pixels.edges();
    let short = pixels.short_edge();
    let (across, down) =
        if short >= THUMBNAIL { (short, short) } else { (width.min(THUMBNAIL), height.min(THUMBNAIL)) };
    let middle = ((width - across) / 2, (height - down) / 2, across, down);
    resize(pixels, middle, (across.min(THUMBNAIL), down.min(THUMBNAIL)))
}

fn whole(pixels: &Pixels) -> (u32, u32, u32, u32) {
    (0, 0, pixels.width, pixels.height)
}

/// A part (left, top, width, height) of a picture, in another size.
fn resize(
    pixels: &Pixels,
    (left, top, across, down): (u32, u32, u32, u32),
    (width, height): (u32, u32),
) -> Result<Pixels, Refusal> {
    if (0, 0, width, height) == (left, top, pixels.width, pixels.height) {
        return Ok(pixels.clone());
    }
    let kind = match pixels.layout {
        Layout::Gray => PixelType::U8,
        Layout::GrayAlpha => PixelType::U8x2,
        Layout::Rgb => PixelType::U8x3,
        Layout::Rgba | Layout::Cmyk => PixelType::U8x4,
    };
    let source = ImageRef::new(pixels.width, pixels.height, &pixels.bytes, kind).map_err(|_| BROKEN)?;
    let mut target = Image::new(width, height, kind);
    let options = ResizeOptions::new().use_alpha(matches!(pixels.layout, Layout::GrayAlpha | Layout::Rgba)).crop(
        left.into(),
        top.into(),
        across.into(),
        down.into(),
    );
    Resizer::new().resize(&source, &mut target, &options).map_err(|_| BROKEN)?;
    Ok(Pixels { width, height, layout: pixels.layout, bytes: target.into_vec() })
}
