//! What hides inside of the parts that stay: in profiles, and behind the end of compressed data.

use cloakroom::photos::picture::{self, Size};
use jpeg_encoder::ColorType;
use moxcms::ColorProfile;

use super::{LIMITS, Shown, mean, prepared, rendition};
use crate::photos::corpus::{SECRET, gif, jpeg, paint, png, profile, webp};

fn holds_secret(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes())
}

/// The clean original, which shows the same as `plain` and is stored the same way.
#[track_caller]
fn cleaned(what: &str, file: &[u8], plain: &[u8]) -> Vec<u8> {
    assert!(holds_secret(file), "{what}: a secret is in the file");
    let prepared = prepared(file);
    let original = rendition(&prepared, Size::Original).bytes.clone();
    assert!(!holds_secret(&original), "{what}: the secret is in the original");
    let again = picture::prepare(original.clone(), &LIMITS).expect("a clean file");
    assert!(rendition(&again, Size::Original).bytes == original, "{what}: cleaned again, it changes");
    let plain = super::prepared(plain);
    let shown = |prepared| mean(&Shown::of(rendition(prepared, Size::Large)).rgba);
    assert_eq!(shown(&prepared), shown(&plain), "{what}");
    assert!(original == rendition(&plain, Size::Original).bytes, "{what}: it is as without the secret");
    original.to_vec()
}

#[test]
fn nothing_hides_behind_the_compressed_data_of_a_png() {
    let secret = SECRET.as_bytes();
    let pixels = paint::rgb(64, 48);
    let data = png::compressed(&png::rows(&pixels, 64 * 3));
    let file = |parts: &[&[u8]]| {
        let parts = parts.iter().map(|part| png::chunk(b"IDAT", part)).collect::<Vec<_>>();
        png::file(&[png::header(64, 48, png::RGB), parts.concat()])
    };
    let plain = file(&[&data]);
    cleaned("in the same chunk", &file(&[&[&data[..], secret].concat()]), &plain);
    cleaned("in a chunk of its own", &file(&[&data, secret]), &plain);
    cleaned("in many", &file(&[&data, secret, secret, &[], secret]), &plain);
    let (start, end) = data.split_at(data.len() / 2);
    let in_two = file(&[start, end]);
    cleaned("behind the second chunk", &file(&[start, &[end, secret].concat()]), &in_two);

    // Rows too many, stored as they are.
    let stored = |rows: &[u8]| {
        let mut stream = vec![0x78, 0x01];
        let mut blocks = rows.chunks(60_000).peekable();
        while let Some(block) = blocks.next() {
            let length = u16::try_from(block.len()).expect("a short block");
            stream.push(u8::from(blocks.peek().is_none()));
            stream.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
            stream.extend(block);
        }
        stream.extend([0; 4]);
        stream
    };
    let rows = png::rows(&pixels, 64 * 3);
    let original = rendition(&prepared(&file(&[&stored(&[&rows[..], secret].concat())])), Size::Original).bytes.clone();
    assert!(!holds_secret(&original), "in further rows");
}

#[test]
fn nothing_hides_in_the_frames_of_an_animated_png() {
    let secret = SECRET.as_bytes();
    let data = png::compressed(&png::rows(&paint::rgb(16, 16), 16 * 3));
    let control = |sequence: u8| {
        let frame = [&[0, 0, 0, sequence, 0, 0, 0, 16, 0, 0, 0, 16][..], &[0; 8], &[0, 1, 0, 10, 0, 0]].concat();
        png::chunk(b"fcTL", &frame)
    };
    let more = |sequence: u8, data: &[u8]| png::chunk(b"fdAT", &[&[0, 0, 0, sequence], data].concat());
    let animation = png::chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    let start = |animated: &[u8]| [png::header(16, 16, png::RGB), animated.to_vec(), control(0)].concat();
    let image = png::chunk(b"IDAT", &data);
    let plain = png::file(&[start(&animation), image.clone(), control(1), more(2, &data)]);
    let behind = png::file(&[start(&animation), image.clone(), control(1), more(2, &[&data[..], secret].concat())]);
    let apart = png::file(&[start(&animation), image.clone(), control(1), more(2, &data), more(3, secret)]);
    cleaned("behind a frame", &behind, &plain);
    cleaned("in a chunk behind a frame", &apart, &plain);
    // Frames of what is no animation are never shown.
    let still = png::file(&[png::header(16, 16, png::RGB), image.clone()]);
    cleaned("without an animation", &png::file(&[start(&[]), image, more(1, secret)]), &still);
}

