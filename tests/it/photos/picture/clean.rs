//! What is served holds the picture and nothing else.

use std::fs;
use std::process::Command;

use cloakroom::photos::picture::{self, Format, Prepared, Size};

use super::{LIMITS, prepared, rendition};
use crate::photos::corpus::{self, SECRET, gif, jpeg, png};

fn everything() -> Vec<(String, Prepared)> {
    let mut all = Vec::new();
    for orientation in [1, 6] {
        for (name, file) in corpus::with_secrets(orientation) {
            assert!(file.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes()), "{name} has a secret");
            all.push((format!("{name}, orientation {orientation}"), prepared(&file)));
        }
    }
    all
}

#[test]
fn no_secret_is_in_any_byte_of_any_size() {
    for (name, prepared) in everything() {
        for rendition in &prepared.renditions {
            for mark in [&SECRET.as_bytes()[..3], b"PK\x03\x04", b"xmpmeta", b"Photoshop", b"MPF", b"tIME", b"\xff\xfe"]
            {
                let found = rendition.bytes.windows(mark.len()).any(|bytes| bytes == mark);
                assert!(!found, "{name}, {:?}: {}", rendition.size, String::from_utf8_lossy(mark));
            }
        }
    }
}

#[test]
fn cleaning_what_is_clean_changes_nothing() {
    for (name, prepared) in everything() {
        let original = &rendition(&prepared, Size::Original).bytes;
        let again = picture::prepare(original.clone(), &LIMITS).expect("a clean picture");
        assert_eq!(again, prepared, "{name}");
    }
}

#[test]
fn an_original_without_secrets_stays_as_it_is() {
    for file in [
        png::painted(64, 48, png::RGB, &corpus::paint::rgb(64, 48), &[png::chunk(b"gAMA", &[0, 0, 0xb1, 0x8f])]),
        gif::painted(64, 48),
        jpeg::painted(64, 48, true),
    ] {
        assert_eq!(rendition(&prepared(&file), Size::Original).bytes, file, "byte for byte");
    }
}

#[test]
fn an_animation_keeps_its_frames_and_its_loop() {
    let original = |file: &[u8]| rendition(&prepared(file), Size::Original).bytes.clone();
    let gif = original(&gif::with_secrets(64, 48));
    let mut decoder = ::gif::DecodeOptions::new().read_info(&gif[..]).expect("a GIF");
    let frames = std::iter::from_fn(|| decoder.read_next_frame().expect("a frame").map(|frame| frame.delay));
    assert_eq!(frames.collect::<Vec<_>>(), [10, 10]);
    assert_eq!(decoder.repeat(), ::gif::Repeat::Infinite);

    let webp = original(&corpus::webp::animation_with_secrets(1));
    let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(&webp[..])).expect("a WebP");
    assert_eq!((decoder.num_frames(), decoder.loop_count()), (2, image_webp::LoopCount::Forever));
    let mut pixels = vec![0; decoder.output_buffer_size().expect("small")];
    assert_eq!(decoder.read_frame(&mut pixels).ok(), Some(100));
    assert_eq!(decoder.read_frame(&mut pixels).ok(), Some(100));
}

#[test]
fn nothing_hides_in_the_profile_of_a_png() {
    // As it is kept: without anything personal.
    let profile = moxcms::ColorProfile::new_display_p3().encode().expect("a profile");
    let start = png::painted(64, 48, png::RGB, &corpus::paint::rgb(64, 48), &[png::profile(&profile)]);
    let profile = corpus::profile::of(&rendition(&prepared(&start), Size::Original).bytes);
    let with = |stream: &[u8]| {
        let chunks = [png::profile_stream(stream)];
        png::painted(64, 48, png::RGB, &corpus::paint::rgb(64, 48), &chunks)
    };
    let longer = |end: &[u8]| png::compressed(&[&profile[..], end].concat());
    // What clean ones look like: the profile and nothing else, and none.
    let name = SECRET.as_bytes();
    let named = |mut file: Vec<u8>| {
        let at = file.windows(name.len()).position(|bytes| bytes == name).expect("its name");
        file.drain(at - 8..);
        file
    };
    let kept = rendition(&prepared(&with(&longer(b""))), Size::Original).bytes.clone();
    let without = png::painted(64, 48, png::RGB, &corpus::paint::rgb(64, 48), &[]);
    assert!(kept.len() > without.len() + 100, "the profile itself is kept");
    assert!(kept.starts_with(&named(with(b""))), "nothing else changed before it");

    for (what, stream, expected) in [
        ("behind the stream's end", [longer(b""), name.to_vec()].concat(), &kept[..]),
        ("behind the profile's end", longer(name), &kept),
        ("in an over-long profile", longer(&name.repeat(1 << 20)), &kept),
        ("in the place of a profile", png::compressed(&name.repeat(100)), &without),
        ("in the place of a stream", name.repeat(100), &without),
        ("in a profile that is cut", png::compressed(&profile[..profile.len() - 1]), &without),
    ] {
        let original = rendition(&prepared(&with(&stream)), Size::Original).bytes.clone();
        assert!(original == expected, "{what}: {} bytes, not {}", original.len(), expected.len());
    }
    let twice = [png::profile(&profile), png::profile_stream(name)];
    let twice = png::painted(64, 48, png::RGB, &corpus::paint::rgb(64, 48), &twice);
    assert_eq!(rendition(&prepared(&twice), Size::Original).bytes, kept, "only the first counts");
}

