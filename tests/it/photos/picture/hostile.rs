//! Files of somebody who means ill: each ends in a refusal or in a clean picture, soon.

use cloakroom::config::{Config, Overrides};
use cloakroom::photos::picture::{
    self, Limits, MAX_EDGE, MAX_FRAMES, MAX_WORKING_BYTES, Refusal, Size, prepare as prepare_within,
};

use super::{LIMITS, Shown, alike, prepare, prepared, rendition};
use crate::photos::corpus::{self, SECRET, gif, jpeg, paint, png, webp};

fn broken(file: &[u8]) {
    let refusal = prepare(file).err();
    assert!(matches!(refusal, Some(Refusal::Broken { .. })), "{refusal:?}");
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", number / 1000, number % 1000) }
}

/// Either is fine; a panic is not, nor a secret in what comes out.
fn survives(file: &[u8]) {
    if let Ok(prepared) = prepare(file) {
        for rendition in prepared.renditions {
            let secret = rendition.bytes.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes());
            assert!(!secret, "a secret in {:?}", rendition.size);
        }
    }
}

#[test]
fn what_is_no_picture_of_ours_is_named() {
    for (file, found) in [
        (&b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>"[..], "SVG"),
        (b"\n <svg onload='alert(1)'/>", "SVG"),
        (b"<!DOCTYPE html><html><body>", "HTML"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0miafheic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0miafavif", "AVIF"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", "HEIF"),
        (b"\0\0\0\x14ftypMiHE\0\0\0\0mif1", "HEIC"),
        (b"\0\0\0\x14ftyphevm\0\0\0\0mif1", "HEIC"),
        (b"\0\0\0\x14ftyphevs\0\0\0\0mif1", "HEIC"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "camera raw"),
        (b"\0\0\0\x14ftypisom\0\0\0\0avc1", "video"),
        // Behind the box there are no brands.
        (b"\0\0\0\x10ftypisom\0\0\0\0avifheic", "video"),
        (b"BM\x36\0\0\0", "BMP"),
        (b"II*\0\x08\0\0\0", "TIFF or camera raw"),
        (b"PK\x03\x04", "ZIP"),
        (b"RIFF\x04\0\0\0WAVE", "audio or video"),
        (b"holiday.jpg", "text"),
        ("caf\u{e9}, as a text".as_bytes(), "text"),
        (b"\x01\x02\x03\x04", "unknown"),
        (b"\xff\xd8", "unknown"),
    ] {
        let refusal = prepare(file).expect_err("no picture");
        assert_eq!(refusal, Refusal::Unsupported { found });
        assert_eq!(
            refusal.message(),
            format!("Unsupported file type ({found}). Supported: JPEG, PNG, WebP, GIF. Export it as JPEG.")
        );
    }
    assert_eq!(prepare(b"").expect_err("nothing").message(), "File is empty.");
}

#[test]
fn limits_are_told_with_what_was_found() {
    let file = jpeg::painted(64, 48, false);
    let found = file.len() as u64;
    let within = |max_bytes, max_pixels| prepare_within(file.clone().into(), &Limits { max_bytes, max_pixels });
    assert!(within(found, 64 * 48).is_ok(), "the limit itself is allowed");
    let refusal = within(found - 1, 64 * 48).expect_err("too long");
    assert_eq!(
        refusal.message(),
        format!("File has {} bytes; the limit is {}. Scale it down.", grouped(found), grouped(found - 1))
    );
    let refusal = within(found, 64 * 48 - 1).expect_err("too large");
    assert_eq!(refusal.message(), "Image has 3,072 pixels; the limit is 3,071. Scale it down.");
}

#[test]
fn huge_dimensions_are_refused_from_the_header() {
    let huge = u32::MAX / 2;
    for (file, found) in [
        (jpeg::flat(65_535, 1100, 3, false), 65_535 * 1100),
        (png::file(&[png::header(huge, huge, png::RGB)]), u64::from(huge) * u64::from(huge)),
        (png::file(&[png::header(67_108_865, 1, png::RGB)]), 67_108_865),
        (webp::riff(&[webp::flat_lossless(16_384, 16_384)]), 1 << 28),
        (webp::riff(&[webp::extended(0, (1 << 24, 1 << 24)), webp::flat_lossless(1, 1)]), 1 << 48),
        (b"GIF89a\xff\xff\xff\xff\0\0\0;".to_vec(), 65_535 * 65_535),
    ] {
        assert_eq!(prepare(&file).err(), Some(Refusal::TooManyPixels { limit: LIMITS.max_pixels, found }));
    }
}

#[test]
fn the_largest_sensors_of_phones_are_within_the_default_limit() {
    let config = Config::load(None, &Overrides::default()).expect("the defaults are good");
    let default = config.photos.max_pixels;
    assert_eq!(default, LIMITS.max_pixels);
    for (width, height) in [(8192, 6144), (8160, 6144), (9248, 6944), (16_382, 3872)] {
        assert!(picture::clean(jpeg::flat(width, height, 3, false).into(), &LIMITS).is_ok(), "{width} x {height}");
    }
}

#[test]
fn an_edge_that_is_too_long_is_refused_however_narrow_the_picture_is() {
    let canvas = |size| {
        let tiny = webp::frame((0, 0), (1, 1), &[webp::flat_lossless(1, 1)]);
        webp::riff(&[webp::extended(2, size), webp::chunk(b"ANIM", &[0; 6]), tiny])
    };
    let gray = png::Kind { depth: 1, colour: 0, interlaced: false };
    let frame = [&[0; 4][..], &65_536_u32.to_be_bytes(), &[0, 0, 0, 1], &[0; 14]].concat();
    let animated = png::painted(
        64,
        48,
        png::RGB,
        &paint::rgb(64, 48),
        &[png::chunk(b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0]), png::chunk(b"fcTL", &frame)],
    );
    for (file, found) in [
        (png::flat(50_000_000, 1, gray), 50_000_000),
        (png::flat(1, 50_000_000, gray), 50_000_000),
        (png::flat(65_536, 1, gray), 65_536),
        (canvas((16_777_216, 2)), 16_777_216),
        (canvas((1, 65_536)), 65_536),
        (animated, 65_536),
    ] {
        assert_eq!(prepare(&file).err(), Some(Refusal::TooLong { limit: MAX_EDGE, found }));
    }
    let refusal = prepare(&png::flat(1, 65_536, gray)).expect_err("too long");
    assert_eq!(refusal.message(), "Longer edge of the image has 65,536 pixels; the limit is 65,535. Scale it down.");
    for file in [png::flat(65_535, 1, gray), png::flat(1, 65_535, gray), canvas((65_535, 2)), canvas((2, 65_535))] {
        prepared(&file);
    }
}