#[test]
fn nothing_hides_in_the_compressed_data_of_a_jpeg() {
    let secret = SECRET.as_bytes();
    for progressive in [false, true] {
        let mut plain = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut plain, 90);
        encoder.set_progressive(progressive);
        encoder.set_restart_interval(if progressive { 0 } else { 5 });
        encoder.encode(&paint::rgb(64, 48), 64, 48, ColorType::Rgb).expect("a JPEG");
        // Before each marker behind the first scan's header.
        let scan = plain.windows(2).position(|bytes| bytes == [0xff, 0xda]).expect("a scan");
        let is_marker = |at: &usize| plain[*at] == 0xff && plain[at + 1] != 0;
        let places = (scan + 2..plain.len() - 1).filter(is_marker).collect::<Vec<_>>();
        assert!(places.len() > 3);
        for at in places {
            let file = [&plain[..at], secret, &plain[at..]].concat();
            cleaned(&format!("progressive {progressive}, at {at}"), &file, &plain);
        }
    }
}

#[test]
fn nothing_hides_in_the_segments_of_a_jpeg() {
    let plain = jpeg::painted(64, 48, false);
    let secret = SECRET.as_bytes();
    let table = [&[0][..], &secret.repeat(7)[..64]].concat();
    let codes = [&[0, 10][..], &[0; 15], secret].concat();
    for (what, segment) in [
        ("in a table that another one takes the place of", jpeg::segment(0xdb, &[&table])),
        ("in codes that others take the place of", jpeg::segment(0xc4, &[&codes])),
        ("in a table that nothing uses", jpeg::segment(0xdb, &[&[3], &table[1..]])),
        ("behind a restart interval", jpeg::segment(0xdd, &[&[0, 0], secret])),
        ("in bytes between segments", [&jpeg::segment(0xfe, &[b""])[..], secret].concat()),
        ("in an unknown segment", jpeg::segment(0xf5, &[secret])),
    ] {
        let file = jpeg::with(&plain, &segment);
        assert!(holds_secret(&file), "{what}");
        let prepared = prepared(&file);
        let original = &rendition(&prepared, Size::Original).bytes;
        assert!(!holds_secret(original), "{what}");
    }
    let adobe = jpeg::segment(0xee, &[b"Adobe", &secret[..6], &[1], secret]);
    let file = jpeg::with(&jpeg::encoded(&paint::rgb(64, 48), (64, 48), ColorType::Rgb, false), &adobe);
    let original = rendition(&prepared(&file), Size::Original).bytes.clone();
    assert!(!original.windows(6).any(|bytes| bytes == &secret[..6]), "in the values of Adobe's note");
    // Behind the values of a header, whose segment says that it is longer.
    for marker in [0xc0, 0xda, 0xdb, 0xc4] {
        let at = plain.windows(2).position(|bytes| bytes == [0xff, marker]).expect("a segment");
        let length = usize::from(u16::from_be_bytes([plain[at + 2], plain[at + 3]]));
        let longer = u16::try_from(length + secret.len()).expect("short").to_be_bytes();
        let (start, rest) = (&plain[..at + 2], &plain[at + 2 + length..]);
        let file = [start, &longer, &plain[at + 4..at + 2 + length], secret, rest].concat();
        cleaned(&format!("behind the values of {marker:x}"), &file, &plain);
    }
}

#[test]
fn nothing_hides_behind_the_codes_of_a_gif() {
    let secret = SECRET.as_bytes();
    for plain in [gif::still(64, 48), gif::painted(64, 48)] {
        // The empty block behind the codes of the last frame, and the trailer.
        let end = plain.len() - 2;
        let block = [&[u8::try_from(secret.len()).expect("short")], secret].concat();
        cleaned("in a block", &[&plain[..end], &block, &plain[end..]].concat(), &plain);
        cleaned("in many", &[&plain[..end], &block.repeat(9), &plain[end..]].concat(), &plain);
        cleaned("in an extension", &[&plain[..end + 1], &[0x21, 0xf7], &block, &plain[end..]].concat(), &plain);
    }
}

fn three_numbers(rest: &[u8]) -> Vec<u8> {
    [b"XYZ \0\0\0\0", &[0, 0, 0x6f, 0xa2, 0, 0, 0x38, 0xf5, 0, 0, 3, 0x90][..], rest].concat()
}

fn with_profile(profile: &[u8]) -> [Vec<u8>; 3] {
    let file = jpeg::encoded(&paint::rgb(64, 48), (64, 48), ColorType::Rgb, false);
    let opaque = paint::rgb(64, 48).chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect::<Vec<_>>();
    let chunks = [webp::extended(0x20, (64, 48)), webp::chunk(b"ICCP", profile), webp::lossless(64, 48, &opaque)];
    [
        jpeg::with_profile(&file, profile, 60_000),
        png::painted(64, 48, png::RGB, &paint::rgb(64, 48), &[png::profile(profile)]),
        webp::riff(&chunks),
    ]
}

