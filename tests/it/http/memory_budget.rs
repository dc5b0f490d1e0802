//! The memory that all clients together may make the server use, and the share of each.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Heard, Listening, PATIENCE, Process, TestApp, Wire, form_request, post};

/// The length of a body, and what a stalled client sends of it.
const BODY_BYTES: usize = 60_000;
const SENT_BYTES: usize = 50_000;
/// A server whose budget holds a few bodies, and which does not give up on slow ones.
async fn small() -> (TestApp, Listening) {
    let test = TestApp::with_config(|config| {
        config.http.max_buffered_bytes = 1 << 20;
        config.http.body_seconds = 300;
        config.http.request_seconds = 300;
    })
    .await;
    let server = Listening::start(&test).await;
    (test, server)
}

fn head(address: &str, length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: {address}\r\n\
         accept: application/graphql-response+json\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// The answer to a query with a body of this length, from this address.
async fn ask(server: &Listening, address: &str, length: usize) -> Heard {
    let mut wire = server.connect().await;
    wire.send(head(address, length) + &format!("{:length$}", r#"{"query": "{ hello }"}"#)).await;
    wire.hear().await.expect("an answer")
}

/// Waits until such a query is answered again.
async fn ask_until_served(server: &Listening, address: &str) {
    let began = Instant::now();
    while ask(server, address, BODY_BYTES).await.status != 200 {
        assert!(began.elapsed() < PATIENCE, "the share of {address} is not given back");
    }
}

/// Sends bodies from this address that stop in the middle, until a query from the other one is
/// refused.
async fn stall(server: &Listening, from: &str, other: &str) -> Vec<Wire> {
    let began = Instant::now();
    let mut stalled = Vec::new();
    loop {
        let mut wire = server.connect().await;
        wire.send(head(from, BODY_BYTES) + &" ".repeat(SENT_BYTES)).await;
        stalled.push(wire);
        let heard = ask(server, other, BODY_BYTES).await;
        if heard.status == 503 {
            assert_eq!(heard.json()["errors"][0]["extensions"]["code"], "UNAVAILABLE");
            assert!(heard.has("retry-after: 5"), "{heard:?}");
            assert!(heard.has("content-type: application/graphql-response+json; charset=utf-8"), "{heard:?}");
            return stalled;
        }
        assert_eq!(heard.status, 200, "{heard:?}");
        assert!(began.elapsed() < PATIENCE, "{} stalled bodies are not too many", stalled.len());
    }
}

#[tokio::test]
async fn one_address_cannot_take_all_of_the_memory_and_gives_it_back() {
    let (_test, server) = small().await;
    let stalled = stall(&server, "192.0.2.1", "192.0.2.1").await;
    assert_eq!(ask(&server, "192.0.2.1", 2000).await.status, 200, "small requests need no share");
    assert_eq!(ask(&server, "192.0.2.2", BODY_BYTES).await.status, 200, "others have shares of their own");
    // Clients hang up in the middle of their bodies.
    drop(stalled);
    ask_until_served(&server, "192.0.2.1").await;
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_of_64_bits_share_their_memory() {
    let (_test, server) = small().await;
    let _stalled = stall(&server, "2001:db8:1:2::1", "2001:db8:1:2:ffff::").await;
    assert_eq!(ask(&server, "2001:db8:1:3::1", BODY_BYTES).await.status, 200);
}

#[tokio::test]
async fn all_together_have_no_more_than_the_budget() {
    let (_test, server) = small().await;
    let mut stalled = Vec::new();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"] {
        stalled.push(stall(&server, address, address).await);
    }
    stalled.push(stall(&server, "192.0.2.5", "192.0.2.77").await);
    assert_eq!(ask(&server, "192.0.2.77", 2000).await.status, 200, "small requests are answered all the same");
    drop(stalled);
    ask_until_served(&server, "192.0.2.77").await;
}

#[tokio::test]
async fn an_announced_length_costs_nothing() {
    let (_test, server) = small().await;
    let mut announced = Vec::new();
    for _ in 0..200 {
        let mut wire = server.connect().await;
        wire.send(head("192.0.2.1", 1 << 20)).await;
        announced.push(wire);
    }
    assert_eq!(ask(&server, "192.0.2.1", BODY_BYTES).await.status, 200);
}

#[tokio::test]
async fn the_texts_of_a_form_are_charged_to_its_sender() {
    let test = TestApp::with_config(|config| config.http.max_buffered_bytes = 1 << 20).await;
    let user = test.sign_up("anna").await;
    let text = |bytes: usize| {
        let operations = json!({ "query": "mutation { next { value } }", "padding": "x".repeat(bytes) });
        let form = crate::support::Form::default().part("operations", operations.to_string());
        form_request(form.part("map", "{}").end().into())
    };
    let reply = user.send(text(10_000)).await;
    assert_eq!(reply.data()["next"]["value"], 1, "{}", reply.body);
    // A quarter of the budget is less than this buffer.
    let reply = user.send(text(400_000)).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "UNAVAILABLE"), "{}", reply.body);
    assert_eq!(reply.header("retry-after"), "5");
    assert_eq!(user.next().await, 2);
}

#[tokio::test]
async fn an_answer_is_charged_until_it_is_sent() {
    let schema = "{ __schema { types { name description fields { name description type { name } } } } }";
    let length = TestApp::start().await.anonymous().run(schema).await.body.to_string().len();
    assert!(length > 30_000, "{length} bytes");
    let test = TestApp::with_config(|config| config.http.max_buffered_bytes = length).await;
    let caller = test.anonymous().at_address("192.0.2.1");
    for _ in 0..2 {
        let reply = caller.run(schema).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (503, "UNAVAILABLE"), "beyond the address's share");
        assert_eq!(reply.header("retry-after"), "", "it may have taken effect");
    }
    let reply = test.anonymous().run(schema).await;
    assert!(reply.data()["__schema"].is_object(), "a larger share");
}

#[tokio::test]
async fn stalled_bodies_are_bounded_in_memory_and_others_are_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start(folder.path(), |command| {
        command.env("CLOAKROOM__HTTP__MAX_BUFFERED_BYTES", "16777216");
        command.env("CLOAKROOM__HTTP__BODY_SECONDS", "300");
    });
    assert!(server.run(None, "{ hello }").await.is_some());
    let before = server.resident_kb();
    let mut stalled: Vec<Wire> = Vec::new();
    for _ in 0..100 {
        let mut wire = Wire::connect(server.address).await;
        let body = " ".repeat(1_000_000);
        // The server may refuse it before it is sent.
        let request = post(&body);
        let sent = tokio::time::timeout(Duration::from_secs(10), wire.send(&request[..request.len() - 1])).await;
        assert!(sent.is_ok(), "the server reads on");
        stalled.push(wire);
    }
    assert!(server.run(None, "{ hello }").await.is_some(), "others are served");
    let more = server.resident_kb().saturating_sub(before);
    assert!(more < 60_000, "{more} kB for 100 MB that do not end");
}
