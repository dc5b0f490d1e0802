//! Nothing that a client sends is read without a limit.

use serde_json::json;

use super::post_json;
use crate::support::{Listening, TestApp};

const MAX_BODY: usize = 10_000;

async fn small() -> TestApp {
    TestApp::with_config(|config| config.http.max_body_bytes = MAX_BODY).await
}

#[tokio::test]
async fn a_body_has_a_limit_which_the_refusal_names() {
    let test = small().await;
    let user = test.sign_up("anna").await;
    let body_of = |length: usize| {
        let body = json!({ "query": "mutation { next { value } }", "padding": "" }).to_string();
        let padding = "x".repeat(length - body.len());
        body.replace("\"padding\":\"\"", &format!("\"padding\":\"{padding}\""))
    };
    let last = user.send(post_json(body_of(MAX_BODY))).await;
    assert_eq!(last.data()["next"]["value"], 1, "the limit itself is allowed");
    let over = user.send(post_json(body_of(MAX_BODY + 1))).await;
    assert_eq!((over.status.as_u16(), over.code()), (413, "PAYLOAD_TOO_LARGE"));
    assert!(over.at("/errors/0/message").to_string().contains("10000"), "{}", over.body);
    let limits = user.run("{ server { limits { requestBytes } } }").await;
    assert_eq!(limits.data()["server"]["limits"]["requestBytes"], MAX_BODY);
    assert_eq!(user.next().await, 2, "nothing was executed");
}

#[tokio::test]
async fn a_body_without_a_length_is_cut_off_at_the_limit() {
    let test = small().await;
    let server = Listening::start(&test).await;
    let mut wire = server.connect().await;
    let head = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    wire.send(format!("{head}transfer-encoding: chunked\r\n\r\n")).await;
    let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
    let mut sent = 0;
    while sent < 100_000_000 && wire.send(&chunk).await {
        sent += 1000;
    }
    assert!(sent < 100_000_000, "the server hangs up on a stream without an end");
    let heard = wire.hear().await.expect("the refusal arrives");
    assert_eq!(heard.status, 413, "{heard:?}");
    assert!(heard.body.contains("10000"), "{heard:?}");
    assert!(wire.is_hung_up().await);
}

#[tokio::test]
async fn a_length_beyond_the_limit_is_refused_before_the_body_is_sent() {
    let test = small().await;
    let server = Listening::start(&test).await;
    let head = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    for length in ["10001", "10000000000", "9223372036854775807"] {
        let mut wire = server.connect().await;
        wire.send(format!("{head}content-length: {length}\r\nexpect: 100-continue\r\n\r\n")).await;
        let heard = wire.hear().await.expect("an answer");
        assert_eq!(heard.status, 413, "without being asked to go on: {heard:?}");
        assert!(wire.is_hung_up().await);
    }
    let body = r#"{"query": "{ hello }"}"#;
    let mut wire = server.connect().await;
    wire.send(format!("{head}content-length: {}\r\nexpect: 100-continue\r\n\r\n", body.len())).await;
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(100));
    wire.send(body).await;
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(200));
}

#[tokio::test]
async fn a_head_has_a_limit() {
    let test = TestApp::start().await;
    let limit = test.config.http.max_header_bytes;
    let server = Listening::start(&test).await;
    let many = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let long = |length: usize| format!("x-long: {}\r\n", "y".repeat(length));
    for (path, fields, statuses) in [
        ("/healthz".to_owned(), long(limit / 2), &[200_u16][..]),
        ("/healthz".to_owned(), long(limit + 1), &[431]),
        ("/healthz".to_owned(), long(10 * limit), &[431]),
        ("/healthz".to_owned(), many(80), &[200]),
        ("/healthz".to_owned(), many(200), &[431]),
        ("/healthz".to_owned(), many(20_000), &[431]),
        (format!("/healthz?{}", "x".repeat(limit / 2)), String::new(), &[200]),
        (format!("/healthz?{}", "x".repeat(limit + 1)), String::new(), &[414, 431]),
        (format!("/healthz?{}", "x".repeat(100_000)), String::new(), &[414, 431]),
    ] {
        let mut wire = server.connect().await;
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n")).await;
        let heard = wire.hear().await.expect("an answer");
        assert!(statuses.contains(&heard.status), "{statuses:?}, not {heard:?}");
    }
}

#[tokio::test]
async fn a_head_without_an_end_is_cut_off() {
    let test = TestApp::start().await;
    let server = Listening::start(&test).await;
    let mut wire = server.connect().await;
    wire.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n").await;
    let mut sent = 0;
    while sent < 100_000_000 && wire.send(format!("x-{sent}: {}\r\n", "y".repeat(1000))).await {
        sent += 1000;
    }
    assert!(sent < 100_000_000, "the server hangs up");
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(431));
}
