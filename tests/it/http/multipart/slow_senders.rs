//! Uploads of senders that send little or nothing: they end, and until then they delay nobody.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::{HELLO, file_place, one_file};
use crate::support::{BOUNDARY, Caller, Form, Listening, PATIENCE, TestApp, Wire};

/// Beginnings of a form: before its first part, in `operations`, in `map`, and in a file.
fn beginnings() -> [Vec<u8>; 4] {
    let part = |name: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    let operations = json!({ "query": HELLO, "variables": file_place() }).to_string();
    let second = Form::default().part("operations", operations).bytes(part("map")).bytes("{").cut();
    let third = Form::with_map(HELLO, &file_place(), &json!({ "0": ["variables.file"] }));
    let third = third.bytes(part("0")).bytes(vec![b'x'; 100_000]).cut();
    [Vec::new(), part("operations").into_bytes(), second, third]
}

async fn begin(server: &Listening, caller: &Caller, beginning: &[u8]) -> Wire {
    let token = caller.token.as_deref().expect("a token");
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: 1000000\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    );
    let mut wire = server.connect().await;
    assert!(wire.send(head).await && wire.send(beginning).await);
    wire
}

#[tokio::test]
async fn a_form_that_stops_or_trickles_ends_in_408() {
    let test = TestApp::with_config(|config| config.http.grace_seconds = 1).await;
    let user = test.sign_up("anna").await;
    let server = Listening::start(&test).await;
    for trickle in ["", "x"] {
        for beginning in beginnings() {
            let mut wire = begin(&server, &user, &beginning).await;
            let heard = async {
                loop {
                    match timeout(Duration::from_millis(100), wire.hear()).await {
                        Ok(heard) => break heard.expect("an answer"),
                        Err(_) => drop(wire.send(trickle).await),
                    }
                }
            };
            let heard = timeout(PATIENCE, heard).await.expect("the server loses patience");
            assert_eq!(heard.status, 408, "{heard:?}");
            assert!(heard.body.contains("the minimum is 1024 bytes per second"), "{heard:?}");
        }
    }
    test.uploads_are(0).await;
}

#[tokio::test]
async fn uploads_that_wait_for_their_senders_delay_nobody() {
    let test = TestApp::with_config(|config| {
        config.http.grace_seconds = 300;
        config.photos.max_uploads = 2;
    })
    .await;
    let server = Listening::start(&test).await;
    let (mut waiting, mut files) = (Vec::new(), 0);
    for name in ["anna", "bert", "carl", "dora"] {
        let user = test.sign_up(name).await;
        for beginning in beginnings().iter().cycle().take(8) {
            files += usize::from(beginning.len() > 100_000);
            waiting.push(begin(&server, &user, beginning).await);
        }
    }
    // What has arrived of a file is on the disk, and not in memory.
    test.uploads_are(files).await;
    let victim = test.sign_up("emil").await;
    for _ in 0..10 {
        let reply = victim.upload(one_file(&[b'x'; 200_000])).await;
        assert!(reply.data()["hello"].is_string(), "{}", reply.body);
        for wire in &mut waiting {
            assert!(wire.send("x").await, "they are not cut off");
        }
    }
    drop(waiting);
    test.uploads_are(0).await;
}

#[tokio::test]
async fn uploads_at_the_same_time_wait_for_their_turn() {
    let test = TestApp::with_config(|config| config.photos.max_uploads = 1).await;
    let mut uploads = Vec::new();
    for number in 0..10 {
        let user = test.sign_up(&format!("user{number}")).await;
        uploads.push(tokio::spawn(async move { user.upload(one_file(&[b'x'; 500_000])).await }));
    }
    for upload in uploads {
        let reply = upload.await.expect("an answer");
        assert!(reply.data()["hello"].is_string(), "{}", reply.body);
    }
    assert_eq!(test.uploads(), 0);
}
