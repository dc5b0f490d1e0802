//! Files with the faults that browsers put up with: they are accepted, and what is stored has no fault.

use cloakroom::photos::picture::{self, MAX_WORKING_BYTES, Refusal, Size};
use jpeg_encoder::{ColorType, Encoder};

use super::{LIMITS, Shown, mean, prepare, prepared, rendition};
use crate::photos::corpus::{gif, jpeg, paint, png};

/// The mean of two images, as they are shown.
#[track_caller]
fn assert_shown_alike(what: &str, file: &[u8], plain: &[u8]) {
    let prepared = prepare(file).unwrap_or_else(|refusal| panic!("{what}: {}", refusal.message()));
    let shown = |prepared| mean(&Shown::of(rendition(prepared, Size::Large)).rgba);
    let (found, wanted) = (shown(&prepared), shown(&super::prepared(plain)));
    assert!(
        found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 6.0),
        "{what}: {found:?}, {wanted:?}"
    );
    let original = &rendition(&prepared, Size::Original).bytes;
    let again = picture::prepare(original.clone(), &LIMITS).expect("a repaired file");
    assert!(rendition(&again, Size::Original).bytes == *original, "{what}: cleaned again, it changes");
}

fn with_restarts(progressive: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 90);
    encoder.set_restart_interval(2);
    encoder.set_progressive(progressive);
    encoder.encode(&paint::rgb(640, 480), 640, 480, ColorType::Rgb).expect("a JPEG");
    file
}

/// Where restart markers are.
fn restarts(file: &[u8]) -> Vec<usize> {
    let is_restart = |at: &usize| file[*at] == 0xff && matches!(file[at + 1], 0xd0..=0xd7);
    (0..file.len() - 1).filter(is_restart).collect()
}

#[test]
fn a_jpeg_that_was_cut_at_its_end_is_repaired() {
    for progressive in [false, true] {
        let whole = jpeg::painted(640, 480, progressive);
        for cut in [1, 2, 3, 10] {
            assert_shown_alike(&format!("{progressive}, {cut}"), &whole[..whole.len() - cut], &whole);
        }
        let refusal = prepare(&whole[..whole.len() / 2]).expect_err("half of it");
        assert!(refusal.message().ends_with("Copy the file again or export it as JPEG."), "{}", refusal.message());
    }
}

#[test]
fn bytes_that_belong_to_no_segment_are_passed_over() {
    for whole in [jpeg::painted(64, 48, false), jpeg::painted(64, 48, true), with_restarts(false)] {
        // Behind the first segment: a file that does not begin with two markers is no JPEG to anybody.
        let mut at = 4 + usize::from(u16::from_be_bytes([whole[4], whole[5]]));
        while whole[at + 1] != 0xda {
            for stray in [&[0; 18][..], b"\xff", b"\xff\xff\xff", b"\xff\0", b"abc\xff\0\xff\x01\xff\xd3de"] {
                let file = [&whole[..at], stray, &whole[at..]].concat();
                let original = rendition(&prepared(&file), Size::Original).bytes.clone();
                assert!(original == rendition(&prepared(&whole), Size::Original).bytes, "{stray:?} at {at}");
            }
            at += 2 + usize::from(u16::from_be_bytes([whole[at + 2], whole[at + 3]]));
        }
    }
}

#[test]
fn restart_markers_are_brought_into_order() {
    let whole = with_restarts(false);
    let clean = rendition(&prepared(&whole), Size::Original).bytes.clone();
    let places = restarts(&whole);
    let at = places[places.len() / 2];
    for (what, stray) in [("fill", &b"\xff\xff"[..]), ("stray bytes", b"a stray"), ("an escaped byte", b"\xff\0 ")] {
        let file = [&whole[..at], stray, &whole[at..]].concat();
        assert!(rendition(&prepared(&file), Size::Original).bytes == clean, "{what} before a marker");
    }
    // In every place at once.
    let mut file = whole.clone();
    places.iter().rev().for_each(|at| drop(file.splice(at..at, *b"\xff\xff")));
    assert!(rendition(&prepared(&file), Size::Original).bytes == clean, "fill before all markers");

    let mut missing = whole.clone();
    missing.drain(at..at + 2);
    assert_shown_alike("a marker is missing", &missing, &whole);
    let mut changed = whole.clone();
    changed[at + 1] ^= 1;
    assert_shown_alike("a marker has the number of another", &changed, &whole);
    let mut swapped = whole.clone();
    swapped.swap(at + 1, places[places.len() / 2 + 1] + 1);
    assert_shown_alike("two markers are in the place of one another", &swapped, &whole);
    let gone = [&whole[..at], &whole[places[places.len() / 2 + 1]..]].concat();
    assert_shown_alike("a part is missing", &gone, &whole);
    let most = [&whole[..places[3]], &whole[places[places.len() / 2]..]].concat();
    assert!(matches!(prepare(&most), Err(Refusal::Broken { .. })), "a third is missing");
}

#[test]
fn a_frame_of_a_film_gets_the_standard_tables() {
    let whole = jpeg::encoded(&paint::rgb(64, 48), (64, 48), ColorType::Rgb, false);
    let mut without = whole.clone();
    while let Some(at) = without.windows(2).position(|bytes| bytes == [0xff, 0xc4]) {
        let length = usize::from(u16::from_be_bytes([without[at + 2], without[at + 3]]));
        without.drain(at..at + 2 + length);
    }
    assert!(without.len() < whole.len() - 400);
    assert_shown_alike("no tables", &without, &whole);
    let original = rendition(&prepared(&without), Size::Original).bytes.clone();
    assert!(original.windows(2).any(|bytes| bytes == [0xff, 0xc4]), "every decoder finds them");
}

