//! Colours to sRGB, from what the picture's profile says they mean.

use moxcms::{ColorProfile, DataColorSpace, Layout as Channels, TransformOptions};

use crate::photos::picture::pixels::{Layout, Pixels};

/// The picture in sRGB. A profile that cannot be read, or is for other pixels than these, counts as none: grey and RGB
/// are taken for sRGB then, and inks are taken away from white.
pub(super) fn to_srgb(pixels: Pixels, profile: Option<&[u8]>) -> Pixels {
    match profile.and_then(|profile| converted(&pixels, profile)) {
        Some(converted) => converted,
        None if pixels.layout == Layout::Cmyk => without_profile(&pixels),
        None if pixels.layout == Layout::GrayAlpha => Pixels { layout: Layout::Rgba, bytes: pixels.rgba(), ..pixels },
        None => pixels,
    }
}

fn converted(pixels: &Pixels, profile: &[u8]) -> Option<Pixels> {
    let profile = ColorProfile::new_from_slice(profile).ok()?;
    let (space, from, to) = match pixels.layout {
        Layout::Gray => (DataColorSpace::Gray, Channels::Gray, Layout::Rgb),
        Layout::GrayAlpha => (DataColorSpace::Gray, Channels::GrayAlpha, Layout::Rgba),
        Layout::Rgb => (DataColorSpace::Rgb, Channels::Rgb, Layout::Rgb),
        Layout::Rgba => (DataColorSpace::Rgb, Channels::Rgba, Layout::Rgba),
        // Four channels, whatever they are called.
        Layout::Cmyk => (DataColorSpace::Cmyk, Channels::Rgba, Layout::Rgb),
    };
    if profile.color_space != space {
        return None;
    }
    let into = if to == Layout::Rgba { Channels::Rgba } else { Channels::Rgb };
    let transform =
        profile.create_transform_8bit(from, &ColorProfile::new_srgb(), into, TransformOptions::default()).ok()?;
    let mut bytes = vec![0; pixels.width as usize * pixels.height as usize * to.channels()];
    transform.transform(&pixels.bytes, &mut bytes).ok()?;
    Some(Pixels { layout: to, bytes, ..*pixels })
}

fn without_profile(pixels: &Pixels) -> Pixels {
    let light = |ink: u8, black: u8| {
        let light = u16::from(u8::MAX - ink) * u16::from(u8::MAX - black) / u16::from(u8::MAX);
        u8::try_from(light).unwrap_or(u8::MAX)
    };
    let inks = pixels.bytes.as_chunks::<4>().0.iter();
    let bytes = inks.flat_map(|&[c, m, y, black]| [light(c, black), light(m, black), light(y, black)]).collect();
    Pixels { layout: Layout::Rgb, bytes, ..*pixels }
}
