//! `cloakroom users export`: photos, files and many rows.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::super::photos::{picture, serve};
use super::super::{Said, run};
use super::{Place, json_of, users};
use crate::support::{Form, Process, S3Server};

/// Uploads pictures with these captions.
async fn upload(server: &Process, token: &str, captions: &[Option<&str>], publish: bool) {
    let mutation = "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) { userErrors { message } } }";
    let photos: Vec<Value> = captions.iter().map(|caption| json!({ "file": null, "caption": caption })).collect();
    let input = json!({ "input": { "photos": photos, "publish": publish } });
    let places: Vec<String> = (0..captions.len()).map(|at| format!("variables.input.photos.{at}.file")).collect();
    let first = if publish { 1 } else { 100 };
    let pictures: Vec<Vec<u8>> = (first..).take(captions.len()).map(picture).collect();
    let files: Vec<(&str, &[u8])> =
        places.iter().zip(&pictures).map(|(place, file)| (place.as_str(), file.as_slice())).collect();
    let answer = server.upload(token, Form::of(mutation, &input, &files)).await.expect("an answer");
    assert_eq!(answer["data"]["uploadPhotos"]["userErrors"], json!([]), "{answer}");
}

/// A place where anna has a draft and two published photos, and bob has one; the server has ended.
async fn with_photos() -> Place {
    let place = Place::create().await;
    let mut server = serve(&place);
    let (anna, bob) = (server.sign_up("anna").await, server.sign_up("bob").await);
    upload(&server, &anna, &[Some("By the #Sea\nin #winter"), None], true).await;
    upload(&server, &anna, &[Some("a draft")], false).await;
    upload(&server, &bob, &[Some("of bob")], true).await;
    assert_eq!(server.end_with("TERM").code(), Some(0));
    place
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn files_of(place: &Place, folder: &Path) -> Said {
    users(place, &["export", "anna", "--files", &folder.to_string_lossy()])
}

fn document(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("JSON in {said:?}"))
}

