//! Files over a real connection: waiting for leave, given up half-way, slow, and refused in the middle.

use std::time::{Duration, Instant};

use axum::body::Body;

use super::{HELLO, file_place, one_file};
use crate::support::{BOUNDARY, Caller, Form, Listening, TestApp};

/// The head of a form of this length, or in chunks.
fn head(caller: &Caller, length: Option<usize>, more: &str) -> String {
    let token = caller.token.as_deref().unwrap_or_default();
    let length = length.map_or("transfer-encoding: chunked".to_owned(), |length| format!("content-length: {length}"));
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{length}\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\n{more}\r\n"
    )
}

#[tokio::test]
async fn who_waits_for_leave_is_spared_sending_what_is_refused() {
    let (test, user) = TestApp::with_user().await;
    let server = Listening::start(&test).await;
    let reader = test.key_of(&user, r#"name: "reader", scopes: [PHOTOS_READ]"#).await;
    let expect = "expect: 100-continue\r\n";
    for (caller, length, status) in [
        (&reader, Some(1000), 403),
        (&reader, None, 403),
        (&user, Some(10_000_000_000), 413),
        (&user, Some(usize::MAX >> 1), 413),
    ] {
        let mut wire = server.connect().await;
        wire.send(head(caller, length, expect)).await;
        assert_eq!(wire.hear().await.map(|heard| heard.status), Some(status), "at once");
        assert!(wire.is_hung_up().await);
    }
    let form = one_file(b"x").end();
    let mut wire = server.connect().await;
    wire.send(head(&user, Some(form.len()), expect)).await;
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(100));
    wire.send(&form).await;
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(200));
    assert_eq!(wire.get("/healthz").await.map(|heard| heard.status), Some(200), "the connection lives on");
}

#[tokio::test]
async fn of_what_is_given_up_nothing_is_left() {
    let (test, user) = TestApp::with_user().await;
    let server = Listening::start(&test).await;
    let beginning = Form::with_map(HELLO, &file_place(), &serde_json::json!({ "0": ["variables.file"] })).cut();
    let start = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"0\"\r\n\r\n");
    let sent = [beginning, start.into_bytes(), vec![b'x'; 1_000_000]].concat();
    let mut wires = Vec::new();
    for _ in 0..5 {
        let mut wire = server.connect().await;
        wire.send(head(&user, Some(2_000_000), "")).await;
        assert!(wire.send(&sent).await);
        wires.push(wire);
    }
    test.uploads_are(5).await;
    drop(wires);
    test.uploads_are(0).await;
    assert!(user.upload(one_file(b"x")).await.data()["hello"].is_string());
}

#[tokio::test]
async fn the_answer_to_a_refused_file_arrives_while_the_client_is_still_sending() {
    let test = TestApp::with_config(|config| {
        config.photos.max_bytes = 1 << 20;
        config.photos.max_per_upload = 20;
    })
    .await;
    let user = test.sign_up("anna").await;
    let server = Listening::start(&test).await;
    // More than the buffers on the way hold, but not more than all files may have together.
    let form = one_file(&vec![b'x'; 16 << 20]).end();
    let forged = test.bearer(Some("nonsense"));
    for (caller, status) in [(&user, 413), (&forged, 401)] {
        for length in [Some(form.len()), None] {
            let mut wire = server.connect().await;
            wire.send(head(caller, length, "")).await;
            // As browsers do: all is sent before the answer is read.
            match length {
                Some(_) => assert!(wire.send(&form).await),
                None => {
                    for chunk in form.chunks(50_000) {
                        assert!(wire.send(format!("{:x}\r\n", chunk.len())).await && wire.send(chunk).await);
                        assert!(wire.send("\r\n").await);
                    }
                    assert!(wire.send("0\r\n\r\n").await);
                }
            }
            let heard = wire.hear().await.expect("the refusal arrives");
            assert_eq!(heard.status, status, "{heard:?}");
        }
    }
    test.uploads_are(0).await;
}

#[tokio::test]
async fn a_client_that_never_stops_sending_is_hung_up_on() {
    let test = TestApp::with_config(|config| config.photos.max_bytes = 100_000).await;
    let user = test.sign_up("anna").await;
    let server = Listening::start(&test).await;
    let mut wire = server.connect().await;
    wire.send(head(&user, None, "")).await;
    let form = one_file(b"x").end();
    let form = &form[..form.len() - BOUNDARY.len() - 10];
    wire.send(format!("{:x}\r\n", form.len())).await;
    wire.send(form).await;
    wire.send("\r\n").await;
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, "x".repeat(100_000));
    let mut sent = 0;
    while sent < 200_000_000 && wire.send(&chunk).await {
        sent += 100_000;
    }
    assert!(sent < 200_000_000, "the server hangs up");
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(413));
    test.uploads_are(0).await;
}

#[tokio::test]
async fn a_file_may_come_slowly_but_not_for_ever() {
    let test = TestApp::with_config(|config| {
        config.http.request_seconds = 1;
        config.http.body_seconds = 1;
        config.photos.upload_seconds = 5;
    })
    .await;
    let user = test.sign_up("anna").await;
    let server = Listening::start(&test).await;
    let form = one_file(&[b'x'; 1000]).end();
    let started = Instant::now();
    let mut slow = server.connect().await;
    slow.send(head(&user, Some(form.len()), "")).await;
    let (most, last) = form.split_at(form.len() - 100);
    slow.send(most).await;
    let mut endless = server.connect().await;
    endless.send(head(&user, Some(form.len() + 1), "")).await;
    endless.send(most).await;
    tokio::time::sleep(Duration::from_millis(1800)).await;
    slow.send(last).await;
    assert_eq!(slow.hear().await.map(|heard| heard.status), Some(200), "longer than any other request may take");
    let heard = endless.hear().await.expect("the refusal arrives");
    assert_eq!((heard.status, heard.has("connection: close")), (408, true), "{heard:?}");
    assert!(started.elapsed() >= Duration::from_secs(4), "{:?}", started.elapsed());
    test.uploads_are(0).await;
}

#[tokio::test]
async fn nothing_of_a_large_file_stays_in_memory() {
    let (test, user) = TestApp::with_user().await;
    let content = vec![b'x'; 20 << 20];
    let form = Form::of(HELLO, &file_place(), &[("variables.file", &content)]).end();
    let request = crate::support::form_request(Body::from(form));
    assert!(user.send(request).await.data()["hello"].is_string());
    assert_eq!(test.uploads(), 0);
}
