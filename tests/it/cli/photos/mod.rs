//! `cloakroom photos`: what is kept of photos is checked, repaired and made anew.

mod check;
mod rebuild;

use std::fs;
use std::path::PathBuf;

use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::json;

use super::{Place, Said};
use crate::photos::corpus::jpeg;
use crate::support::{Form, Process, TestDatabase};

const THUMBNAIL: i16 = 0;
const SMALL: i16 = 1;
const LARGE: i16 = 2;
const ORIGINAL: i16 = 3;

/// A server at this place.
pub(super) fn serve(place: &Place) -> Process {
    Process::start(&place.data.path().join("data"), |command| {
        command.env_clear();
        if !place.url.is_empty() {
            command.args(["--database", &place.url]);
        }
    })
}

/// A JPEG whose pixels are this number's own. It stands on its head, so that LARGE is not the same file.
pub(super) fn picture(number: u32) -> Vec<u8> {
    let (width, height) = (400, 300);
    let pixels: Vec<u8> = (0..u32::from(width) * u32::from(height))
        .flat_map(|at| {
            let [_, a, b, c] = (at / 7).wrapping_mul(number.wrapping_mul(2_654_435_761) | 1).to_be_bytes();
            [a, b, c]
        })
        .collect();
    jpeg::with_orientation(&jpeg::encoded(&pixels, (width, height), jpeg_encoder::ColorType::Rgb, false), 3)
}

/// Uploads a picture and publishes it; its id, if an answer came.
pub(super) async fn upload(server: &Process, token: &str, file: &[u8]) -> Option<String> {
    let mutation = "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) { photos { id } userErrors { message } } }";
    let variables = json!({ "input": { "photos": [{ "file": null }], "publish": true } });
    let form = Form::of(mutation, &variables, &[("variables.input.photos.0.file", file)]);
    let answer = server.upload(token, form).await?;
    let id = answer["data"]["uploadPhotos"]["photos"][0]["id"].as_str();
    Some(id.unwrap_or_else(|| panic!("{answer}")).to_owned())
}

/// A place where anna has these pictures and bob has the first as well; the server has ended. Anna's photos.
async fn with(pictures: u32) -> (Place, Vec<String>) {
    let place = Place::create().await;
    let mut server = serve(&place);
    let (anna, bob) = (server.sign_up("anna").await, server.sign_up("bob").await);
    let mut ids = Vec::new();
    for number in 1..=pictures {
        ids.push(upload(&server, &anna, &picture(number)).await.expect("an answer"));
    }
    upload(&server, &bob, &picture(1)).await.expect("an answer");
    assert_eq!(server.end_with("TERM").code(), Some(0));
    (place, ids)
}

pub(super) fn photos(place: &Place, arguments: &[&str]) -> Said {
    place.run(&[&["photos"], arguments].concat())
}

/// The file of one size of a photo.
async fn file(place: &Place, photo: &str, size: i16) -> PathBuf {
    let id = uuid::Uuid::try_parse(photo.strip_prefix("pho_").expect("a photo's id")).expect("an id");
    let connection = place.connect().await;
    let sql = TestDatabase::spell(&format!(
        "SELECT b.object_key FROM photo_images i JOIN blobs b ON b.id = i.blob_id WHERE i.size = {size} AND i.photo_id = {}",
        if TestDatabase::is_sqlite() { format!("X'{}'", id.simple()) } else { format!("'{id}'") }
    ));
    let row = connection.query_one_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
    let key: String = row.expect("an answer").expect("a row").try_get_by_index(0).expect("a name");
    connection.close().await.expect("it closes");
    place.data.path().join("data/photos").join(key)
}

impl Place {
    /// The files of all photos.
    fn photo_files(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.data.path().join("data/photos")).expect("a folder");
        let folders = folders.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
        let files = folders.flat_map(|folder| fs::read_dir(folder).expect("a folder"));
        files.map(|entry| entry.expect("an entry").path()).collect()
    }
}