#[test]
fn nothing_hides_behind_the_values_of_a_chunk() {
    let clean = png::painted(64, 48, png::RGB, &corpus::paint::rgb(64, 48), &[png::chunk(b"gAMA", &[0, 0, 177, 143])]);
    for name in [b"gAMA", b"cHRM", b"sRGB", b"cICP", b"sBIT", b"bKGD", b"pHYs", b"tRNS"] {
        let hidden = png::chunk(name, &SECRET.as_bytes().repeat(100));
        let chunks = [png::chunk(b"gAMA", &[0, 0, 177, 143]), hidden];
        let file = png::painted(64, 48, png::RGB, &corpus::paint::rgb(64, 48), &chunks);
        let original = rendition(&prepared(&file), Size::Original).bytes.clone();
        assert!(original == clean, "{}", String::from_utf8_lossy(name));
    }
}

/// What `ExifTool` may find: about the file, the picture and its colours, and our own orientation.
const HARMLESS: [&str; 6] = ["ExifTool", "System", "File", "Composite", "JFIF", "ICC"];

#[test]
fn an_independent_reader_finds_no_metadata() {
    if Command::new("exiftool").arg("-ver").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "exiftool is installed where the whole suite runs");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, prepared) in everything() {
        for rendition in &prepared.renditions {
            let file = format!("{name}-{:?}.{}", rendition.size, rendition.format.extension());
            fs::write(folder.path().join(file), &rendition.bytes).expect("a file");
        }
    }
    let output = Command::new("exiftool")
        .args(["-a", "-G1", "-s", "-u", "-U", "-ee", "-r"])
        .arg(folder.path())
        .output()
        .expect("exiftool");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(report.contains("[File]"), "{report}");
    let mut file = "";
    for line in report.lines() {
        if let Some(name) = line.strip_prefix("======== ") {
            file = name;
        }
        assert!(!line.contains(SECRET) && !line.contains("Warning"), "{file}: {line}");
        let Some((group, tag)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else { continue };
        let tag = tag.split(':').next().unwrap_or_default().trim();
        let is_orientation = group == "IFD0" && tag == "Orientation";
        let about_the_picture = ["PNG", "PNG-pHYs", "GIF", "RIFF", "NETSCAPE"].contains(&group);
        let harmless = HARMLESS.iter().any(|harmless| group.starts_with(harmless));
        assert!(harmless || is_orientation || about_the_picture, "{file}: {line}");
        assert!(
            !["Comment", "Text", "ModifyDate", "XMP"].iter().any(|part| group != "System" && tag.contains(part)),
            "{file}: {line}"
        );
    }
}

#[test]
fn every_size_has_the_type_of_its_bytes() {
    for (_, prepared) in everything() {
        for rendition in &prepared.renditions {
            let start: &[u8] = match rendition.format {
                Format::Jpeg => b"\xff\xd8\xff",
                Format::Png => b"\x89PNG",
                Format::Webp => b"RIFF",
                Format::Gif => b"GIF8",
            };
            assert!(rendition.bytes.starts_with(start));
            assert_eq!(Format::from_extension(rendition.format.extension()), Some(rendition.format));
        }
    }
}
