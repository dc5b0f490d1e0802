//! Where a message begins and ends is never a matter of opinion: requests cannot be smuggled (RFC 9112).

use crate::support::{Listening, TestApp, post};

const QUERY: &str = r#"{"query": "{ hello }"}"#;
const JSON: &str = "host: localhost\r\ncontent-type: application/json\r\n";

async fn statuses(server: &Listening, bytes: &str) -> Vec<u16> {
    let mut wire = server.connect().await;
    wire.send(bytes).await;
    let mut statuses = Vec::new();
    while let Some(heard) = wire.hear().await {
        statuses.push(heard.status);
    }
    statuses
}

#[tokio::test]
async fn ambiguous_heads_are_refused_and_end_the_connection() {
    let test = TestApp::start().await;
    let server = Listening::start(&test).await;
    let length = QUERY.len();
    for fields in [
        // Two lengths.
        format!("content-length: {length}\r\ncontent-length: {}\r\n", length - 1),
        format!("content-length: {length}, {}\r\n", length + 1),
        // Lengths that readers take differently.
        format!("content-length: +{length}\r\n"),
        format!("content-length: -{length}\r\n"),
        format!("content-length: 0x{length:x}\r\n"),
        format!("content-length: {length}.0\r\n"),
        "content-length: 99999999999999999999\r\n".to_owned(),
        "content-length: \r\n".to_owned(),
        format!("content-length : {length}\r\n"),
        format!("content\u{b}-length: {length}\r\n"),
        // Continuation lines (obs-fold), and what else is no header field.
        format!("x-folded: a\r\n b\r\ncontent-length: {length}\r\n"),
        format!(" content-length: {length}\r\n"),
        format!("x-nul: a\u{0}b\r\ncontent-length: {length}\r\n"),
        format!("x-return: a\rb\r\ncontent-length: {length}\r\n"),
        format!("no field\r\ncontent-length: {length}\r\n"),
        // Codings that are not chunked at last.
        "transfer-encoding: identity\r\n".to_owned(),
        "transfer-encoding: gzip\r\n".to_owned(),
        "transfer-encoding: chunked, gzip\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n".to_owned(),
        "transfer-encoding: \"chunked\"\r\n".to_owned(),
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n".to_owned(),
    ] {
        let smuggled = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let request = format!("POST /graphql HTTP/1.1\r\n{JSON}{fields}\r\n{QUERY}{smuggled}");
        assert_eq!(statuses(&server, &request).await, [400], "{fields:?}");
    }
}

#[tokio::test]
async fn with_a_length_and_chunks_the_connection_ends_after_one_answer() {
    let test = TestApp::start().await;
    let server = Listening::start(&test).await;
    let smuggled = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let chunked = format!("{:x}\r\n{QUERY}\r\n0\r\n\r\n{smuggled}", QUERY.len());
    for fields in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "content-length: 400\r\nTransfer-Encoding: Chunked\r\n",
    ] {
        let request = format!("POST /graphql HTTP/1.1\r\n{JSON}{fields}\r\n{chunked}");
        let heard = statuses(&server, &request).await;
        assert!(heard == [200] || heard == [400], "one answer, and what follows is never read: {heard:?}");
    }
}

