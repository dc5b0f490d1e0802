//! What a form may have, and that it is cut off where it has more.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};

use super::{HELLO, assert_refused, file_place, one_file};
use crate::support::{BOUNDARY, Form, TestApp, form_request};

const MAX_FILE: usize = 10_000;
const MAX_BODY: usize = 20_000;

async fn small() -> TestApp {
    TestApp::with_config(|config| {
        config.http.max_body_bytes = MAX_BODY;
        config.photos.max_bytes = MAX_FILE as u64;
        config.photos.max_per_upload = 3;
        config.photos.max_uploads = 2;
    })
    .await
}

/// A form with so many files of this length.
fn files(count: usize, length: usize) -> Form {
    let variables: Map<String, Value> = (0..count).map(|n| (format!("f{n}"), Value::Null)).collect();
    let places: Vec<String> = (0..count).map(|n| format!("variables.f{n}")).collect();
    let content = vec![b'x'; length];
    let files: Vec<(&str, &[u8])> = places.iter().map(|place| (place.as_str(), content.as_slice())).collect();
    Form::of(HELLO, &Value::Object(variables), &files)
}

/// A body that goes on for ever after `beginning`, and how much of it was taken.
fn endless(beginning: Vec<u8>) -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let rest = stream::repeat_with(move || {
        counted.fetch_add(1000, Ordering::SeqCst);
        Bytes::from(vec![b'x'; 1000])
    });
    let body = stream::iter([Bytes::from(beginning)]).chain(rest).map(Ok::<_, Infallible>);
    (Body::from_stream(body), taken)
}

#[tokio::test]
async fn files_have_a_size_and_a_number_which_the_refusals_name() {
    let test = small().await;
    let user = test.sign_up("anna").await;
    let message = |reply: &crate::support::Reply| reply.at("/errors/0/message").as_str().unwrap_or_default().to_owned();
    assert!(user.upload(files(3, MAX_FILE)).await.data()["hello"].is_string(), "the limits themselves are allowed");
    assert_eq!(test.uploads(), 0);

    let reply = user.upload(files(4, 1)).await;
    assert_refused(&test, &reply, 413, "PAYLOAD_TOO_LARGE", "one more");
    assert!(message(&reply).contains("at most 3 files"), "{}", reply.body);

    let big = vec![b'x'; MAX_FILE + 1];
    let form = Form::of(HELLO, &json!({ "a": null, "b": null }), &[("variables.a", b"x"), ("variables.b", &big)]);
    for reply in [user.upload(form.clone()).await, user.upload_in_chunks(form.end(), 100).await] {
        assert_refused(&test, &reply, 413, "PAYLOAD_TOO_LARGE", "one byte more");
        assert!(message(&reply).contains("`variables.b`") && message(&reply).contains("10000"), "{}", reply.body);
    }
}

/// Names are compared with each other, which takes its time.
#[tokio::test]
async fn files_are_counted_before_they_are_looked_at() {
    let test = small().await;
    let user = test.sign_up("anna").await;
    let entries = ["\"same\":[]"; 4].join(",");
    let operations = json!({ "query": HELLO, "variables": file_place() }).to_string();
    let reply = user.upload(Form::default().part("operations", operations).part("map", format!("{{{entries}}}"))).await;
    assert_refused(&test, &reply, 413, "PAYLOAD_TOO_LARGE", "four files in a map");
}

