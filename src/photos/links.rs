//! Links to images: whoever has one sees the image, until it expires, or the photo is unpublished or deleted.
//!
//! `/photos/{photo}/{size}-{hash}.{ext}?until={unix seconds}&signature={base64url}`. The signature is two halves of
//! HMAC-SHA-256: the first, which is verified before the database is asked, covers all of it, and the second one
//! covers all of it and the generation of the photo's links, in which it was made. A new generation begins when a photo
//! becomes a draft again: links from before end then. Only the author has links of a draft; once it is published they
//! show what everybody sees, and go on. No link is stored.
//!
//! Time is cut into windows of `photos.url_seconds`, and a link made in one is good to the end of the next: for one
//! window at least, for two at most. So a photo's link stays the same for a window, and caches hit. Each photo's
//! windows begin at another moment, so that not all links change at once.
//!
//! **Invariant:** servers with the same key and clock make the same links.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use crate::id::PhotoId;
use crate::photos::picture::{Format, Size};

/// What [`crate::accounts::Accounts::derive_key`] is asked for.
pub const PURPOSE: &str = "cloakroom photo links";

/// Bytes of each half of a signature.
const HALF: usize = 16;

/// What makes and checks links.
pub struct Links {
    key: hmac::Key,
    public_url: String,
    window: i64,
}

/// The image that a link is made for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'h> {
    /// The photo.
    pub photo: PhotoId,
    /// The size of the image.
    pub size: Size,
    /// The SHA-256 of its content, in hexadecimal.
    pub hash: &'h str,
    /// The format of the file.
    pub format: Format,
    /// The generation in which the link is good.
    pub generation: i64,
}

/// What a link says, once it is known to be ours and not expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose image.
    pub photo: PhotoId,
    /// Which one.
    pub size: Size,
    /// The SHA-256 of its content, in hexadecimal.
    pub hash: String,
    /// How it is written down.
    pub format: Format,
    /// To when it is good, in seconds since 1970.
    pub until: i64,
    generation_tag: [u8; HALF],
}

impl Links {
    /// With a key that all servers share, below their `public_url`, for windows of `url_seconds`.
    #[must_use]
    pub fn new(key: [u8; 32], public_url: String, url_seconds: u32) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key), public_url, window: i64::from(url_seconds.max(1)) }
    }

    /// The link to an image, below `base_url` or `server.public_url`.
    #[must_use]
    pub fn url(&self, target: &Target<'_>, base_url: Option<&str>, now: DateTime<Utc>) -> String {
        let &Target { photo, size, hash, format, generation } = target;
        let until = self.until(photo, now);
        let link = Link { photo, size, hash: hash.to_owned(), format, until, generation_tag: [0; HALF] };
        let signature = URL_SAFE_NO_PAD.encode([self.link_tag(&link), self.generation_tag(&link, generation)].concat());
        let (size, extension) = (name(size), format.extension());
        let base_url = base_url.unwrap_or(&self.public_url);
        format!("{base_url}/photos/{photo}/{size}-{hash}.{extension}?until={until}&signature={signature}")
    }

    /// Reads the parts of a link: the photo, the file, and the two parameters. `None` for whatever is malformed,
    /// expired, or not ours: that somebody else's guess is nearly right shows in nothing, not even the time it takes.
    /// [`Links::is_of`] tells whether its generation goes on.
    #[must_use]
    pub fn read(&self, photo: &str, file: &str, until: &str, signature: &str, now: DateTime<Utc>) -> Option<Link> {
        let (size, rest) = file.split_once('-')?;
        let (hash, extension) = rest.split_once('.')?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let (link_tag, generation_tag) = signature.split_first_chunk::<HALF>()?;
        let link = Link {
            photo: PhotoId::parse(photo)?,
            size: Size::ALL.into_iter().find(|known| name(*known) == size)?,
            hash: is_hash.then(|| hash.to_owned())?,
            format: Format::from_extension(extension)?,
            // `i64` reads signs and leading zeros too; a link has one spelling only.
            until: until.parse::<i64>().ok().filter(|seconds| seconds.to_string() == until)?,
            generation_tag: generation_tag.try_into().ok()?,
        };
        verify_slices_are_equal(&self.link_tag(&link), link_tag).ok()?;
        (now.timestamp() < link.until).then_some(link)
    }

    /// Whether a link was made in this generation of its photo's links.
    #[must_use]
    pub fn is_of(&self, link: &Link, generation: i64) -> bool {
        verify_slices_are_equal(&self.generation_tag(link, generation), &link.generation_tag).is_ok()
    }

    /// The first half of a signature, which covers everything but the generation.
    fn link_tag(&self, link: &Link) -> [u8; HALF] {
        self.tag(&link.signed())
    }

    /// The second half, which covers everything.
    fn generation_tag(&self, link: &Link, generation: i64) -> [u8; HALF] {
        let mut signed = link.signed();
        signed.extend(format!("generation {generation}\n").into_bytes());
        self.tag(&signed)
    }

    fn tag(&self, signed: &[u8]) -> [u8; HALF] {
        let tag = hmac::sign(&self.key, signed);
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// The end of the window after the present one.
    fn until(&self, photo: PhotoId, now: DateTime<Utc>) -> i64 {
        // The last bits of the id are random.
        let [.., a, b, c, d] = photo.uuid().into_bytes();
        let offset = i64::from(u32::from_be_bytes([a, b, c, d])) % self.window;
        ((now.timestamp() + offset).div_euclid(self.window) + 2) * self.window - offset
    }
}

impl Link {
    /// For how many seconds it is still good.
    #[must_use]
    pub fn seconds_left(&self, now: DateTime<Utc>) -> u32 {
        u32::try_from(self.until - now.timestamp()).unwrap_or_default()
    }

