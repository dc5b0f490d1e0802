//! The identity of the storage, as an operator meets it: real servers, real folders.

mod remote;
mod running;
mod shared;
mod starting;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::photos::{picture, serve, upload};
use super::{Place, Said, cloakroom, run};
use crate::support::{Form, Process};

/// The name of the file that holds the identity.
pub(super) const MARKER: &str = "cloakroom-storage.json";

/// The data directory with this name, beside the first one.
fn data_dir(place: &Place, name: &str) -> PathBuf {
    place.data.path().join(name)
}

/// A server on the place's database with a data directory of its own, which has the first one's keys.
fn another(place: &Place, name: &str, adapt: impl FnOnce(&mut std::process::Command)) -> Process {
    let data = copy_keys(place, name);
    Process::start(&data, |command| {
        command.env_clear();
        if !place.url.is_empty() {
            command.args(["--database", &place.url]);
        }
        adapt(command);
    })
}

/// The words of a server that refuses to start with this data directory.
fn refused_at(place: &Place, data: &Path) -> String {
    let mut command = cloakroom(&["--listen", "127.0.0.1:0", "--migrate", "--data-dir"]);
    command.arg(data);
    if !place.url.is_empty() {
        command.args(["--database", &place.url]);
    }
    run(&mut command).complaint()
}

/// The words of a server that refuses to start at this place.
fn refused(place: &Place) -> String {
    refused_at(place, &data_dir(place, "data"))
}

/// Makes a data directory with this name that has the same keys.
fn copy_keys(place: &Place, name: &str) -> PathBuf {
    let data = data_dir(place, name);
    if name == "data" {
        return data;
    }
    fs::create_dir_all(data.join("keys")).expect("a folder");
    for entry in fs::read_dir(data_dir(place, "data").join("keys")).expect("keys") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), data.join("keys").join(entry.file_name())).expect("it is copied");
    }
    data
}

/// The answer to an upload of this picture.
async fn try_upload(server: &Process, token: &str, number: u32) -> Value {
    let mutation = "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) { photos { id } } }";
    let variables = json!({ "input": { "photos": [{ "file": null }] } });
    let file = picture(number);
    let form = Form::of(mutation, &variables, &[("variables.input.photos.0.file", &file)]);
    server.upload(token, form).await.expect("an answer")
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("an error, not {answer}"))
}

async fn next(server: &Process, token: &str) -> i64 {
    let answer = server.run(Some(token), "mutation { next { value } }").await.expect("an answer");
    answer["data"]["next"]["value"].as_i64().unwrap_or_else(|| panic!("a number in {answer}"))
}

/// A place with a user who has one photo; the server has ended. The user's token.
async fn with_photo() -> (Place, String) {
    let place = Place::create().await;
    let mut server = serve(&place);
    let token = server.sign_up("anna").await;
    upload(&server, &token, &picture(1)).await.expect("an answer");
    assert_eq!(server.end_with("TERM").code(), Some(0));
    (place, token)
}

fn photos_folder(place: &Place) -> PathBuf {
    data_dir(place, "data").join("photos")
}
