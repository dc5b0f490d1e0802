//! Files where they are wanted: `uploadPhotos`.

use serde_json::{Value, json};

use crate::support::{Caller, Form, Reply, TestApp};

const UPLOAD: &str = "mutation($input: UploadPhotosInput!) {
    uploadPhotos(input: $input) { photos { id } userErrors { code field message } } }";

/// One pixel.
const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

/// So many photos without their files.
fn photos(count: usize) -> Value {
    let photo = json!({ "file": null });
    json!({ "input": { "photos": vec![photo; count] } })
}

async fn upload(caller: &Caller, files: &[&[u8]]) -> Reply {
    let places: Vec<String> = (0..files.len()).map(|at| format!("variables.input.photos.{at}.file")).collect();
    let files: Vec<(&str, &[u8])> = places.iter().map(String::as_str).zip(files.iter().copied()).collect();
    caller.upload(Form::of(UPLOAD, &photos(files.len()), &files)).await
}

fn uploaded(reply: &Reply) -> usize {
    assert_eq!(reply.data()["uploadPhotos"]["userErrors"], json!([]), "{}", reply.body);
    reply.at("/data/uploadPhotos/photos").as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn files_become_photos() {
    let (test, user) = TestApp::with_user().await;
    assert_eq!(uploaded(&upload(&user, &[GIF]).await), 1);
    assert_eq!(uploaded(&upload(&user, &[GIF, GIF, GIF]).await), 3);
    assert_eq!(test.uploads(), 0);
}

#[tokio::test]
async fn one_file_may_take_two_places() {
    let (test, user) = TestApp::with_user().await;
    let map = json!({ "x": ["variables.input.photos.1.file", "variables.input.photos.0.file"] });
    let reply = user.upload(Form::with_map(UPLOAD, &photos(2), &map).file("x", GIF)).await;
    assert_eq!(uploaded(&reply), 2);
    assert_ne!(reply.at("/data/uploadPhotos/photos/0/id"), reply.at("/data/uploadPhotos/photos/1/id"));
    assert_eq!(test.uploads(), 0);
}

#[tokio::test]
async fn each_place_gets_the_file_that_the_map_says() {
    let (test, user) = TestApp::with_user().await;
    let map = json!({ "good": ["variables.input.photos.1.file"], "bad": ["variables.input.photos.0.file"] });
    for form in [
        Form::with_map(UPLOAD, &photos(2), &map).file("good", GIF).file("bad", b"<svg/>"),
        Form::with_map(UPLOAD, &photos(2), &map).file("bad", b"<svg/>").file("good", GIF),
    ] {
        let reply = user.upload(form).await;
        assert_eq!(reply.user_errors("uploadPhotos"), ["UNSUPPORTED_MEDIA input.photos.0.file"], "{}", reply.body);
    }
    assert_eq!(upload(&user, &[GIF, b""]).await.user_errors("uploadPhotos"), ["REQUIRED input.photos.1.file"]);
    assert_eq!(test.uploads(), 0);
}

#[tokio::test]
async fn a_claimed_type_means_nothing() {
    let (test, user) = TestApp::with_user().await;
    let form = |claim: &str, content: &[u8]| {
        let head =
            format!("Content-Disposition: form-data; name=\"0\"; filename=\"x.gif\"\r\nContent-Type: {claim}\r\n");
        Form::with_map(UPLOAD, &photos(1), &json!({ "0": ["variables.input.photos.0.file"] })).headed(&head, content)
    };
    assert_eq!(uploaded(&user.upload(form("text/html", GIF)).await), 1);
    let reply = user.upload(form("image/gif", b"<html></html>")).await;
    assert_eq!(reply.user_errors("uploadPhotos"), ["UNSUPPORTED_MEDIA input.photos.0.file"]);
    assert_eq!(test.uploads(), 0);
}

#[tokio::test]
async fn what_is_no_file_is_told_how_to_be_one() {
    let (test, user) = TestApp::with_user().await;
    let told = |reply: &Reply, code: &str, what: &str| {
        assert_eq!(reply.code(), code, "{what}: {}", reply.body);
        assert!(
            reply.at("/errors/0/message").to_string().contains("own part of a multipart request"),
            "{}",
            reply.body
        );
    };
    for value in [
        json!("0"),
        json!(0),
        json!("\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}"),
        json!([0, 0, 0, 0, 0, 0, 0, 0]),
        json!({}),
        json!(true),
        json!(1.5),
        json!("data:image/gif;base64,R0lGODlh"),
    ] {
        let input = json!({ "input": { "photos": [{ "file": value }] } });
        told(&user.run_with(UPLOAD, input.clone()).await, "BAD_USER_INPUT", &value.to_string());
        // Nor does it reach the file that came with the same request for another place.
        let input = json!({ "input": { "photos": [{ "file": value }, { "file": null }] } });
        let form = Form::of(UPLOAD, &input, &[("variables.input.photos.1.file", GIF)]);
        told(&user.upload(form).await, "BAD_USER_INPUT", &value.to_string());
    }
    for literal in ["\"0\"", "0", "[0]", "{}", "true", "FILE"] {
        let query =
            format!("mutation {{ uploadPhotos(input: {{ photos: [{{ file: {literal} }}] }}) {{ photos {{ id }} }} }}");
        told(&user.run(&query).await, "GRAPHQL_VALIDATION_FAILED", literal);
    }
    assert_eq!(test.uploads(), 0);
}

#[tokio::test]
async fn a_place_without_a_file_is_refused() {
    let (test, user) = TestApp::with_user().await;
    for reply in [
        user.run_with(UPLOAD, photos(1)).await,
        user.upload(Form::of(UPLOAD, &photos(2), &[("variables.input.photos.1.file", GIF)])).await,
    ] {
        assert!(matches!(reply.code(), "GRAPHQL_VALIDATION_FAILED" | "BAD_USER_INPUT"), "{}", reply.body);
        assert!(reply.body.get("data").is_none(), "{}", reply.body);
    }
    assert_eq!(test.uploads(), 0);
}
