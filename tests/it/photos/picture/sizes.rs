//! The sizes: how large, which way up, in which format.

use cloakroom::photos::picture::{Format, Size};

use super::{Shown, assert_shows, prepared, rendition};
use crate::photos::corpus::{exif, gif, jpeg, paint, png, webp};

fn edges(file: &[u8]) -> [(u32, u32); 4] {
    let prepared = prepared(file);
    let sizes = prepared.renditions.iter().map(|rendition| rendition.size).collect::<Vec<_>>();
    assert_eq!(sizes, Size::ALL);
    Size::ALL.map(|size| {
        let rendition = rendition(&prepared, size);
        if size != Size::Original {
            // What is said is what is in the file.
            Shown::of(rendition);
        }
        (rendition.width, rendition.height)
    })
}

#[test]
fn sizes_are_exact_and_never_larger_than_the_picture() {
    let png = |width, height| png::flat(width, height, png::Kind { depth: 1, colour: 0, interlaced: false });
    for (file, expected) in [
        (jpeg::painted(1, 1, false), [(1, 1); 4]),
        (jpeg::painted(100, 300, false), [(100, 160), (100, 300), (100, 300), (100, 300)]),
        (jpeg::painted(160, 160, false), [(160, 160); 4]),
        (jpeg::painted(320, 161, false), [(160, 160), (320, 161), (320, 161), (320, 161)]),
        (jpeg::painted(321, 241, true), [(160, 160), (320, 240), (321, 241), (321, 241)]),
        (jpeg::flat(4000, 3000, 3, false), [(160, 160), (320, 240), (1280, 960), (4000, 3000)]),
        (jpeg::flat(2999, 4001, 1, true), [(160, 160), (240, 320), (959, 1280), (2999, 4001)]),
        // Long and narrow: THUMBNAIL has more of it than LARGE.
        (jpeg::flat(8000, 200, 3, false), [(160, 160), (320, 8), (1280, 32), (8000, 200)]),
        (jpeg::flat(8000, 100, 3, false), [(160, 100), (320, 4), (1280, 16), (8000, 100)]),
        (jpeg::flat(65_500, 1, 3, false), [(160, 1), (320, 1), (1280, 1), (65_500, 1)]),
        (png(1281, 641), [(160, 160), (320, 160), (1280, 640), (1281, 641)]),
        (png(1, 9000), [(1, 160), (1, 320), (1, 1280), (1, 9000)]),
        (png(501, 7001), [(160, 160), (23, 320), (92, 1280), (501, 7001)]),
        (gif::painted(400, 200), [(160, 160), (320, 160), (400, 200), (400, 200)]),
        (webp::riff(&[webp::flat_lossless(1300, 1300)]), [(160, 160), (320, 320), (1280, 1280), (1300, 1300)]),
        (webp::riff(&[webp::flat_lossy(2600, 1300)]), [(160, 160), (320, 160), (1280, 640), (2600, 1300)]),
    ] {
        assert_eq!(edges(&file), expected);
    }
}

#[test]
fn every_orientation_ends_upright() {
    let [a, b, c, d] = paint::CORNERS;
    let upright = [
        [a, b, c, d],
        [b, a, d, c],
        [d, c, b, a],
        [c, d, a, b],
        [a, c, b, d],
        [c, a, d, b],
        [d, b, c, a],
        [b, d, a, c],
    ];
    let png = |orientation| {
        let chunk = png::chunk(b"eXIf", &exif::block(orientation, true));
        png::painted(640, 400, png::RGB, &paint::rgb(640, 400), &[chunk])
    };
    let webp = |orientation| {
        let opaque = paint::rgb(64, 48).chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect::<Vec<_>>();
        webp::with_secrets(&webp::lossless(64, 48, &opaque), (64, 48), orientation)
    };
    for (orientation, corners) in (1..).zip(upright) {
        let jpeg = jpeg::with_orientation(&jpeg::painted(640, 400, orientation % 2 == 0), orientation);
        for file in [jpeg, png(orientation), webp(orientation)] {
            let prepared = prepared(&file);
            for size in [Size::Thumbnail, Size::Small, Size::Large] {
                assert_shows(&Shown::of(rendition(&prepared, size)), corners);
            }
            let original = rendition(&prepared, Size::Original);
            assert_eq!(original.width < original.height, orientation >= 5, "as it is shown");
            // What whoever looks at the original goes by.
            let says = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation];
            let said = original.bytes.windows(says.len()).any(|bytes| bytes == says);
            assert_eq!(said, orientation != 1, "orientation {orientation} is kept, and nothing is said of 1");
        }
    }
}