#[test]
fn a_profile_that_inflates_without_end_is_left_out() {
    let prepared = prepared(&png::with_bomb(64 << 20));
    let without = png::painted(64, 48, png::RGB, &paint::rgb(64, 48), &[]);
    assert!(rendition(&prepared, Size::Original).bytes == without, "the picture and nothing else");
}

#[test]
fn a_picture_without_size_is_broken() {
    broken(&jpeg::flat(0, 10, 3, false));
    let later = prepare(&jpeg::flat(10, 0, 3, true)).expect_err("no height");
    assert_eq!(later, Refusal::Unsupported { found: "JPEG that names its height only at its end" });
    broken(&png::file(&[png::header(0, 10, png::RGB)]));
    broken(b"GIF89a\0\0\x01\0\0\0\0;");
}

#[test]
fn headers_that_lie_are_found_out() {
    let frame = webp::frame((0, 0), (65, 48), &[webp::flat_lossless(64, 48)]);
    let outside = webp::frame((2, 0), (64, 48), &[webp::flat_lossless(64, 48)]);
    for file in [
        // The header of the file is smaller than the picture, or the frame's than its content.
        webp::riff(&[webp::extended(0, (64, 48)), webp::flat_lossless(16_000, 3000)]),
        webp::riff(&[webp::extended(2, (65, 48)), webp::chunk(b"ANIM", &[0; 6]), frame]),
        webp::riff(&[webp::extended(2, (64, 48)), webp::chunk(b"ANIM", &[0; 6]), outside]),
        webp::riff(&[webp::extended(0, (64, 48))]),
        // More rows than data, and no data at all.
        png::painted(64, 96, png::RGB, &paint::rgb(64, 48)[..64 * 48], &[]),
        png::file(&[png::header(64, 48, png::RGB)]),
        jpeg::painted(64, 48, false)[..200].to_vec(),
    ] {
        broken(&file);
    }
    let screen_only = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff;";
    broken(screen_only);
}