/// The file of each photo has the content that the document tells.
fn assert_originals(document: &Value, folder: &Path) {
    for photo in document["photos"].as_array().expect("photos") {
        let name = photo["file"].as_str().unwrap_or_else(|| panic!("a file of {photo}"));
        let original = photo["images"].as_array().expect("images").iter().find(|image| image["size"] == "ORIGINAL");
        let original = original.expect("an original");
        let content = fs::read(folder.join(name)).expect("the file is there");
        let hash: String = digest(&SHA256, &content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((&original["sha256"], &original["byteSize"]), (&json!(hash), &json!(content.len())));
        assert_eq!(name, format!("{}.jpg", photo["id"].as_str().expect("an id")));
        assert_eq!(mode(&folder.join(name)), 0o600);
    }
}

#[tokio::test]
async fn drafts_and_published_photos_are_exported_with_captions_tags_sizes_and_links() {
    let place = with_photos().await;
    let text = users(&place, &["export", "anna"]).output();
    let export: Value = serde_json::from_str(&text).expect("JSON");
    let photos = export["photos"].as_array().expect("photos");
    let states: Vec<&Value> = photos.iter().map(|photo| &photo["state"]).collect();
    assert_eq!(states, ["PUBLISHED", "PUBLISHED", "DRAFT"]);
    assert_eq!(
        (&photos[0]["caption"], &photos[0]["tags"]),
        (&json!("By the #Sea\nin #winter"), &json!(["sea", "winter"]))
    );
    assert_eq!((&photos[1]["caption"], &photos[1]["tags"]), (&Value::Null, &json!([])));
    assert!(photos[0]["publishedAt"].is_string() && photos[2]["publishedAt"].is_null());
    let images = photos[2]["images"].as_array().expect("images");
    let sizes: Vec<&Value> = images.iter().map(|image| &image["size"]).collect();
    assert_eq!(sizes, ["THUMBNAIL", "SMALL", "LARGE", "ORIGINAL"]);
    assert_eq!((&images[3]["width"], &images[3]["height"]), (&json!(400), &json!(300)));
    let sizes = |photo: &Value| [0, 1, 2, 3].map(|size| photo["images"][size]["byteSize"].as_i64().expect("a size"));
    let bytes: i64 = photos.iter().map(|photo| cloakroom::photos::storage_use::photo_bytes(sizes(photo))).sum();
    assert_eq!(export["storage"]["usedBytes"], bytes);
    assert!(photos[0].get("file").is_none() && !text.contains("of bob"), "{text}");

    let server = serve(&place);
    for photo in photos {
        let url = photo["images"][0]["url"].as_str().expect("a link");
        let path = &url[url.find("/photos/").expect("a path")..];
        assert_eq!(server.status(&format!("http://{}{path}", server.address)).await, 200, "{url}");
    }
}

#[tokio::test]
async fn originals_are_written_once_and_for_their_owner_alone() {
    let place = with_photos().await;
    let folder = place.data.path().join("anna's photos");
    let said = files_of(&place, &folder);
    assert_eq!(said.err, "files written: 3; already there: 0; failed: 0\n");
    let first = document(&said);
    assert!(said.succeeded && first["photos"].as_array().map(Vec::len) == Some(3), "{said:?}");
    assert_originals(&first, &folder);
    assert_eq!((mode(&folder), names_in(&folder).len()), (0o700, 3));

    // As a kill leaves it.
    let names = names_in(&folder);
    fs::remove_file(folder.join(&names[1])).expect("it goes");
    fs::write(folder.join(format!(".{}.unfinished", names[1])), "half").expect("it is written");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("it is ours");
    let said = files_of(&place, &folder);
    assert_eq!(said.err, "files written: 1; already there: 2; failed: 0\n");
    assert_originals(&document(&said), &folder);
    assert_eq!((mode(&folder), names_in(&folder)), (0o755, names), "a folder of somebody else stays as it is");
}

#[tokio::test]
async fn nothing_is_overwritten_and_what_is_missing_is_told() {
    let place = with_photos().await;
    let folder = place.data.path().join("photos of anna");
    let names: Vec<String> = document(&users(&place, &["export", "anna"]))["photos"]
        .as_array()
        .expect("photos")
        .iter()
        .map(file_name)
        .collect();
    fs::create_dir(&folder).expect("a folder");
    let elsewhere = place.file("elsewhere", "precious");
    fs::write(folder.join(&names[0]), "another file").expect("it is written");
    std::os::unix::fs::symlink(&elsewhere, folder.join(&names[1])).expect("a link");
    fs::remove_file(original_of(&place, 2)).expect("it goes");
    let said = files_of(&place, &folder);
    assert!(!said.succeeded);
    let exported = document(&said);
    let errors: Vec<&str> = exported["photos"]
        .as_array()
        .expect("photos")
        .iter()
        .map(|photo| photo["fileError"].as_str().unwrap_or_else(|| panic!("an error of {photo}")))
        .collect();
    let occupied = "Another file of this name exists, and was not overwritten.";
    assert_eq!(errors, [occupied, occupied, "The original is missing in the storage."]);
    for (name, error) in names.iter().zip(errors) {
        assert!(said.err.contains(&format!("{name}: {error}\n")), "{said:?}");
    }
    assert!(said.err.ends_with("failed: 3\ncloakroom: 3 files were not written\n"), "{said:?}");
    assert_eq!(fs::read_to_string(folder.join(&names[0])).expect("text"), "another file");
    assert_eq!(fs::read_to_string(elsewhere).expect("text"), "precious");

    let damaged = original_of(&place, 0);
    fs::write(&damaged, "damaged").expect("it is written");
    fs::remove_file(folder.join(&names[0])).expect("it goes");
    let said = files_of(&place, &folder);
    assert!(said.err.contains(&format!("{}: The original in the storage is damaged.\n", names[0])), "{said:?}");
    assert!(!folder.join(&names[0]).exists() && names_in(&folder) == [names[1].as_str()], "{said:?}");

    let file = place.file("a file", "");
    let said = users(&place, &["export", "anna", "--files", &file]).complaint();
    assert!(said.contains("cannot create the folder"), "{said}");
}

/// The name that a photo's file is to have.
fn file_name(photo: &Value) -> String {
    format!("{}.jpg", photo["id"].as_str().expect("an id"))
}

/// The stored original of the photo with this number in anna's export.
fn original_of(place: &Place, number: usize) -> PathBuf {
    let export = document(&users(place, &["export", "anna"]));
    let hash = export["photos"][number]["images"][3]["sha256"].as_str().expect("a hash").to_owned();
    let mut waiting = vec![place.data.path().join("data/photos")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.to_string_lossy().contains(&hash) {
                return path;
            }
        }
    }
    panic!("{hash} is not stored")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn originals_are_written_from_s3() {
    let (place, s3) = (Place::create().await, S3Server::moto().await);
    let endpoint = format!("http://{}", s3.address);
    let in_bucket = |command: &mut Command| {
        let settings = [("URL", "s3://pictures/export"), ("S3_ENDPOINT", &endpoint)];
        let secrets = [("S3_ACCESS_KEY_ID", "key"), ("S3_SECRET_ACCESS_KEY", "secret")];
        for (name, value) in settings.into_iter().chain(secrets) {
            command.env(format!("CLOAKROOM__STORAGE__{name}"), value);
        }
    };
    let mut server = tokio::task::block_in_place(|| {
        Process::start(&place.data.path().join("data"), |command| {
            command.env_clear();
            if !place.url.is_empty() {
                command.args(["--database", &place.url]);
            }
            in_bucket(command);
        })
    });
    let anna = server.sign_up("anna").await;
    upload(&server, &anna, &[None, None], true).await;
    assert_eq!(server.end_with("TERM").code(), Some(0));
    let folder = place.data.path().join("files");
    for expected in ["written: 2; already there: 0", "written: 0; already there: 2"] {
        let mut command = place.command(&["users", "export", "anna", "--files", &folder.to_string_lossy()]);
        in_bucket(&mut command);
        let said = tokio::task::block_in_place(|| run(&mut command));
        assert_eq!(said.err, format!("files {expected}; failed: 0\n"));
        assert_originals(&document(&said), &folder);
    }
}

/// Rows are read 200 at a time.
#[tokio::test]
async fn every_page_of_many_rows_is_exported_once() {
    let place = Place::create().await;
    let mut server = serve(&place);
    let anna = server.sign_up("anna").await;
    let add = async |server: &Process, numbers: std::ops::Range<usize>| {
        for numbers in numbers.collect::<Vec<_>>().chunks(25) {
            let fields: String = numbers
                .iter()
                .map(|n| format!("c{n}: createCounter(input: {{ name: \"c{n}\" }}) {{ userErrors {{ code }} }} "))
                .collect();
            let answer = server.run(Some(&anna), &format!("mutation {{ {fields} }}")).await.expect("an answer");
            assert!(answer["errors"].is_null(), "{answer}");
        }
    };
    for count in [200, 400, 401] {
        let before = json_of(users(&place, &["export", "anna"]))["counters"].as_array().map_or(0, Vec::len);
        add(&server, before..count).await;
        let text = users(&place, &["export", "anna"]).output();
        let export: Value = serde_json::from_str(&text).expect("JSON");
        let mut names: Vec<&str> =
            export["counters"].as_array().expect("counters").iter().filter_map(|one| one["name"].as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(text, format!("{}\n", serde_json::to_string_pretty(&export).expect("JSON")), "it is pretty JSON");
    }
    assert_eq!(server.end_with("TERM").code(), Some(0));
}