#[tokio::test]
async fn what_is_no_file_has_limits_too() {
    let test = small().await;
    let user = test.sign_up("anna").await;
    let long = "x".repeat(MAX_BODY);
    let name = "x".repeat(30_000);
    let lines: String = (0..50).map(|n| format!("X-{n}: y\r\n")).collect();
    let disposition = "Content-Disposition: form-data; name=\"operations\"\r\n";
    for (what, form, status) in [
        ("operations", Form::with_map(HELLO, &json!({ "x": long }), &json!({})), 413),
        ("map", Form::with_map(HELLO, &json!({}), &json!({ "0": [long, long, long, long] })), 413),
        ("a preamble", Form::default().bytes(&long).bytes("\r\n").bytes(one_file(b"x").cut()), 413),
        ("a part's name", one_file(b"x").file(&name, b"x"), 413),
        ("a head's line", Form::default().headed(&format!("X-Y: {name}\r\n{disposition}"), "{}"), 413),
        ("a head's lines", Form::default().headed(&format!("{lines}{disposition}"), "{}"), 400),
        ("a head that is none", Form::default().headed(&format!("X Y Z\r\n{disposition}"), "{}"), 400),
    ] {
        let reply = user.upload_in_chunks(form.end(), 1000).await;
        let code = if status == 413 { "PAYLOAD_TOO_LARGE" } else { "BAD_USER_INPUT" };
        assert_refused(&test, &reply, status, code, what);
    }
}

#[tokio::test]
async fn a_form_without_an_end_is_cut_off() {
    let test = small().await;
    let user = test.sign_up("anna").await;
    let start = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=");
    let operations = json!({ "query": HELLO, "variables": file_place() }).to_string();
    let second = Form::default().part("operations", operations).cut();
    let third = Form::with_map(HELLO, &file_place(), &json!({ "0": ["variables.file"] })).cut();
    for (what, beginning, most) in [
        ("nothing", Vec::new(), 20_000),
        ("operations", format!("{start}\"operations\"\r\n\r\n").into_bytes(), MAX_BODY),
        ("map", [second, format!("{start}\"map\"\r\n\r\n").into_bytes()].concat(), 70_000),
        ("a head", [third.clone(), start.clone().into_bytes()].concat(), 20_000),
        ("a file", [third, format!("{start}\"0\"\r\n\r\n").into_bytes()].concat(), MAX_FILE),
    ] {
        let (body, taken) = endless(beginning);
        let reply = user.send(form_request(body)).await;
        let taken = taken.load(Ordering::SeqCst);
        assert_refused(&test, &reply, 413, "PAYLOAD_TOO_LARGE", what);
        assert!(taken <= most + 3000, "{what}: {taken} bytes were taken");
    }
}

#[tokio::test]
async fn what_follows_the_end_is_not_waited_for() {
    let test = small().await;
    let user = test.sign_up("anna").await;
    let (body, _) = endless(one_file(b"x").end());
    assert!(user.send(form_request(body)).await.data()["hello"].is_string());
    assert_eq!(test.uploads(), 0);
}

#[tokio::test]
async fn only_so_many_of_one_user_are_received_at_once() {
    let test = TestApp::with_config(|config| config.photos.max_uploads_per_user = 2).await;
    let somebody_else = test.sign_up("berta").await;
    let test = only_so_many(test).await;
    assert!(somebody_else.upload(one_file(b"x")).await.data()["hello"].is_string());
    test.uploads_are(0).await;
}

/// Two of a user's are, and a third one is refused.
async fn only_so_many(test: TestApp) -> TestApp {
    let user = test.sign_up("anna").await;
    let received = Arc::new(AtomicUsize::new(0));
    let waiting = || {
        let received = Arc::clone(&received);
        let beginning = stream::once(async move {
            received.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Bytes::from(one_file(b"x").cut()))
        });
        let (user, request) = (user.clone(), form_request(Body::from_stream(beginning.chain(stream::pending()))));
        tokio::spawn(async move { user.send(request).await })
    };
    let (first, second) = (waiting(), waiting());
    while received.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let reply = user.upload(one_file(b"x")).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (429, "RATE_LIMITED"));
    assert!(reply.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    assert!(user.run(HELLO).await.data()["hello"].is_string(), "what has no files is served");
    first.abort();
    assert!(first.await.expect_err("it was given up").is_cancelled());
    assert!(user.upload(one_file(b"x")).await.data()["hello"].is_string(), "there is a place again");
    second.abort();
    assert!(second.await.expect_err("it was given up").is_cancelled());
    test.uploads_are(0).await;
    test
}