#[test]
fn a_frame_outside_of_its_screen_shows_nothing() {
    let mut file = gif::frames(1);
    let frame = file.iter().position(|byte| *byte == 0x2c).expect("a frame");
    file[frame + 1] = 200;
    survives(&file);
}

#[test]
fn chunks_that_the_image_needs_are_refused_with_a_wrong_length_or_checksum() {
    let file = png::painted(64, 48, png::RGB, &paint::rgb(64, 48), &[]);
    // All but the length of the compressed data, whose end is known without it.
    for at in (8..file.len() - 12).step_by(3).filter(|at| !(33..37).contains(at)) {
        let mut changed = file.clone();
        changed[at] ^= 0x41;
        assert!(prepare(&changed).is_err(), "byte {at}");
    }
    for length in [0_u32, 1, u32::MAX] {
        let mut changed = file.clone();
        changed[8..12].copy_from_slice(&length.to_be_bytes());
        assert!(prepare(&changed).is_err(), "{length}");
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused_or_whole() {
    for (name, file) in corpus::with_secrets(3) {
        let whole = prepared(&file);
        let [corner, ..] = Shown::of(rendition(&whole, Size::Small)).corners();
        let end = file.len() - corpus::TAIL.len();
        let end =
            if name.contains("jpeg") { end - jpeg::painted(64, 48, name.contains("progressive")).len() } else { end };
        let mut accepted = 0;
        for length in 0..end {
            let Ok(found) = prepare(&file[..length]) else { continue };
            accepted += 1;
            let original = rendition(&found, Size::Original).bytes.clone();
            let again = picture::prepare(original.clone(), &LIMITS).expect("a repaired image is a good one");
            assert!(rendition(&again, Size::Original).bytes == original, "{name}, cut to {length} of {end}");
            let [shown, ..] = Shown::of(rendition(&found, Size::Small)).corners();
            assert!(alike(&corner, &shown), "{name}, cut to {length}: {shown:?} for {corner:?}");
        }
        // Of all formats but GIF, whose further frames may be missing, the last twentieth may.
        assert!(accepted <= end / 10 || name == "gif", "{name}: {accepted} of {end}");
    }
}

#[test]
fn a_file_with_a_changed_byte_ends_in_a_refusal_or_a_picture() {
    for (_, file) in corpus::with_secrets(8) {
        for at in (0..file.len()).step_by(5) {
            let mut changed = file.clone();
            changed[at] = !changed[at];
            // It may have made a secret a part of the picture: all that counts is that it ends.
            drop(prepare(&changed));
        }
    }
}

#[test]
fn a_file_with_a_missing_piece_ends_in_a_refusal_or_a_picture() {
    type Seams = fn(&[u8]) -> Vec<usize>;
    let kinds: [(Vec<u8>, Seams); 4] = [
        (jpeg::with_orientation(&jpeg::painted(64, 48, true), 6), jpeg::seams),
        (png::painted(64, 48, png::RGB, &paint::rgb(64, 48), &[png::chunk(b"gAMA", &[0, 0, 177, 143])]), png::seams),
        (webp::riff(&[webp::extended(0x10, (64, 48)), webp::lossless(64, 48, &paint::rgba(64, 48))]), webp::seams),
        (webp::riff(&[webp::extended(0x10, (64, 48)), webp::flat_alpha(), webp::lossy()]), webp::seams),
    ];
    for (file, seams) in kinds {
        let seams = seams(&file);
        for (number, from) in seams.iter().enumerate() {
            for to in &seams[number..] {
                survives(&[&file[..*from], &file[*to..]].concat());
            }
        }
    }
}

#[test]
fn an_endless_animation_is_refused() {
    let refusal = prepare(&gif::frames(10_000)).expect_err("too many");
    assert_eq!(refusal, Refusal::TooManyFrames { limit: MAX_FRAMES, found: 10_000 });
    assert_eq!(refusal.message(), "Animation has 10,000 frames; the limit is 2,000. Shorten it or scale it down.");
    let most = usize::try_from(MAX_FRAMES).expect("a small number");
    assert!(prepare(&gif::frames(most)).is_ok());

    let frame = webp::frame((0, 0), (16, 16), &[webp::flat_lossless(16, 16)]);
    let animation =
        |count| webp::riff(&[webp::extended(2, (16, 16)), webp::chunk(b"ANIM", &[0; 6]), frame.repeat(count)]);
    assert!(prepare(&animation(most)).is_ok());
    assert!(matches!(prepare(&animation(most + 1)), Err(Refusal::TooManyFrames { .. })));
}

#[test]
fn a_jpeg_of_endless_scans_is_refused() {
    let file = jpeg::flat(64, 64, 1, true);
    let scan = file.windows(2).position(|bytes| bytes == [0xff, 0xda]).expect("a scan");
    let end = file.len() - 2;
    let scans = [&file[..scan], &file[scan..end].repeat(101), &file[end..]].concat();
    assert_eq!(prepare(&scans).err(), Some(Refusal::TooManyScans { limit: 100, found: 101 }));
}

#[test]
fn a_kind_that_takes_too_much_memory_is_refused() {
    let file = jpeg::flat(8660, 5773, 4, true);
    let found = 1083 * 722 * 4 * 128;
    assert_eq!(prepare(&file).err(), Some(Refusal::TooMuchMemory { limit: MAX_WORKING_BYTES, found }));
}

#[test]
fn what_follows_the_end_is_gone_and_the_picture_is_not() {
    for file in [
        jpeg::painted(64, 48, false),
        png::painted(64, 48, png::RGB, &paint::rgb(64, 48), &[]),
        webp::riff(&[webp::lossless(64, 48, &paint::rgba(64, 48))]),
        gif::painted(64, 48),
    ] {
        let polyglot = [&file[..], corpus::TAIL].concat();
        let original = rendition(&prepared(&polyglot), Size::Original).bytes.clone();
        assert_eq!(original, file);
    }
}

#[test]
fn kinds_of_our_formats_that_are_not_read_are_named() {
    let file = jpeg::flat(64, 64, 3, false);
    let frame = file.windows(2).position(|bytes| bytes == [0xff, 0xc0]).expect("a frame");
    for (at, value) in [(1, 0xc3), (1, 0xc9), (4, 12), (9, 2)] {
        let mut changed = file.clone();
        changed[frame + at] = value;
        assert!(matches!(prepare(&changed), Err(Refusal::Unsupported { .. })), "{at}: {value}");
    }
    let critical = png::painted(8, 8, png::RGB, &paint::rgb(8, 8), &[png::chunk(b"NEWc", b"")]);
    assert!(matches!(prepare(&critical), Err(Refusal::Unsupported { .. })));
}
