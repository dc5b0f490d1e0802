//! Bodies and answers have a minimum rate: a byte now and then keeps nothing open.

use std::time::{Duration, Instant};

use cloakroom::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::support::{Heard, Listening, PATIENCE, TestApp, Wire, post, slow_connection};

const BODY: &str = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                    content-length: 100000\r\n\r\n{\"query\":";
/// Larger than what the kernel takes.
const LARGE_FILE: &str = "GET /playground/monaco.js HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// A server on which nothing but the rate ends a transfer.
async fn serve(adapt: impl FnOnce(&mut Config)) -> (TestApp, Listening) {
    let test = TestApp::with_config(|config| {
        let http = &mut config.http;
        (http.body_seconds, http.request_seconds, http.answer_seconds) = (3600, 3600, 3600);
        http.grace_seconds = 1;
        adapt(config);
    })
    .await;
    let server = Listening::start(&test).await;
    (test, server)
}

/// Sends this many bytes every 100 ms until the server answers.
async fn drip(wire: &mut Wire, bytes: usize) -> Heard {
    let heard = async {
        loop {
            match timeout(Duration::from_millis(100), wire.hear()).await {
                Ok(heard) => break heard,
                Err(_) => drop(wire.send(" ".repeat(bytes)).await),
            }
        }
    };
    timeout(PATIENCE, heard).await.expect("the server loses patience").expect("an answer")
}

fn assert_too_slow(heard: &Heard) {
    assert_eq!(heard.status, 408, "{heard:?}");
    assert!(heard.has("connection: close"), "{heard:?}");
    assert!(heard.body.contains("the minimum is 1024 bytes per second"), "{heard:?}");
}

#[tokio::test]
async fn a_body_that_stops_or_trickles_is_refused() {
    let (_test, server) = serve(|_| ()).await;
    let mut silent = server.connect().await;
    silent.send(BODY).await;
    assert_too_slow(&silent.hear().await.expect("an answer"));
    let mut trickling = server.connect().await;
    trickling.send(BODY).await;
    assert_too_slow(&drip(&mut trickling, 10).await);
}

#[tokio::test]
async fn what_was_sent_in_time_does_not_pay_for_a_long_pause() {
    let (_test, server) = serve(|_| ()).await;
    let mut wire = server.connect().await;
    wire.send(BODY).await;
    wire.send(" ".repeat(90_000)).await;
    assert_too_slow(&drip(&mut wire, 1).await);
}

#[tokio::test]
async fn a_slow_body_that_keeps_the_rate_is_served() {
    let (_test, server) = serve(|config| {
        // A machine that is busy may pause the test itself.
        (config.http.grace_seconds, config.http.min_bytes_per_second) = (300, 1);
    })
    .await;
    let mut wire = server.connect().await;
    for part in post(r#"{"query": "{ hello }"}"#).as_bytes().chunks(40) {
        wire.send(part).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(200));
}

/// Reads a little every 20 ms; the number of bytes before the end.
async fn read_slowly(server: &Listening, bytes: usize) -> usize {
    let mut stream = slow_connection(server.address).await;
    stream.write_all(LARGE_FILE.as_bytes()).await.expect("it is sent");
    let (mut buffer, mut read, began) = (vec![0; bytes], 0, Instant::now());
    loop {
        match timeout(PATIENCE, stream.read(&mut buffer)).await.expect("bytes or the end") {
            Ok(0) | Err(_) => return read,
            Ok(count) => read += count,
        }
        assert!(began.elapsed() < PATIENCE, "the server loses patience");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_reader_that_takes_a_little_now_and_then_is_cut_off() {
    let (_test, server) = serve(|config| {
        (config.http.answer_seconds, config.http.min_bytes_per_second) = (1, 1 << 20);
    })
    .await;
    let read = read_slowly(&server, 1000).await;
    assert!(read < 1 << 20, "{read} bytes of 3 MB");
}

#[tokio::test]
async fn a_slow_reader_that_keeps_the_rate_gets_all() {
    let (_test, server) = serve(|config| config.http.min_bytes_per_second = 1).await;
    let read = read_slowly(&server, 1 << 20).await;
    assert!(read > 2 << 20, "{read} bytes");
}
