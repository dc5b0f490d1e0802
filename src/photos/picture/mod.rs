//! From a file of a stranger to four clean pictures, or to a refusal that says why.
//!
//! [`prepare`] recognises the file by its content, takes its container apart and puts together a new one with nothing
//! in it but the picture (`container`), decodes that one as small as the sizes allow (`decode`, `shrink`), and makes
//! LARGE, SMALL and THUMBNAIL, each from the next larger one (`sizes`), in sRGB (`colour`), the right way up
//! (`orientation`), as JPEG, or as PNG if it has transparency or is shorter so (`encode`).
//!
//! The ORIGINAL is never encoded again: it loses EXIF, XMP, IPTC, comments, second pictures and whatever follows the end
//! of the file or of its compressed data. It keeps its animation, and of its color profile the tags that colors need. If
//! its EXIF said how to turn it, it gets a new EXIF block with the orientation and nothing else.
//!
//! **Invariant:** whatever is not known to belong to the picture is left out: lists name what stays, never what goes.
//! **Invariant:** the decoders see the new container only.
//! **Invariant:** the size is known and checked before a pixel is decoded, and a picture that needs more than
//! [`MAX_WORKING_BYTES`] to decode is refused. How much it needs is known too: [`Clean::working_bytes`].

mod colour;
mod container;
mod decode;
mod encode;
mod exif;
mod orientation;
mod pixels;
mod reader;
mod recognise;
mod refusal;
mod shrink;
mod sizes;
mod weight;

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

pub use container::Clean;
pub use refusal::Refusal;

/// Pixels of the longer edge, whatever the picture's area: as many as JPEG and GIF can say. Scaling weighs each pixel of
/// an edge for about six pixels of the outcome, in 8 bytes: 3 MB for this edge, and 3.2 GB for one of 64 megapixels.
pub const MAX_EDGE: u64 = 65_535;
/// Frames of an animation. What a viewer has to decode to show the last one is bounded by it.
pub const MAX_FRAMES: u64 = 2_000;
/// Bytes that decoding one picture may take, beside the file itself.
pub const MAX_WORKING_BYTES: u64 = 360 << 20;

/// What a file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the file, in bytes.
    pub max_bytes: u64,
    /// Width times height.
    pub max_pixels: u64,
}

/// How a picture is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG, animated ones included.
    Png,
    /// WebP, lossy, lossless or animated.
    Webp,
    /// GIF.
    Gif,
}

impl Format {
    /// Every format, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::Webp, Self::Gif];

    /// The media type, such as `image/jpeg`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
        }
    }

    /// The ending of a file's name, without its dot, and of a picture's address.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
        }
    }

    /// What a browser calls it when it is saved.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Jpeg => "photo.jpg",
            Self::Png => "photo.png",
            Self::Webp => "photo.webp",
            Self::Gif => "photo.gif",
        }
    }

    /// The format with this [`Format::extension`].
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }
}

/// The sizes of a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Size {
    /// 160 by 160 pixels from the middle; less where there is less.
    Thumbnail,
    /// Fits into 320 by 320 pixels.
    Small,
    /// Fits into 1280 by 1280 pixels.
    Large,
    /// As uploaded, without metadata.
    Original,
}

impl Size {
    /// Every size, from small to large.
    pub const ALL: [Self; 4] = [Self::Thumbnail, Self::Small, Self::Large, Self::Original];

    /// Its name in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thumbnail => "THUMBNAIL",
            Self::Small => "SMALL",
            Self::Large => "LARGE",
            Self::Original => "ORIGINAL",
        }
    }

    /// The longer edge that the size fits into, in pixels; `None` for the original.
    #[must_use]
    pub const fn edge(self) -> Option<u32> {
        match self {
            Self::Thumbnail => Some(160),
            Self::Small => Some(320),
            Self::Large => Some(1280),
            Self::Original => None,
        }
    }
}

/// One size of a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendition {
    /// Which one.
    pub size: Size,
    /// In pixels, as it is shown: an original that is to be turned counts as turned.
    pub width: u32,
    /// In pixels, as it is shown.
    pub height: u32,
    /// JPEG, or PNG where something shines through; the original keeps its own.
    pub format: Format,
    /// The file.
    pub bytes: Bytes,
}

/// All that is made of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// All four, in the order of [`Size::ALL`].
    pub renditions: Vec<Rendition>,
    /// A picture of a few pixels in about 25 bytes, with aspect and transparency.
    pub thumbhash: Vec<u8>,
}

/// Cleans a file and makes its sizes, one after the other. A stored original comes back byte for byte: cleaning what is
/// clean changes nothing.
///
/// # Errors
/// [`Refusal`]: what is wrong with the file, never an error of the server.
pub fn prepare(file: Bytes, limits: &Limits) -> Result<Prepared, Refusal> {
    clean(file, limits)?.make_sizes()
}

/// Cleans an uploaded file. Takes three times its length in memory, of which the clean file stays.
///
/// # Errors
/// As [`prepare`].
pub fn clean(file: Bytes, limits: &Limits) -> Result<Clean, Refusal> {
    unless_it_panics(|| container::clean(file, limits))
}

impl Clean {
    /// Decodes it and makes its sizes. Takes a tenth of a second of one core for 12 megapixels, and as much memory as
    /// [`Clean::working_bytes`] says: to be called in a bounded pool.
    ///
    /// # Errors
    /// As [`prepare`].
    pub fn make_sizes(self) -> Result<Prepared, Refusal> {
        unless_it_panics(|| sizes::make(self))
    }
}

impl Prepared {
    /// How long its files are together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.renditions.iter().map(|rendition| rendition.bytes.len() as u64).sum()
    }
}

/// The decoders are written not to panic, but by others: a file that makes one panic is a broken file.
fn unless_it_panics<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Refusal::Broken { why: "it cannot be decoded" }))
}