#[test]
fn a_profile_keeps_its_colors_and_nothing_else() {
    let secret = SECRET.as_bytes();
    let plain = ColorProfile::new_display_p3().encode().expect("a profile");
    let text = [b"text\0\0\0\0", secret, b"\0"].concat();
    let utf16 = SECRET.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    let localized = [b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0cenUS\0\0\0\x14\0\0\0\x1c", &utf16[..]].concat();
    let mut tags = profile::tags(&plain);
    for (name, value) in &mut tags {
        match &*name {
            b"desc" => *value = localized.clone(),
            b"cprt" => *value = text.clone(),
            // Behind the length that its type declares.
            _ => value.extend(secret),
        }
    }
    tags.extend([(*b"mmod", text.clone()), (*b"dmdd", localized), (*b"priv", secret.to_vec())]);
    tags.extend([(*b"vcgt", text.clone()), (*b"targ", text), (*b"bkpt", three_numbers(secret))]);
    let mut header = plain.clone();
    // CMM, reserved, date, platform, manufacturer and model, attributes, creator and id, reserved.
    for (at, length) in [(4, 4), (10, 2), (24, 12), (40, 4), (48, 8), (56, 8), (80, 20), (100, 28)] {
        header[at..at + length].copy_from_slice(&secret.repeat(3)[..length]);
    }
    let tags: Vec<_> = tags.iter().map(|(name, value)| (name, value.clone())).collect();
    let file = profile::profile(&header, &tags);
    assert!(holds_secret(&file));
    for (file, clean) in with_profile(&file).into_iter().zip(with_profile(&plain)) {
        let prepared = prepared(&file);
        let original = &rendition(&prepared, Size::Original).bytes;
        let kept = profile::of(original);
        for mark in [&secret[..3], &utf16[..8]] {
            assert!(!kept.windows(mark.len()).any(|bytes| bytes == mark) && !holds_secret(original));
        }
        let names = profile::tags(&kept).into_iter().map(|(name, _)| name);
        assert!(names.into_iter().all(|name| !matches!(&name, b"mmod" | b"dmdd" | b"priv" | b"vcgt" | b"targ")));
        assert_eq!(profile::value(&kept, b"bkpt"), Some(three_numbers(b"")));
        for name in [b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"wtpt"] {
            assert_eq!(profile::value(&kept, name), profile::value(&plain, name));
        }
        let read = ColorProfile::new_from_slice(&kept).expect("it is a profile");
        assert!(
            read.create_transform_8bit(
                moxcms::Layout::Rgb,
                &ColorProfile::new_srgb(),
                moxcms::Layout::Rgb,
                moxcms::TransformOptions::default()
            )
            .is_ok()
        );
        let again = picture::prepare(original.clone(), &LIMITS).expect("a clean file");
        assert!(rendition(&again, Size::Original).bytes == *original, "cleaned again, it changes");
        let shown = |file: &[u8]| mean(&Shown::of(rendition(&super::prepared(file), Size::Large)).rgba);
        assert_eq!(shown(&file), shown(&clean), "the colors are the same");
    }
}

#[test]
fn a_profile_that_makes_no_sense_is_dropped() {
    let plain = ColorProfile::new_display_p3().encode().expect("a profile");
    let tags = profile::tags(&plain);
    let tags: Vec<_> = tags.iter().map(|(name, value)| (name, value.clone())).collect();
    let good = profile::profile(&plain, &tags);
    let entry = |name: &[u8; 4]| good.windows(4).position(|bytes| bytes == name).expect("a tag");
    let set = |at: usize, value: u32| {
        let mut profile = good.clone();
        profile[at..at + 4].copy_from_slice(&value.to_be_bytes());
        profile
    };
    let length = u32::try_from(good.len()).expect("short");
    let (red, green) = (entry(b"rXYZ"), entry(b"gXYZ"));
    let red_offset = u32::from_be_bytes(good[red + 4..red + 8].try_into().expect("four bytes"));
    for (what, profile) in [
        ("an offset behind the end", set(red + 4, length)),
        ("an offset that overflows", set(red + 4, u32::MAX)),
        ("a value behind the end", set(red + 8, length)),
        ("a value that is longer than memory", set(red + 8, u32::MAX)),
        ("a value in the table", set(red + 4, 128)),
        ("a value in the header", set(red + 4, 0)),
        ("values that overlap", set(green + 4, red_offset + 4)),
        ("a value that is cut", set(red + 8, 12)),
        ("more tags than there are", set(128, 1 << 30)),
        ("no tags", set(128, 0)),
        ("a curve without a red one", set(entry(b"rTRC"), 0)),
        ("a color space that is none", set(16, 0x4c61_6220)),
        ("a class that is for no image", set(12, 0x6c69_6e6b)),
        ("a version of another standard", set(8, 0x0500_0000)),
        ("a length beyond the file", set(0, length + 1)),
        ("a length without a header", set(0, 100)),
    ] {
        for file in with_profile(&profile) {
            let original = rendition(&prepared(&file), Size::Original).bytes.clone();
            for name in [&b"ICC"[..], b"acsp"] {
                assert!(!original.windows(name.len()).any(|bytes| bytes == name), "{what}");
            }
        }
    }
}
