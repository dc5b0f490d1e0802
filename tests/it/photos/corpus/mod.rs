//! Pictures made by the tests themselves: ordinary ones, and those of somebody who means ill.
//!
//! Each format's file knows how to build a small picture, to plant secrets into every place that may hold them, and
//! to build a very large picture from very few bytes.

pub mod exif;
pub mod gif;
pub mod jpeg;
pub mod paint;
pub mod png;
pub mod profile;
pub mod webp;

/// Planted where only metadata is. No clean picture holds it.
pub const SECRET: &str = "GPS-SECRET";

/// What somebody may put behind the end of a picture: something that another program takes for its own.
pub const TAIL: &[u8] = b"PK\x03\x04<html><script>alert('GPS-SECRET')</script></html>PK\x05\x06GPS-SECRET";

/// One small picture of each format, with secrets in every place that may hold them. The name says which.
pub fn with_secrets(orientation: u8) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("jpeg", jpeg::with_secrets(&jpeg::painted(64, 48, false), orientation)),
        ("progressive jpeg", jpeg::with_secrets(&jpeg::painted(64, 48, true), orientation)),
        ("png", png::with_secrets(64, 48, orientation)),
        ("gif", gif::with_secrets(64, 48)),
        ("lossless webp", webp::with_secrets(&webp::lossless(64, 48, &paint::rgba(64, 48)), (64, 48), orientation)),
        ("lossy webp", webp::with_secrets(&webp::lossy(), (64, 48), orientation)),
        ("animated webp", webp::animation_with_secrets(orientation)),
    ]
}
