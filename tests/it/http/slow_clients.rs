//! Clients that are slow, idle or many wait at their own cost: the others are served all along.
//!
//! The one place of the suite where time has to pass: the limits are those of sockets, set to a second here.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::support::{Listening, PATIENCE, Promptness, TestApp, Wire, post};

const SLOW_HEAD: &str = "POST /graphql HTTP/1.1\r\nhost: localhost\r\n";
const SLOW_BODY: &str = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                         content-length: 100\r\n\r\n{\"query\":";

async fn impatient() -> (TestApp, Listening) {
    let test = TestApp::with_config(|config| {
        config.http.header_seconds = 1;
        config.http.body_seconds = 1;
    })
    .await;
    let server = Listening::start(&test).await;
    (test, server)
}

/// Feeds the server a byte at a time until it hangs up or answers.
async fn drip(mut wire: Wire, beginning: &str) -> Option<u16> {
    wire.send(beginning).await;
    let heard = async {
        loop {
            match timeout(Duration::from_millis(100), wire.hear()).await {
                Ok(heard) => break heard.map(|heard| heard.status),
                Err(_) => drop(wire.send("x").await),
            }
        }
    };
    timeout(PATIENCE, heard).await.expect("the server loses patience")
}

#[tokio::test]
async fn slow_clients_are_cut_off_while_another_is_served() {
    let (_test, server) = impatient().await;
    let started = Instant::now();
    let head = tokio::spawn(drip(server.connect().await, SLOW_HEAD));
    let body = tokio::spawn(drip(server.connect().await, SLOW_BODY));
    let silent = tokio::spawn({
        let mut wire = server.connect().await;
        async move { wire.is_hung_up().await }
    });
    let mut idle = server.connect().await;
    assert_eq!(idle.get("/healthz").await.map(|heard| heard.status), Some(200));
    let idle = tokio::spawn(async move { idle.is_hung_up().await });

    let mut busy = server.connect().await;
    let mut prompt = Promptness::within(Duration::from_millis(500));
    while !(head.is_finished() && body.is_finished() && silent.is_finished() && idle.is_finished()) {
        let asked = Instant::now();
        busy.send(post(r#"{"query": "{ hello }"}"#)).await;
        assert_eq!(busy.hear().await.map(|heard| heard.status), Some(200), "served all along, on one connection");
        prompt.came(asked);
        assert!(started.elapsed() < PATIENCE, "they are cut off");
        tokio::task::yield_now().await;
    }
    prompt.assert();
    assert!(matches!(head.await, Ok(None | Some(400 | 408))), "a slow head is cut off");
    assert!(matches!(body.await, Ok(Some(408))), "a slow body is told so");
    assert!(silent.await.expect("it ends"), "a connection that never says anything is closed");
    assert!(idle.await.expect("it ends"), "an idle connection is closed");
}

#[tokio::test]
async fn two_hundred_slow_connections_do_not_stop_others() {
    let (_test, server) = impatient().await;
    let mut slow = Vec::new();
    for beginning in [SLOW_HEAD, SLOW_BODY, ""].iter().cycle().take(200) {
        let mut wire = server.connect().await;
        wire.send(beginning).await;
        slow.push(wire);
    }
    let mut prompt = Promptness::within(Duration::from_millis(500));
    for _ in 0..5 {
        let asked = Instant::now();
        let mut other = server.connect().await;
        other.send(post(r#"{"query": "{ hello }"}"#)).await;
        assert_eq!(other.hear().await.map(|heard| heard.status), Some(200));
        prompt.came(asked);
    }
    prompt.assert();
    for mut wire in slow {
        // Those in the middle of a body hear 408 first.
        assert!(wire.is_hung_up().await || wire.is_hung_up().await || wire.is_hung_up().await, "all are let go");
    }
}

#[tokio::test]
async fn clients_that_do_not_read_do_not_stop_others() {
    let (_test, server) = impatient().await;
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let mut wire = server.connect().await;
        wire.send("GET /playground/monaco.js HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20)).await;
        deaf.push(wire);
    }
    let mut other = server.connect().await;
    assert_eq!(other.get("/healthz").await.map(|heard| heard.status), Some(200));
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_cut_off() {
    let test = TestApp::with_config(|config| config.http.answer_seconds = 1).await;
    let server = Listening::start(&test).await;
    let mut deaf = tokio::net::TcpStream::connect(server.address).await.expect("it connects");
    let requests = "GET /playground/monaco.js HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20);
    deaf.write_all(requests.as_bytes()).await.expect("the requests are small");
    tokio::time::sleep(Duration::from_secs(3)).await;
    // What the buffers on the way hold still comes; the rest of seventy megabytes does not.
    let mut rest = Vec::new();
    let end = timeout(PATIENCE, deaf.read_to_end(&mut rest)).await.expect("the connection has ended");
    assert!(end.is_err() || rest.len() < 20 << 20, "{} bytes, and a clean end", rest.len());
}
