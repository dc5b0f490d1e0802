//! People with photos: tiny pictures, uploaded as people do.

use serde_json::{Value, json};

use super::{Caller, Form, Reply};

/// What is asked of photos after each change.
const SHOWN: &str = "id state caption tags createdAt updatedAt publishedAt";

/// A PNG of 40 x 30 pixels in one colour.
pub fn picture(colour: [u8; 3]) -> Vec<u8> {
    picture_of((40, 30), colour)
}

/// A PNG in one colour, so wide and so high. It stands on its head, so that LARGE is not the same file.
pub fn picture_of((width, height): (u32, u32), colour: [u8; 3]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("a header");
    let upside_down = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0";
    writer.write_chunk(png::chunk::eXIf, upside_down).expect("EXIF");
    let pixels = colour.repeat((width * height) as usize);
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    file
}

/// A PNG of a colour that is this number's own.
pub fn picture_no(number: u32) -> Vec<u8> {
    let [_, red, green, blue] = number.to_be_bytes();
    picture([red, green, blue])
}

impl Caller {
    /// What `uploadPhotos` answers to these files with their captions.
    pub async fn try_upload(&self, photos: &[(&[u8], Option<&str>)], publish: bool) -> Reply {
        let mutation = format!(
            "mutation ($input: UploadPhotosInput!) {{ uploadPhotos(input: $input) {{
             photos {{ {SHOWN} }} userErrors {{ code field message }} }} }}"
        );
        let new: Vec<Value> = photos.iter().map(|(_, caption)| json!({ "file": null, "caption": caption })).collect();
        let input = json!({ "input": { "photos": new, "publish": publish } });
        let places: Vec<String> = (0..photos.len()).map(|at| format!("variables.input.photos.{at}.file")).collect();
        let files: Vec<(&str, &[u8])> =
            places.iter().map(String::as_str).zip(photos.iter().map(|(file, _)| *file)).collect();
        self.upload(Form::of(&mutation, &input, &files)).await
    }

    /// Uploads these files as drafts, and returns their ids.
    pub async fn drafts(&self, files: &[&[u8]]) -> Vec<String> {
        let photos: Vec<(&[u8], Option<&str>)> = files.iter().map(|file| (*file, None)).collect();
        ids_in(&self.try_upload(&photos, false).await, "uploadPhotos")
    }

    /// Uploads a picture with this caption as a draft, and returns its id.
    pub async fn draft(&self, caption: &str) -> String {
        only(ids_in(&self.try_upload(&[(&picture([9, 9, 9]), Some(caption))], false).await, "uploadPhotos"))
    }

    /// Uploads a picture with this caption, published at once, and returns its id.
    pub async fn publish(&self, caption: &str) -> String {
        only(ids_in(&self.try_upload(&[(&picture([9, 9, 9]), Some(caption))], true).await, "uploadPhotos"))
    }

    /// What `publishPhotos`, `unpublishPhotos` or `deletePhotos` answers.
    pub async fn try_change(&self, verb: &str, ids: &[&str]) -> Reply {
        let kind = format!("{}{}", verb[..1].to_uppercase(), &verb[1..]);
        let shown = if verb == "deletePhotos" { "deletedPhotoIds".to_owned() } else { format!("photos {{ {SHOWN} }}") };
        let mutation = format!(
            "mutation ($input: {kind}Input!) {{ {verb}(input: $input) {{ {shown} userErrors {{ code field message }} }} }}"
        );
        self.run_with(&mutation, json!({ "input": { "photoIds": ids } })).await
    }

    /// Publishes, unpublishes or deletes photos, and returns what the payload has of them.
    pub async fn change(&self, verb: &str, ids: &[&str]) -> Value {
        let reply = self.try_change(verb, ids).await;
        let payload = reply.data()[verb].clone();
        assert_eq!(payload["userErrors"], json!([]), "{verb}");
        if verb == "deletePhotos" { payload["deletedPhotoIds"].clone() } else { payload["photos"].clone() }
    }

    /// What `editPhotos` answers to these captions.
    pub async fn try_edit(&self, edits: &[(&str, Option<&str>)]) -> Reply {
        let mutation = format!(
            "mutation ($input: EditPhotosInput!) {{ editPhotos(input: $input) {{
             photos {{ {SHOWN} }} userErrors {{ code field message }} }} }}"
        );
        let edits: Vec<Value> =
            edits.iter().map(|(id, caption)| json!({ "photoId": id, "caption": caption })).collect();
        self.run_with(&mutation, json!({ "input": { "edits": edits } })).await
    }

    /// Replaces captions, and returns the photos.
    pub async fn edit(&self, edits: &[(&str, Option<&str>)]) -> Value {
        let reply = self.try_edit(edits).await;
        assert_eq!(reply.user_errors("editPhotos"), [""; 0], "{}", reply.body);
        reply.data()["editPhotos"]["photos"].clone()
    }

    /// The ids in `photos` with these arguments, such as `(author: "anna")`, in their order.
    pub async fn photos(&self, arguments: &str) -> Vec<String> {
        let reply = self.run(&format!("{{ photos{arguments} {{ nodes {{ id }} }} }}")).await;
        ids(&reply.data()["photos"]["nodes"])
    }

    /// The ids in `viewer { photos }` with these arguments.
    pub async fn own_photos(&self, arguments: &str) -> Vec<String> {
        let reply = self.run(&format!("{{ viewer {{ photos{arguments} {{ nodes {{ id }} }} }} }}")).await;
        ids(&reply.data()["viewer"]["photos"]["nodes"])
    }

    /// How many bytes the caller has stored.
    pub async fn used_bytes(&self) -> i64 {
        let reply = self.run("{ viewer { storage { usedBytes } } }").await;
        reply.data()["viewer"]["storage"]["usedBytes"].as_i64().expect("a number")
    }
}

/// The ids of these photos.
pub fn ids(photos: &Value) -> Vec<String> {
    let photos = photos.as_array().unwrap_or_else(|| panic!("photos, not {photos}"));
    photos.iter().map(|photo| photo["id"].as_str().expect("an id").to_owned()).collect()
}

/// The ids of the photos in the payload of this mutation.
pub fn ids_in(reply: &Reply, mutation: &str) -> Vec<String> {
    assert_eq!(reply.user_errors(mutation), [""; 0], "{}", reply.body);
    ids(&reply.data()[mutation]["photos"])
}

fn only(ids: Vec<String>) -> String {
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids.into_iter().next().expect("one")
}
