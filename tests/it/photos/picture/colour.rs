//! Colours: what a profile says they mean, and what becomes of inks.

use cloakroom::photos::picture::Size;
use jpeg_encoder::ColorType;
use moxcms::ColorProfile;

use super::{Shown, alike, prepared, rendition};
use crate::photos::corpus::{jpeg, png, profile, webp};

/// Of one colour.
fn plain(colour: &[u8]) -> Vec<u8> {
    colour.repeat(32 * 32)
}

fn display_p3() -> Vec<u8> {
    ColorProfile::new_display_p3().encode().expect("a profile")
}

#[test]
fn colours_of_a_profile_become_srgb_and_the_original_keeps_the_profile() {
    let profile = display_p3();
    let colour = [120, 200, 90];
    let rgba = [120, 200, 90, 255];
    let lossless = webp::lossless(32, 32, &plain(&rgba));
    for file in [
        jpeg::with_profile(&jpeg::encoded(&plain(&colour), (32, 32), ColorType::Rgb, false), &profile, 200),
        png::painted(32, 32, png::RGB, &plain(&colour), &[png::profile(&profile)]),
        webp::riff(&[webp::extended(0x20, (32, 32)), webp::chunk(b"ICCP", &profile), lossless]),
    ] {
        let prepared = prepared(&file);
        let [found, ..] = Shown::of(rendition(&prepared, Size::Large)).corners();
        // Worked out from the definitions of both spaces: the same light needs less red and more green in sRGB.
        assert!(alike(&found, &[84, 203, 76]), "{found:?}");
        let original = &rendition(&prepared, Size::Original).bytes;
        let kept = profile::of(original);
        assert_eq!(kept, profile::of(&rendition(&super::prepared(original), Size::Original).bytes));
        assert_eq!(profile::value(&kept, b"rXYZ"), profile::value(&profile, b"rXYZ"));
        assert_eq!(profile::value(&kept, b"rTRC"), profile::value(&profile, b"rTRC"));
    }
}

#[test]
fn a_profile_that_is_none_counts_as_none() {
    let file = jpeg::encoded(&plain(&[120, 200, 90]), (32, 32), ColorType::Rgb, false);
    let grey = ColorProfile::new_gray_with_gamma(1.0).encode().expect("a profile");
    for profile in [&b"nonsense"[..], &display_p3()[..100], &grey] {
        let prepared = prepared(&jpeg::with_profile(&file, profile, 60_000));
        let [found, ..] = Shown::of(rendition(&prepared, Size::Large)).corners();
        assert!(alike(&found, &[120, 200, 90]), "{found:?}");
    }
}

#[test]
fn inks_become_light() {
    // The encoder's CMYK is Adobe's, inverted, with 0 for no ink before.
    let file = jpeg::encoded(&plain(&[255, 0, 0, 0]), (32, 32), ColorType::Cmyk, false);
    let [found, ..] = Shown::of(rendition(&prepared(&file), Size::Large)).corners();
    assert!(alike(&found, &[0, 255, 255]), "{found:?}");
    let file = jpeg::encoded(&plain(&[0, 255, 0, 128]), (32, 32), ColorType::CmykAsYcck, false);
    let [found, ..] = Shown::of(rendition(&prepared(&file), Size::Large)).corners();
    assert!(alike(&found, &[127, 0, 127]), "{found:?}");
}

#[test]
fn grey_stays_grey() {
    let file = jpeg::encoded(&plain(&[77]), (32, 32), ColorType::Luma, true);
    let [found, ..] = Shown::of(rendition(&prepared(&file), Size::Small)).corners();
    assert!(alike(&found, &[77, 77, 77]), "{found:?}");
    let kind = png::Kind { depth: 8, colour: 4, interlaced: false };
    let file = png::painted(32, 32, kind, &plain(&[77, 128]), &[]);
    let [found, ..] = Shown::of(rendition(&prepared(&file), Size::Small)).corners();
    assert_eq!(found, [77, 77, 77, 128]);
}
