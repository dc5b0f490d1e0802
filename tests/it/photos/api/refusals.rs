//! Files that are no photos, or too large ones: each refusal names its place, the limit, and what was found.

use serde_json::{Value, json};

use crate::support::{Caller, Form, TestApp, picture, picture_of};

async fn refusal(caller: &Caller, file: &[u8]) -> (String, String) {
    let reply = caller.try_upload(&[(file, None)], false).await;
    let errors = reply.user_errors("uploadPhotos");
    assert_eq!(errors.len(), 1, "{}", reply.body);
    let code = errors[0].strip_suffix(" input.photos.0.file").unwrap_or_else(|| panic!("the place, not {errors:?}"));
    let message = reply.data()["uploadPhotos"]["userErrors"][0]["message"].as_str().expect("a message");
    (code.to_owned(), message.to_owned())
}

#[tokio::test]
async fn what_is_no_photo_is_told_by_its_content() {
    let (test, anna) = TestApp::with_user().await;
    let good = picture([1, 2, 3]);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let html = b"<!doctype html><title>x</title>";
    let cases: [(&[u8], &str); 8] = [
        (svg, "UNSUPPORTED_MEDIA"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "UNSUPPORTED_MEDIA"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "UNSUPPORTED_MEDIA"),
        (html, "UNSUPPORTED_MEDIA"),
        (b"just text", "UNSUPPORTED_MEDIA"),
        (b"", "REQUIRED"),
        (&good[..good.len() / 2], "INVALID"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "INVALID"),
    ];
    for (file, expected) in cases {
        let (code, message) = refusal(&anna, file).await;
        assert_eq!(code, expected, "{message}");
        assert!(message.ends_with('.') && message.len() < 200, "{message}");
        if expected == "UNSUPPORTED_MEDIA" {
            assert!(message.contains("JPEG, PNG, WebP, GIF. Export it as JPEG."), "{message}");
        }
    }
    assert_eq!((test.rows().await.photos, test.uploads(), anna.used_bytes().await), (0, 0, 0));
    // Neither its name nor its claimed type makes it anything else: the helper's files are all called .jpg, and HTML.
    assert!(anna.try_upload(&[(&good, None)], false).await.data()["uploadPhotos"]["photos"][0]["id"].is_string());
}

#[tokio::test]
async fn a_picture_of_too_many_pixels_is_refused_by_its_header() {
    let test = TestApp::with_config(|config| config.photos.max_pixels = 1200).await;
    let anna = test.sign_up("anna").await;
    let (code, message) = refusal(&anna, &picture_of((41, 30), [0, 0, 0])).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("TOO_LARGE", "Image has 1,230 pixels; the limit is 1,200. Scale it down.")
    );
    anna.drafts(&[&picture_of((40, 30), [0, 0, 0])]).await;
    let limits = "{ server { limits { photoPixels photoBytes photosPerUpload } } }";
    let limits = test.anonymous().run(limits).await;
    let expected = json!({ "photoPixels": 1200, "photoBytes": 20_971_520, "photosPerUpload": 10 });
    assert_eq!(limits.data()["server"]["limits"], expected);
}

#[tokio::test]
async fn too_long_and_too_many_files_are_refused_with_their_limits() {
    let test = TestApp::with_config(|config| {
        config.photos.max_bytes = 2000;
        config.photos.max_per_upload = 3;
    })
    .await;
    let anna = test.sign_up("anna").await;
    let small = picture([0, 0, 0]);
    let long = [small.as_slice(), &[0; 2000]].concat();
    let reply = anna.try_upload(&[(&small, None), (&long, None)], false).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (413, "PAYLOAD_TOO_LARGE"));
    let message = reply.at("/errors/0/message").as_str().expect("a message");
    assert!(message.contains("2000") && message.contains("photos.1.file"), "{message}");

    let reply = anna.try_upload(&[(&small[..], None); 4], false).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (413, "PAYLOAD_TOO_LARGE"));
    assert!(reply.at("/errors/0/message").as_str().is_some_and(|text| text.contains('3')), "{}", reply.body);

    // One file in more places than there may be files.
    let reply = anna.upload(one_file_for(4, &small)).await;
    assert_eq!(reply.user_errors("uploadPhotos"), ["LIMIT_REACHED input.photos"], "{}", reply.body);
    let message = reply.data()["uploadPhotos"]["userErrors"][0]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains('3') && message.contains('4'), "{message}");
    assert_eq!((test.rows().await.photos, test.uploads()), (0, 0));

    let reply = anna.upload(one_file_for(3, &small)).await;
    assert_eq!(crate::support::ids_in(&reply, "uploadPhotos").len(), 3, "one file can be several photos");
    assert_eq!(anna.own_photos("").await.len(), 3);
}

fn one_file_for(places: usize, file: &[u8]) -> Form {
    let new: Vec<Value> = (0..places).map(|_| json!({ "file": null })).collect();
    let map: Vec<String> = (0..places).map(|at| format!("variables.new.{at}.file")).collect();
    let mutation = "mutation ($new: [NewPhoto!]!) { uploadPhotos(input: { photos: $new }) {
                    photos { id } userErrors { code field message } } }";
    Form::with_map(mutation, &json!({ "new": new }), &json!({ "0": map })).file("0", file)
}

#[tokio::test]
async fn a_file_that_did_not_come_as_one_is_refused() {
    let (test, anna) = TestApp::with_user().await;
    for file in ["null", "\"\"", "\"0\"", "0", "{}", "\"data:image/png;base64,iVBORw0KGgo=\""] {
        let mutation =
            format!("mutation {{ uploadPhotos(input: {{ photos: [{{ file: {file} }}] }}) {{ photos {{ id }} }} }}");
        let reply = anna.run(&mutation).await;
        let code = reply.code().to_owned();
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code.as_str()), "{file}: {}", reply.body);
    }
    assert_eq!(test.rows().await.photos, 0);
}

/// More pictures than may wait are refused at once, and those that wait are not.
#[tokio::test]
async fn an_upload_that_would_wait_too_long_is_told_to_come_back() {
    let test = TestApp::with_config(|config| {
        (config.photos.threads, config.photos.queue, config.photos.max_per_upload) = (1, 1, 2);
    })
    .await;
    let anna = test.sign_up("anna").await;
    let file = picture([0, 0, 0]);
    let uploads: Vec<_> = (0..6)
        .map(|_| {
            let (anna, file) = (anna.clone(), file.clone());
            async move { anna.try_upload(&[(&file, None), (&file, None)], false).await }
        })
        .collect();
    let mut stored = 0;
    for reply in futures_util::future::join_all(uploads).await {
        if reply.body.get("errors").is_none() {
            stored += crate::support::ids_in(&reply, "uploadPhotos").len();
        } else {
            assert_eq!(reply.code(), "UNAVAILABLE", "{}", reply.body);
        }
    }
    assert!((2..12).contains(&stored), "{stored} of 12");
    assert_eq!(anna.own_photos("").await.len(), stored);
    anna.draft("there is room again").await;
}