#[test]
fn a_png_without_its_end_or_with_bad_optional_chunks_is_repaired() {
    let text = png::chunk(b"tEXt", b"Comment\0nothing");
    let gamma = png::chunk(b"gAMA", &[0, 0, 177, 143]);
    let plain = png::painted(64, 48, png::RGB, &paint::rgb(64, 48), &[]);
    let clean = rendition(&prepared(&plain), Size::Original).bytes.clone();
    let is_clean = |file: &[u8]| rendition(&prepared(file), Size::Original).bytes == clean;
    for end in 1..=12 {
        assert!(is_clean(&plain[..plain.len() - end]), "{end} bytes of the end are missing");
    }
    for at in plain.len() - 4..plain.len() {
        let mut changed = plain.clone();
        changed[at] ^= 1;
        assert!(is_clean(&changed), "the checksum of the end");
    }
    for chunk in [text, gamma, png::profile(b"no profile"), png::chunk(b"eXIf", b"no EXIF")] {
        let mut changed = chunk.clone();
        changed.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        let file = png::painted(64, 48, png::RGB, &paint::rgb(64, 48), &[changed]);
        assert!(is_clean(&file), "the checksum of {}", String::from_utf8_lossy(&chunk[4..8]));
    }
    // Up to a twentieth of the rows.
    let noise = paint::noise(64, 96);
    let whole = png::painted(64, 96, png::RGB, &noise, &[]);
    assert_shown_alike("cut in the last rows", &whole[..whole.len() - 400], &whole);
    assert!(matches!(prepare(&whole[..whole.len() / 4 * 3]), Err(Refusal::Broken { .. })));
}

#[test]
fn a_gif_without_its_end_is_repaired() {
    let whole = gif::painted(64, 48);
    let clean = rendition(&prepared(&whole), Size::Original).bytes.clone();
    for end in [&b""[..], b"\0;", b"\0\0\0", b"\x01\x02"] {
        let file = [&whole[..whole.len() - 1], end].concat();
        assert!(rendition(&prepared(&file), Size::Original).bytes == clean, "{end:?}");
    }
    // The last frame is cut: the first one stays.
    let cut = rendition(&prepared(&whole[..whole.len() - 20]), Size::Original).bytes.clone();
    let mut decoder = ::gif::DecodeOptions::new().read_info(&cut[..]).expect("a GIF");
    let frames = std::iter::from_fn(|| decoder.read_next_frame().expect("a frame").map(|frame| frame.delay));
    assert_eq!(frames.count(), 1);
    // A screen that is smaller than its frame.
    let mut small = gif::still(64, 48);
    small[6..10].copy_from_slice(&[10, 0, 0, 0]);
    let prepared = prepared(&small);
    let original = rendition(&prepared, Size::Original);
    assert_eq!((original.width, original.height), (64, 48));
    assert!(original.bytes == gif::still(64, 48));
}

#[test]
fn a_jpeg_costs_no_more_than_an_ordinary_one() {
    // Scans that say nothing of any block: a code for 32,767 of them.
    let (width, height) = (7071, 7071);
    let file = jpeg::flat(width, height, 1, true);
    let table = jpeg::segment(0xc4, &[&[0x10, 1], &[0; 15], &[0xe0]]);
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    let scan = [&jpeg::segment(0xda, &[&[1, 1, 0, 1, 63, 0]])[..], &vec![0; blocks / 16_384 * 2 + 2]].concat();
    let end = file.len() - 2;
    let with_scans = |count| [&file[..end], &table, &scan.repeat(count), &file[end..]].concat();
    let refusal = prepare(&with_scans(98)).expect_err("too much work");
    assert!(matches!(refusal, Refusal::TooManyScans { limit: 2..40, .. }), "{refusal:?}");
    assert!(refusal.message().ends_with("Export it as an ordinary JPEG."), "{}", refusal.message());
    prepared(&with_scans(3));
    // The same scans of a small image are little work.
    let small = jpeg::flat(64, 64, 1, true);
    let scan = [&jpeg::segment(0xda, &[&[1, 1, 0, 1, 63, 0]])[..], &[0; 60]].concat();
    let end = small.len() - 2;
    prepared(&[&small[..end], &table, &scan.repeat(90), &small[end..]].concat());
    assert!(u64::from(width) * u64::from(height) * 2 < MAX_WORKING_BYTES);
}

#[test]
fn an_edge_of_one_pixel_is_decoded_as_it_is() {
    for (width, height) in [(3000, 1), (1, 3000), (1, 2), (2, 1), (2, 4000), (4000, 2), (4, 4000)] {
        let pixels = (0..u32::from(width) * u32::from(height)).flat_map(|at| [if at % 2 == 0 { 0 } else { 255 }; 3]);
        let file = jpeg::encoded(&pixels.collect::<Vec<u8>>(), (width, height), ColorType::Rgb, false);
        let (found, wanted) = (Shown::of(rendition(&prepared(&file), Size::Large)), Shown::jpeg(&file));
        let (found, wanted) = (mean(&found.rgba), mean(&wanted.rgba));
        assert!(found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 3.0), "{width} x {height}");
    }
    let file = jpeg::encoded(&[0, 0, 0, 255, 255, 255], (1, 2), ColorType::Rgb, false);
    let shown = Shown::of(rendition(&prepared(&file), Size::Large));
    assert!(shown.rgba[0][0] < 20 && shown.rgba[1][0] > 235, "{:?}", shown.rgba);
}