    /// What is signed: every part has its own length or ends with a line, so that no two links are written alike.
    fn signed(&self) -> Vec<u8> {
        let (size, extension) = (name(self.size), self.format.extension());
        format!("{}\n{size}\n{}\n{extension}\n{}\n", self.photo, self.hash, self.until).into_bytes()
    }
}

/// A size as links spell it.
fn name(size: Size) -> &'static str {
    match size {
        Size::Thumbnail => "thumbnail",
        Size::Small => "small",
        Size::Large => "large",
        Size::Original => "original",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::TimeDelta;

    use super::*;

    const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    const WINDOW: i64 = 3600;

    fn links() -> Links {
        Links::new([7; 32], "https://photos.example.org".to_owned(), 3600)
    }

    fn photo(number: u128) -> PhotoId {
        uuid::Uuid::from_u128(0x0199_f3d2_c1a4_7c0e_8000_0000_0000_0000 | number).into()
    }

    fn noon() -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse().expect("a moment")
    }

    fn made(generation: i64, now: DateTime<Utc>) -> String {
        let (photo, size, format) = (photo(1), Size::Small, Format::Jpeg);
        links().url(&Target { photo, size, hash: HASH, format, generation }, None, now)
    }

    fn read_by(links: &Links, url: &str, now: DateTime<Utc>) -> Option<Link> {
        let path = url.strip_prefix("https://photos.example.org/photos/")?;
        let (path, query) = path.split_once('?')?;
        let (photo, file) = path.split_once('/')?;
        let (until, signature) = query.strip_prefix("until=")?.split_once("&signature=")?;
        links.read(photo, file, until, signature, now)
    }

    fn read(url: &str, now: DateTime<Utc>) -> Option<Link> {
        read_by(&links(), url, now)
    }

    #[test]
    fn a_link_says_what_it_was_made_for() {
        for generation in [0, 3] {
            let link = read(&made(generation, noon()), noon()).expect("our own link");
            assert_eq!((link.photo, link.size, link.format), (photo(1), Size::Small, Format::Jpeg));
            assert_eq!(link.hash, HASH);
            assert_eq!(i64::from(link.seconds_left(noon())), link.until - noon().timestamp());
            for other in 0..=4 {
                assert_eq!(links().is_of(&link, other), other == generation);
            }
        }
        assert_ne!(made(0, noon()), made(1, noon()), "a later generation has other links");
    }

    #[test]
    fn a_link_is_the_same_for_a_window_and_good_for_one_to_two() {
        let mut changes = Vec::new();
        let mut last = made(0, noon());
        for second in 1..=3 * WINDOW {
            let now = noon() + TimeDelta::seconds(second);
            let url = made(0, now);
            let left = i64::from(read(&url, now).expect("a good link").seconds_left(now));
            assert!((WINDOW + 1..=2 * WINDOW).contains(&left), "{left} s at {second}");
            if url != last {
                changes.push(second);
                last = url;
            }
        }
        assert_eq!(changes.len(), 3);
        assert!(changes.windows(2).all(|pair| pair[1] - pair[0] == WINDOW), "{changes:?}");
    }

    #[test]
    fn windows_of_photos_begin_at_different_moments() {
        let until = |number: u128| links().until(photo(number * 0x0123_4567), noon());
        let ends: BTreeSet<i64> = (1..=100).map(until).collect();
        assert!(ends.len() > 80, "{} of 100", ends.len());
    }

    #[test]
    fn a_link_expires() {
        let url = made(0, noon());
        let until = DateTime::from_timestamp(read(&url, noon()).expect("a good link").until, 0).expect("a moment");
        assert!(read(&url, until - TimeDelta::seconds(1)).is_some());
        assert!(read(&url, until).is_none());
    }

    #[test]
    fn no_part_of_a_link_can_be_changed() {
        let url = made(0, noon());
        let until = read(&url, noon()).expect("a good link").until;
        let id = photo(1).to_string();
        for (part, other) in [
            (id.as_str(), photo(2).to_string()),
            (&id, id.to_uppercase()),
            ("/small-", "/large-".to_owned()),
            ("/small-", "/Small-".to_owned()),
            ("/small-", "/-".to_owned()),
            (HASH, HASH.replace('9', "8")),
            (HASH, HASH.to_uppercase()),
            (HASH, "..%2f..".to_owned()),
            (".jpg", ".png".to_owned()),
            (".jpg", ".jpeg".to_owned()),
            (".jpg", String::new()),
            (&format!("={until}"), format!("={}", until + WINDOW)),
            (&format!("={until}"), format!("=+{until}")),
            (&format!("={until}"), format!("=0{until}")),
            ("signature=", "signature=A".to_owned()),
        ] {
            let changed = url.replace(part, &other);
            assert_ne!(changed, url, "{part} is in it");
            assert_eq!(read(&changed, noon()), None, "{changed}");
        }
        let (rest, signature) = url.split_once("signature=").expect("it is signed");
        for at in 0..signature.len() {
            let mut other = signature.as_bytes().to_vec();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).expect("text");
            let changed = read(&format!("{rest}signature={other}"), noon());
            assert!(changed.is_none_or(|link| !links().is_of(&link, 0)), "{at}");
            assert_eq!(read(&format!("{rest}signature={}", &signature[..at]), noon()), None, "{at}");
        }
    }

    #[test]
    fn another_key_makes_other_links() {
        let others = Links::new([8; 32], "https://photos.example.org".to_owned(), 3600);
        assert_eq!(read_by(&others, &made(0, noon()), noon()), None);
    }
}
