//! What a file is, by its content: names and claimed types are never asked.

use crate::photos::picture::{Format, Refusal};

/// How far into a text we look for what it is about.
const LOOK_BYTES: usize = 4096;
/// What is said of a file, by its first bytes.
const OTHERS: [(&[u8], &str); 16] = [
    (b"%PDF", "a PDF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF or a camera's raw file"),
    (b"MM\0*", "a TIFF or a camera's raw file"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\0\0\x01\0", "an icon (ICO)"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a ZIP"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"RIFF", "a sound or a film (RIFF)"),
    (b"\x1aE\xdf\xa3", "a film (WebM or Matroska)"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"qoif", "a QOI"),
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
    if let Some(brand) = file.get(4..12).and_then(|bytes| bytes.strip_prefix(b"ftyp")) {
        return match brand {
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => "a HEIC",
            b"avif" | b"avis" => "an AVIF",
            _ => "a film (MP4)",
        };
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
        Err(_) => return "of an unknown kind",
    };
    let text = text.to_ascii_lowercase();
    if text.contains("<svg") {
        "an SVG"
    } else if text.contains("<html") || text.contains("<!doctype html") {
        "an HTML page"
    } else if text.chars().all(|c| !c.is_control() || c.is_whitespace()) && !text.is_empty() {
        "text"
    } else {
        "of an unknown kind"
    }
}
