//! What a file is, by its content: names and claimed types are never asked.

use crate::photos::picture::{Format, Refusal};

/// How far into a text we look for what it is about.
const LOOK_BYTES: usize = 4096;
/// What is said of a file, by its first bytes.
const OTHERS: [(&[u8], &str); 16] = [
    (b"%PDF", "PDF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF or camera raw"),
    (b"MM\0*", "TIFF or camera raw"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\0\0\x01\0", "ICO"),
    (b"8BPS", "Photoshop"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"RIFF", "audio or video"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
    (b"qoif", "QOI"),
];
/// Brands of the ISO base media format, the most telling first.
const BRANDS: [(&[&[u8; 4]], &str); 4] = [
    (&[b"crx "], "camera raw"),
    (&[b"avif", b"avis", b"avio"], "AVIF"),
    (&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"MiHE", b"MiHB", b"MiHA"], "HEIC"),
    (&[b"mif1", b"mif2", b"msf1", b"miaf"], "HEIF"),
];

/// The format of a file.
pub(super) fn recognise(file: &[u8]) -> Result<Format, Refusal> {
    if file.is_empty() {
        return Err(Refusal::Empty);
    }
    let is = |at: usize, magic: &[u8]| file.get(at..).is_some_and(|rest| rest.starts_with(magic));
    if is(0, b"\xff\xd8\xff") {
        Ok(Format::Jpeg)
    } else if is(0, b"\x89PNG\r\n\x1a\n") {
        Ok(Format::Png)
    } else if is(0, b"GIF87a") || is(0, b"GIF89a") {
        Ok(Format::Gif)
    } else if is(0, b"RIFF") && is(8, b"WEBP") {
        Ok(Format::Webp)
    } else {
        Err(Refusal::Unsupported { found: name(file) })
    }
}

/// What a file is that is no picture of ours.
fn name(file: &[u8]) -> &'static str {
    if let Some(brands) = file.get(4..).and_then(|bytes| bytes.strip_prefix(b"ftyp")) {
        return brand(file, brands);
    }
    if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| file.starts_with(magic)) {
        return name;
    }
    let start = file.get(..LOOK_BYTES).unwrap_or(file);
    // The last character may have been cut in two.
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() + 4 > start.len() => {
            start.get(..error.valid_up_to()).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
        }
        Err(_) => return "unknown",
    };
    let text = text.to_ascii_lowercase();
    if text.contains("<svg") {
        "SVG"
    } else if text.contains("<html") || text.contains("<!doctype html") {
        "HTML"
    } else if text.chars().all(|c| !c.is_control() || c.is_whitespace()) && !text.is_empty() {
        "text"
    } else {
        "unknown"
    }
}

/// By the brands of a file, its own and those it is compatible with: cameras put either first.
fn brand(file: &[u8], brands: &[u8]) -> &'static str {
    let length = file.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
    let length = usize::try_from(length).unwrap_or(usize::MAX).clamp(16, LOOK_BYTES) - 8;
    let brands = brands.get(..length).unwrap_or(brands).as_chunks::<4>().0;
    // The second one is a version.
    let has = |wanted: &[u8; 4]| brands.iter().enumerate().any(|(number, brand)| number != 1 && brand == wanted);
    let found = BRANDS.iter().find(|(wanted, _)| wanted.iter().any(|wanted| has(wanted)));
    found.map_or("video", |(_, name)| *name)
}
