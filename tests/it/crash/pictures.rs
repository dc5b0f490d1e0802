//! Small pictures by number, and the form that uploads them.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::photos::corpus::{paint, png};
use crate::support::{Form, Random};

/// What is asked of a new photo: every size, by its name.
const UPLOAD: &str = "mutation Upload($input: UploadPhotosInput!) {
  uploadPhotos(input: $input) {
    photos {
      id state
      THUMBNAIL: image(size: THUMBNAIL) { url byteSize }
      SMALL: image(size: SMALL) { url byteSize }
      LARGE: image(size: LARGE) { url byteSize }
      ORIGINAL: image(size: ORIGINAL) { url byteSize }
    }
    userErrors { code message }
  }
}";

/// The sizes, at the places of their numbers in the database.
pub(super) const SIZES: [&str; 4] = ["THUMBNAIL", "SMALL", "LARGE", "ORIGINAL"];

/// A clean PNG: its original is kept as it is.
pub(super) fn picture(number: u64) -> Vec<u8> {
    let (width, height) = (24 + usize::try_from(number % 300).expect("small"), 40);
    let mut pixels = paint::rgb(width, height);
    pixels[..8].copy_from_slice(&number.to_be_bytes());
    png::painted(u32::try_from(width).expect("small"), 40, png::RGB, &pixels, &[])
}

/// One that cannot be compressed: its original has 120 kB, its sizes less.
pub(super) fn noise(random: &mut Random) -> Vec<u8> {
    let pixels: Vec<u8> = (0..15_000).flat_map(|_| random.below(u64::MAX).to_be_bytes()).collect();
    png::painted(200, 200, png::RGB, &pixels, &[])
}

/// A form that uploads these, all with one caption.
pub(super) fn form(files: &[Vec<u8>], caption: &str, publish: bool) -> Form {
    let photos = vec![json!({ "file": null, "caption": caption }); files.len()];
    let variables = json!({ "input": { "photos": photos, "publish": publish } });
    let places: Vec<String> = (0..files.len()).map(|at| format!("variables.input.photos.{at}.file")).collect();
    let files: Vec<(&str, &[u8])> = places.iter().map(String::as_str).zip(files.iter().map(Vec::as_slice)).collect();
    Form::of(UPLOAD, &variables, &files)
}

/// The hash and the length of each size of a photo in an answer to [`form`].
pub(super) fn told_of(photo: &Value) -> Vec<(String, i64)> {
    let told = SIZES.iter().map(|size| {
        let image = &photo[size];
        let name = image["url"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
        let hash = name.split_once('-').and_then(|(_, rest)| rest.split_once('.')).map(|(hash, _)| hash.to_owned());
        (hash.unwrap_or_else(|| panic!("{size} in {photo}")), image["byteSize"].as_i64().expect("a length"))
    });
    told.collect()
}

/// In hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