#[tokio::test]
async fn broken_chunks_are_refused_and_end_the_connection() {
    let test = TestApp::start().await;
    let server = Listening::start(&test).await;
    let head = format!("POST /graphql HTTP/1.1\r\n{JSON}transfer-encoding: chunked\r\n\r\n");
    let size = QUERY.len();
    for chunks in [
        "zz\r\n".to_owned(),
        "-1\r\n".to_owned(),
        "ffffffffffffffffff\r\n".to_owned(),
        format!("{size:x}\r\n{QUERY}x\r\n0\r\n\r\n"),
        format!("{:x}\r\n{QUERY}\r\n0\r\n\r\n", size - 1),
        format!("{size:x}\n{QUERY}\n0\n\n"),
    ] {
        let request = format!("{head}{chunks}GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert_eq!(statuses(&server, &request).await, [400], "{chunks:?}");
    }
    let mut wire = server.connect().await;
    let two = QUERY.split_at(7);
    let whole = format!("{head}7;extension=1\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", two.0, two.1.len(), two.1);
    wire.send(whole).await;
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(200), "what is well-formed is read");
    assert_eq!(wire.get("/healthz").await.map(|heard| heard.status), Some(200), "and the connection goes on");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (test, user) = TestApp::with_user().await;
    let server = Listening::start(&test).await;
    let token = user.token.expect("a token");
    let next = post(r#"{"query": "mutation { next { value } }"}"#)
        .replace("host:", &format!("authorization: Bearer {token}\r\nhost:"));
    let mut wire = server.connect().await;
    wire.send(format!("{}GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n{next}", next.repeat(3))).await;
    for value in 1..=3 {
        let heard = wire.hear().await.expect("an answer");
        assert_eq!(heard.json()["data"]["next"]["value"], value);
    }
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(404));
    assert_eq!(wire.hear().await.expect("an answer").json()["data"]["next"]["value"], 4);
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let test = TestApp::start().await;
    let server = Listening::start(&test).await;
    assert_eq!(statuses(&server, "GET /healthz HTTP/1.1\r\n\r\n").await, [400]);
    assert_eq!(statuses(&server, "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await, [400]);
    assert_eq!(statuses(&server, "GET /healthz HTTP/1.0\r\n\r\n").await, [200], "HTTP/1.0 has no Host");
    let absolute = "GET http://elsewhere.example/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    assert_eq!(statuses(&server, absolute).await, [200], "the form that proxies send");
}

/// Values of `Host` that are none (RFC 9112, section 3.2; RFC 9110, section 7.2).
const INVALID_HOSTS: &str = "|a b|a\tb|user@evil|user:password@evil|http://x/|x/|x/../y|x?y|x#y|[::1|[]|[::1]x|\
    [fe80::1%25lo]|::1|x, y|x:y|x:-1|x:65536|x:99999999|x:80:80|x\\y|\"x\"|<x>|x%zz|caf\u{e9}";
const VALID_HOSTS: &str = "localhost|localhost:|LOCALHOST:8000|example.org.|a_b-c.example|127.0.0.1:8000|[::1]|\
    [::1]:8000|xn--mnchen-3ya.example|caf%C3%A9|x:65535|  localhost  ";

#[tokio::test]
async fn an_invalid_host_is_refused() {
    let test = TestApp::start().await;
    let server = Listening::start(&test).await;
    for host in INVALID_HOSTS.split('|').chain([" ", &"x".repeat(300)]) {
        for target in ["GET /healthz", "GET /nothing", "POST /graphql", "GET /graphql?query=%7Bhello%7D"] {
            let request = format!("{target} HTTP/1.1\r\nhost: {host}\r\n\r\n");
            assert_eq!(statuses(&server, &request).await, [400], "{host:?} {target}");
        }
        let older = format!("GET /healthz HTTP/1.0\r\nhost: {host}\r\n\r\n");
        assert_eq!(statuses(&server, &older).await, [400], "{host:?}");
    }
    let mut wire = server.connect().await;
    wire.send(b"GET /healthz HTTP/1.1\r\nhost: \xff\xfe\r\n\r\n").await;
    assert_eq!(wire.hear().await.map(|heard| heard.status), Some(400));
    for host in VALID_HOSTS.split('|') {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert_eq!(statuses(&server, &request).await, [200], "{host:?}");
    }
    let with_user = "GET http://user@elsewhere.example/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(statuses(&server, with_user).await, [400], "userinfo in the target (RFC 9110, section 4.2.4)");
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let test = TestApp::start().await;
    let server = Listening::start(&test).await;
    let request = post(QUERY).replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(statuses(&server, &request.repeat(2)).await, [200]);
    let chunked = format!("POST /graphql HTTP/1.0\r\n{JSON}transfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(statuses(&server, &chunked).await, [400], "it has no chunks");
}

#[tokio::test]
async fn what_is_not_http_1_is_refused() {
    let test = TestApp::start().await;
    let server = Listening::start(&test).await;
    for bytes in [
        "nonsense\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /healthz HTTP/1.2\r\nhost: a\r\n\r\n",
        "GET /healthz HTTP/9.9\r\nhost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n",
    ] {
        let heard = statuses(&server, bytes).await;
        assert!(heard.is_empty() || heard == [400], "{bytes:?}: {heard:?}");
    }
    let mut wire = server.connect().await;
    assert_eq!(wire.get("/healthz").await.map(|heard| heard.status), Some(200), "others are served");
}

#[tokio::test]
async fn a_body_that_ends_early_executes_nothing() {
    let (test, user) = TestApp::with_user().await;
    let server = Listening::start(&test).await;
    let token = user.token.clone().expect("a token");
    let body = r#"{"query": "mutation { next { value } }"}"#;
    let head = format!("POST /graphql HTTP/1.1\r\n{JSON}authorization: Bearer {token}\r\n");
    let mut wire = server.connect().await;
    wire.send(format!("{head}content-length: {}\r\n\r\n{body}", body.len() + 1)).await;
    drop(wire);
    let mut wire = server.connect().await;
    wire.send(format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n", body.len())).await;
    drop(wire);
    // A client that comes later is served later: what the others asked for is decided by then.
    let mut wire = server.connect().await;
    assert_eq!(wire.get("/healthz").await.map(|heard| heard.status), Some(200));
    assert_eq!(user.next().await, 1);
}