#[test]
fn an_orientation_that_is_none_is_upright() {
    for orientation in [0, 9, 255] {
        let file = jpeg::with_orientation(&jpeg::painted(64, 48, false), orientation);
        assert_shows(&Shown::of(rendition(&prepared(&file), Size::Large)), paint::CORNERS);
    }
}

#[test]
fn what_shines_through_stays_transparent_and_becomes_a_png() {
    let rgba = paint::rgba(640, 480);
    for file in [
        png::painted(640, 480, png::RGBA, &rgba, &[]),
        png::interlaced(640, 480, png::RGBA, &rgba),
        webp::riff(&[webp::lossless(640, 480, &rgba)]),
    ] {
        let prepared = prepared(&file);
        for size in [Size::Thumbnail, Size::Small, Size::Large] {
            let rendition = rendition(&prepared, size);
            let is_original = rendition.bytes.len() == super::rendition(&prepared, Size::Original).bytes.len();
            assert!(rendition.format == Format::Png || (size == Size::Large && is_original));
            let [left, right, ..] = Shown::of(rendition).corners();
            assert_eq!(left[3], 0);
            assert!(alike_with_alpha(right, paint::CORNERS[1]), "{right:?}");
        }
        let (_, _, _, alpha) = thumbhash::thumb_hash_to_average_rgba(&prepared.thumbhash).expect("a hash");
        assert!((0.4..0.6).contains(&alpha), "{alpha}");
    }
}

fn alike_with_alpha(found: [u8; 4], [r, g, b]: [u8; 3]) -> bool {
    super::alike(&found, &[r, g, b, 255])
}

#[test]
fn what_covers_everything_becomes_a_jpeg_or_a_png_if_that_is_shorter() {
    let (width, height) = (64, 48);
    let noise = paint::noise(width, height);
    let opaque = noise.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect::<Vec<_>>();
    let screen = paint::screen(1300, 1300);
    for (file, format) in [
        (png::painted(64, 48, png::RGBA, &opaque, &[]), Format::Jpeg),
        (png::interlaced(width, height, png::RGB, &noise), Format::Jpeg),
        (webp::riff(&[webp::lossless(64, 48, &opaque)]), Format::Jpeg),
        (png::painted(1300, 1300, png::RGB, &screen, &[]), Format::Png),
        (jpeg::painted(1300, 1300, true), Format::Jpeg),
    ] {
        assert_eq!(rendition(&prepared(&file), Size::Large).format, format);
    }
}

#[test]
fn large_is_never_longer_than_an_original_that_needs_no_change() {
    let opaque = paint::rgb(64, 48).chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect::<Vec<_>>();
    let screen = paint::rgb(1280, 1000);
    let rgba = paint::rgba(640, 480);
    for file in [
        png::painted(1280, 1000, png::RGB, &screen, &[]),
        png::painted(640, 480, png::RGBA, &rgba, &[]),
        webp::riff(&[webp::lossless(64, 48, &opaque)]),
        webp::riff(&[webp::lossy()]),
        gif::still(64, 48),
        jpeg::painted(64, 48, true),
        jpeg::encoded(&screen, (1280, 1000), jpeg_encoder::ColorType::Rgb, false),
    ] {
        let prepared = prepared(&file);
        let (large, original) = (rendition(&prepared, Size::Large), rendition(&prepared, Size::Original));
        assert!(large.bytes.len() <= original.bytes.len(), "{:?}", original.format);
        Shown::of(large);
    }
    // An animation, or one that has to be turned, is encoded anew.
    let turned = jpeg::with_orientation(&jpeg::painted(64, 48, false), 6);
    for file in [gif::painted(64, 48), turned] {
        let prepared = prepared(&file);
        let large = rendition(&prepared, Size::Large);
        assert_ne!(large.bytes, rendition(&prepared, Size::Original).bytes);
        assert!(matches!(large.format, Format::Jpeg | Format::Png));
    }
}

