//! Images over HTTP: their links, their headers, parts of them, and the end of a link.

use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::support::{Caller, Form, Listening, TestApp, parsed};

const UPLOAD: &str = "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) { photos { id \
    thumbnail: image(size: THUMBNAIL) { url byteSize } original: image(size: ORIGINAL) { url byteSize contentType } } \
    userErrors { message } } }";

/// A photo with the paths of a small image, from memory, and of a large one, from the storage.
struct Uploaded {
    id: String,
    thumbnail: String,
    original: String,
    content: Vec<u8>,
}

/// A picture of noise, which no encoder makes smaller.
fn picture() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 400, 300);
    encoder.set_color(png::ColorType::Rgb);
    let pixels: Vec<u8> = (0..400_u64 * 300 * 3).map(|at| noise(at).to_be_bytes()[0]).collect();
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels)).expect("a picture");
    file
}

fn noise(at: u64) -> u64 {
    let mixed = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// The base of URLs where neither a setting nor the request names one.
const BASE_URL: &str = "http://127.0.0.1:8000";

fn path(url: &serde_json::Value) -> String {
    path_below(BASE_URL, url)
}

fn path_below(base_url: &str, url: &serde_json::Value) -> String {
    let url = url.as_str().expect("a URL");
    url.strip_prefix(base_url).unwrap_or_else(|| panic!("below {base_url}: {url}")).to_owned()
}

async fn upload(user: &Caller, publish: bool) -> Uploaded {
    upload_at(user, BASE_URL, publish).await
}

async fn upload_at(user: &Caller, base_url: &str, publish: bool) -> Uploaded {
    let content = picture();
    let variables = json!({ "input": { "photos": [{ "file": null }], "publish": publish } });
    let reply = user.upload(Form::of(UPLOAD, &variables, &[("variables.input.photos.0.file", &content)])).await;
    let photo = reply.data()["uploadPhotos"]["photos"][0].clone();
    assert!(photo.is_object(), "{}", reply.body);
    assert_eq!(photo["original"]["byteSize"], content.len(), "noise in PNG has nothing to lose");
    Uploaded {
        id: photo["id"].as_str().expect("an id").to_owned(),
        thumbnail: path_below(base_url, &photo["thumbnail"]["url"]),
        original: path_below(base_url, &photo["original"]["url"]),
        content,
    }
}

/// The URL of the small image, as the user gets it with these headers.
async fn url_with(user: &Caller, photo: &str, headers: &[(&'static str, &str)]) -> String {
    let user = headers.iter().fold(user.clone(), |user, (name, value)| user.with_header(name, value));
    let query = format!(r#"{{ node(id: "{photo}") {{ ... on Photo {{ image(size: THUMBNAIL) {{ url }} }} }} }}"#);
    user.run(&query).await.at("/data/node/image/url").as_str().expect("a URL").to_owned()
}

#[tokio::test]
async fn image_urls_have_the_host_of_their_request_unless_there_is_a_public_url() {
    let (test, user) = TestApp::with_user().await;
    let photo = upload(&user, false).await;
    for (headers, base) in [
        (&[("host", "photos.example.org:8443")][..], "http://photos.example.org:8443"),
        (&[("host", "[2001:db8::1]:80")], "http://[2001:db8::1]:80"),
        (&[("host", "photos.example.org"), ("x-forwarded-host", "evil.example")], "http://photos.example.org"),
        // No request with such a host gets here; were one to, it would not be reflected.
        (&[("host", "evil.example/path?")], "http://127.0.0.1:8000"),
        (&[], "http://127.0.0.1:8000"),
    ] {
        let url = url_with(&user, &photo.id, headers).await;
        assert_eq!(url.strip_suffix(&*photo.thumbnail), Some(base), "{headers:?}");
        assert_eq!(get(&test, &photo.thumbnail, &[]).await.0.status().as_u16(), 200);
    }
    let test = TestApp::with_config(|config| {
        config.server.public_url = Some(parsed("https://cloakroom.example.org/app/"));
    })
    .await;
    let user = test.sign_up("anna").await;
    let photo = upload_at(&user, "https://cloakroom.example.org/app", false).await;
    let url = url_with(&user, &photo.id, &[("host", "other.example")]).await;
    assert_eq!(url.strip_suffix(&*photo.thumbnail), Some("https://cloakroom.example.org/app"));
}

async fn ask(test: &TestApp, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    test.router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer")
}

async fn get(test: &TestApp, path: &str, headers: &[(&str, &str)]) -> (Response<()>, Bytes) {
    let (head, body) = ask(test, Method::GET, path, headers).await.into_parts();
    (Response::from_parts(head, ()), body.collect().await.expect("a whole body").to_bytes())
}

fn header<'r, B>(response: &'r Response<B>, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

/// The same answer for everything that is wrong.
async fn assert_absent(test: &TestApp, path: &str, why: &str) {
    let (response, body) = get(test, path, &[("if-none-match", "*"), ("range", "bytes=0-0")]).await;
    assert_eq!(response.status().as_u16(), 404, "{why}: {path}");
    let expected = json!({ "errors": [{
        "message": "There is no such image, or its link is no longer good.",
        "extensions": { "code": "NOT_FOUND" },
    }] });
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).expect("JSON"), expected, "{why}: {path}");
    assert_eq!(header(&response, "cache-control"), "no-store", "{why}");
    assert_eq!(header(&response, "etag"), "", "{why}");
}

#[tokio::test]
async fn an_image_is_served_to_whoever_has_its_link() {
    let (test, user) = TestApp::with_user().await;
    let photo = upload(&user, true).await;
    for (path, content_type, file) in
        [(&photo.original, "image/png", "photo.png"), (&photo.thumbnail, "image/jpeg", "photo.jpg")]
    {
        let (response, body) = get(&test, path, &[]).await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(header(&response, "content-type"), content_type);
        assert_eq!(header(&response, "content-length"), body.len().to_string());
        assert_eq!(header(&response, "content-disposition"), format!("inline; filename=\"{file}\""));
        assert_eq!(header(&response, "accept-ranges"), "bytes");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(header(&response, "cross-origin-resource-policy"), "cross-origin");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(header(&response, "etag"), format!("\"{hash}\""));
        assert!(path.contains(&hash), "the link names the content");

        let cache = header(&response, "cache-control");
        let age = cache.strip_prefix("private, max-age=").and_then(|rest| rest.strip_suffix(", immutable"));
        let age: u32 = age.and_then(|age| age.parse().ok()).unwrap_or_else(|| panic!("{cache}"));
        assert!((3601..=7200).contains(&age), "from one window to two: {age}");

        let head = ask(&test, Method::HEAD, path, &[("range", "bytes=0-0")]).await;
        assert_eq!(head.status().as_u16(), 200, "a range is for GET");
        for (name, value) in response.headers() {
            if name != "x-request-id" {
                assert_eq!(head.headers().get(name), Some(value), "{name}");
            }
        }
        assert!(head.into_body().collect().await.expect("nothing").to_bytes().is_empty());
    }
    assert_eq!(get(&test, &photo.original, &[]).await.1, photo.content);
    let (posted, _) = ask(&test, Method::POST, &photo.original, &[]).await.into_parts();
    assert_eq!(posted.status.as_u16(), 405);
}

#[tokio::test]
async fn a_part_of_an_image_can_be_had() {
    let (test, user) = TestApp::with_user().await;
    let photo = upload(&user, true).await;
    for path in [&photo.original, &photo.thumbnail] {
        let (whole, content) = get(&test, path, &[]).await;
        let (etag, length) = (header(&whole, "etag").to_owned(), content.len());
        for (range, from, to) in [
            // s3rver answers `bytes=0-0` with everything.
            ("bytes=0-1".to_owned(), 0, 2),
            ("bytes=10-1999".to_owned(), 10, 2000),
            (format!("bytes={}-", length - 7), length - 7, length),
            ("bytes=-5".to_owned(), length - 5, length),
            (format!("bytes=100-{}", length * 2), 100, length),
        ] {
            let (response, body) = get(&test, path, &[("range", &range), ("if-range", &etag)]).await;
            assert_eq!(response.status().as_u16(), 206, "{range}");
            assert_eq!(header(&response, "content-range"), format!("bytes {from}-{}/{length}", to - 1));
            assert_eq!(header(&response, "content-length"), (to - from).to_string());
            assert_eq!(header(&response, "etag"), etag);
            assert_eq!(body, content.slice(from..to), "{range}");
        }
        for headers in
            [[("range", "bytes=0-0,5-6"), ("accept", "*/*")], [("range", "bytes=0-0"), ("if-range", "\"x\"")]]
        {
            let (response, body) = get(&test, path, &headers).await;
            assert_eq!((response.status().as_u16(), &body), (200, &content), "{headers:?}");
        }
        let (response, _) = get(&test, path, &[("range", &format!("bytes={length}-"))]).await;
        assert_eq!(response.status().as_u16(), 416);
        assert_eq!(header(&response, "content-range"), format!("bytes */{length}"));
        assert_eq!(header(&response, "cache-control"), "no-store");
    }
}

#[tokio::test]
async fn an_image_that_the_client_has_is_not_sent_again() {
    let (test, user) = TestApp::with_user().await;
    let photo = upload(&user, true).await;
    let (whole, _) = get(&test, &photo.thumbnail, &[]).await;
    let etag = header(&whole, "etag").to_owned();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        let (response, body) = get(&test, &photo.thumbnail, &[("if-none-match", &known)]).await;
        assert_eq!((response.status().as_u16(), body.len()), (304, 0), "{known}");
        for name in ["etag", "cache-control", "content-security-policy"] {
            assert_eq!(header(&response, name), header(&whole, name));
        }
    }
    let (response, _) = get(&test, &photo.thumbnail, &[("if-none-match", "\"x\"")]).await;
    assert_eq!(response.status().as_u16(), 200);
    let (response, _) = get(&test, &photo.thumbnail, &[("if-match", "\"x\"")]).await;
    assert_eq!(response.status().as_u16(), 412);
}

#[tokio::test]
async fn a_link_that_is_not_ours_finds_nothing() {
    let (test, user) = TestApp::with_user().await;
    let (photo, other) = (upload(&user, true).await, upload(&user, true).await);
    let (place, query) = photo.original.split_once('?').expect("a query");
    let (until, signature) = query.split_once('&').expect("two parameters");
    for (path, why) in [
        (place.to_owned(), "no query"),
        (format!("{place}?{until}"), "no signature"),
        (format!("{place}?{signature}"), "no end"),
        (format!("{place}?{query}&{until}"), "two ends"),
        (photo.original.replace("original", "large"), "another size"),
        (photo.original.replace(".png", ".jpg"), "another format"),
        (photo.original.replace(&photo.id, &other.id), "another photo"),
        (photo.original.replace("until=1", "until=2"), "later"),
        (format!("/photos/{}/..%2f..%2fkeys%2frefresh.key?{query}", photo.id), "another folder"),
        (format!("/photos/..%2f..%2f/original?{query}"), "another folder"),
        (format!("/photos/%ff/%ff?{query}"), "no text"),
        (format!("{place}%00?{query}"), "a zero"),
        (format!("{place}?until=%ff&{signature}"), "no text"),
    ] {
        assert_absent(&test, &path, why).await;
    }
}

#[tokio::test]
async fn a_link_ends_with_its_time() {
    let (test, user) = TestApp::with_user().await;
    let photo = upload(&user, true).await;
    test.clock.advance(3600);
    assert_eq!(get(&test, &photo.original, &[]).await.0.status().as_u16(), 200);
    test.clock.advance(3600);
    assert_absent(&test, &photo.original, "two windows are over").await;
}

#[tokio::test]
async fn a_link_goes_on_when_the_photo_is_published_and_ends_when_it_is_unpublished_or_deleted() {
    let (test, user) = TestApp::with_user().await;
    let photo = upload(&user, false).await;
    let renewed = async |verb: &str| {
        let mutation = format!(
            r#"mutation {{ {verb}(input: {{ photoIds: ["{}"] }}) {{ photos {{ image(size: ORIGINAL) {{ url }} }} }} }}"#,
            photo.id
        );
        path(&user.run(&mutation).await.data()[verb]["photos"][0]["image"]["url"])
    };
    let status = async |path: &str| get(&test, path, &[]).await.0.status().as_u16();
    assert_eq!(status(&photo.original).await, 200, "its author has the link");
    assert_eq!(renewed("publishPhotos").await, photo.original, "in the same window");
    assert_eq!(status(&photo.original).await, 200, "it shows what everybody may see now");

    let draft = renewed("unpublishPhotos").await;
    assert_eq!(status(&draft).await, 200, "its author has another one");
    assert_absent(&test, &photo.original, "it is no longer published").await;
    assert_absent(&test, &photo.thumbnail, "of every size").await;
    // What is as it should be stays untouched.
    assert_eq!(renewed("unpublishPhotos").await, draft);
    assert_eq!(renewed("publishPhotos").await, draft);
    assert_absent(&test, &photo.original, "it does not come back").await;
    assert_eq!(status(&draft).await, 200);

    let delete =
        format!(r#"mutation {{ deletePhotos(input: {{ photoIds: ["{}"] }}) {{ deletedPhotoIds }} }}"#, photo.id);
    assert_eq!(user.run(&delete).await.data()["deletePhotos"]["deletedPhotoIds"][0], photo.id);
    assert_absent(&test, &draft, "it is deleted").await;
}

#[tokio::test]
async fn links_outlast_a_restart_and_a_rotation_of_the_signing_keys() {
    let (mut test, user) = TestApp::with_user().await;
    let photo = upload(&user, true).await;
    let keys = cloakroom::accounts::signing_keys::SigningKeys::open(&test.data_dir().join("keys")).expect("the keys");
    keys.add().expect("another key");
    keys.remove_replaced_before("2100-01-01T00:00:00Z".parse().expect("a moment")).expect("the first goes");
    test.restart().await;
    assert_eq!(get(&test, &photo.original, &[]).await.1, photo.content);
}

#[tokio::test]
async fn a_content_that_was_lost_is_a_fault_and_named_to_nobody() {
    let (test, user) = TestApp::with_user().await;
    let photo = upload(&user, true).await;
    for object in test.objects().await {
        test.contents().await.delete(&object.key).await.expect("it is lost");
    }
    for path in [&photo.original, &photo.thumbnail] {
        let (response, body) = get(&test, path, &[]).await;
        assert_eq!(response.status().as_u16(), 500);
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(body.contains("Internal error.") && !body.contains("photos"), "{body}");
    }
}

#[tokio::test]
async fn images_are_served_over_a_connection_that_goes_on() {
    let (test, user) = TestApp::with_user().await;
    let photo = upload(&user, true).await;
    let listening = Listening::start(&test).await;
    let mut stream = TcpStream::connect(listening.address).await.expect("a connection");
    let (path, length) = (&photo.original, photo.content.len());
    for (method, more) in [("HEAD", ""), ("GET", ""), ("GET", "range: bytes=1-3\r\nconnection: close\r\n")] {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).await.expect("it is heard");
    }
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.expect("three answers");
    let text = String::from_utf8_lossy(&heard);
    assert_eq!(text.matches(&format!("content-length: {length}\r\n")).count(), 2);
    assert_eq!(text.matches("content-length: 3\r\n").count(), 1);
    assert!(heard.ends_with(b"\r\n\r\nPNG"));
    assert!((length..length + 3 * 1000).contains(&heard.len()), "{} bytes: one body, three heads", heard.len());
}