#[test]
fn patterns_of_one_pixel_keep_their_mean_color() {
    let (width, height) = (96, 96);
    let colors = [[255, 0, 0], [0, 0, 255], [0, 255, 0], [255, 255, 255], [0, 0, 0], [255, 0, 255]];
    for (number, [one, other]) in colors.iter().zip(colors.iter().cycle().skip(1)).map(|(a, b)| [a, b]).enumerate() {
        for (period, phase) in [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (8, 0), (8, 1), (8, 5)] {
            for direction in 0..3 {
                let is_line = |x: usize, y: usize| match direction {
                    0 => (x + phase).is_multiple_of(period),
                    1 => (y + phase).is_multiple_of(period),
                    _ => (x + y + phase).is_multiple_of(period),
                };
                let pixels = (0..width * height).map(|at| if is_line(at % width, at / width) { *one } else { *other });
                let pixels = pixels.flatten().collect::<Vec<u8>>();
                let full = jpeg::encoded(&pixels, (96, 96), jpeg_encoder::ColorType::Rgb, false);
                let turned = jpeg::with_orientation(&full, 3);
                let exact = pixels.chunks(3).map(|p| [p[0], p[1], p[2], 255]).collect::<Vec<_>>();
                let (exact, lossy) = (super::mean(&exact), super::mean(&Shown::jpeg(&full).rgba));
                let png = png::painted(96, 96, png::RGB, &pixels, &[]);
                for (file, wanted) in [(png, exact), (full, lossy), (turned, lossy)] {
                    let found = super::mean(&Shown::of(rendition(&prepared(&file), Size::Large)).rgba);
                    let is_near = wanted.iter().zip(found).all(|(wanted, found)| (wanted - found).abs() < 5.0);
                    assert!(is_near, "{number}, {period}, {phase}, {direction}: {found:?} for {wanted:?}");
                }
            }
        }
    }
}

#[test]
fn a_picture_that_shrinks_while_it_is_decoded_shows_the_same() {
    let (width, height) = (4000, 700);
    let rgb = paint::rgb(width, height);
    for file in [
        jpeg::painted(4000, 700, false),
        png::painted(4000, 700, png::RGB, &rgb, &[]),
        png::interlaced(width, height, png::RGB, &rgb),
    ] {
        let prepared = prepared(&file);
        for size in [Size::Thumbnail, Size::Small, Size::Large] {
            assert_shows(&Shown::of(rendition(&prepared, size)), paint::CORNERS);
        }
    }
}

#[test]
fn a_frame_lies_in_its_place_on_the_canvas() {
    let opaque = paint::rgb(32, 24).chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect::<Vec<_>>();
    let frame = webp::frame((32, 24), (32, 24), &[webp::lossless(32, 24, &opaque)]);
    let file = webp::riff(&[webp::extended(2, (64, 48)), webp::chunk(b"ANIM", &[0; 6]), frame]);
    let shown = Shown::of(rendition(&prepared(&file), Size::Large));
    assert_eq!(shown.at(25, 25), [0; 4]);
    assert_eq!(shown.at(90, 90), [240, 240, 240, 255]);
}

#[test]
fn a_thumbhash_has_the_picture_s_shape() {
    for (width, height) in [(900, 300), (300, 900), (500, 500)] {
        let hash = prepared(&jpeg::painted(width, height, false)).thumbhash;
        assert!((5..=40).contains(&hash.len()), "{}", hash.len());
        let found = thumbhash::thumb_hash_to_approximate_aspect_ratio(&hash).expect("a hash");
        let wanted = f32::from(width) / f32::from(height);
        assert!((found / wanted - 1.0).abs() < 0.25, "{found} for {wanted}");
    }
}
