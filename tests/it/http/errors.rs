//! Faults of the server: one clean answer, whose request id finds the cause in the log.

use std::time::{Duration, Instant};

use serde_json::json;

use super::post;
use crate::support::{Hold, PATIENCE, Reply, TestApp, alter};

/// Nothing of the cause: no SQL, no table, no crate, no file.
fn assert_tells_nothing(reply: &Reply) {
    let told = reply.body.to_string().to_lowercase();
    for word in ["counters", "sessions", "table", "select", "sql", "relation", "sea", "src/", ".rs", "panic"] {
        assert!(!told.contains(word), "{word:?} in {told}");
    }
    assert_eq!(reply.code(), "INTERNAL_SERVER_ERROR");
    assert_eq!(reply.at("/errors/0/message"), "Internal error.");
    assert_eq!(reply.at("/errors/0/extensions/requestId"), reply.header("x-request-id"));
    assert!(!reply.header("x-request-id").is_empty());
}

#[tokio::test]
async fn a_fault_in_a_field_tells_its_request_id_and_no_more() {
    let (test, user) = TestApp::with_user().await;
    alter(&test, "ALTER TABLE counters RENAME TO gone").await;
    for (query, data) in
        [("mutation { next { value } }", json!({ "next": null })), ("{ current }", json!({ "current": null }))]
    {
        for accept in ["application/json", "application/graphql-response+json"] {
            let headers = [("content-type", "application/json"), ("accept", accept)];
            let reply = user.send(post(&headers, json!({ "query": query }).to_string())).await;
            assert_tells_nothing(&reply);
            assert_eq!((reply.status.as_u16(), reply.body.get("data")), (200, Some(&data)), "it was executed");
        }
    }
    let partial = user.run("{ hello viewer { counter { current } } }").await;
    assert_tells_nothing(&partial);
    assert!(partial.at("/data/hello").is_string(), "the rest is there: {}", partial.body);
}

#[tokio::test]
async fn a_fault_before_the_operation_is_500_with_its_request_id() {
    let (test, user) = TestApp::with_user().await;
    alter(&test, "ALTER TABLE sessions RENAME TO gone").await;
    let reply = user.run("{ hello }").await;
    assert_eq!((reply.status.as_u16(), reply.body.get("data")), (500, None));
    assert_tells_nothing(&reply);
    assert_eq!(reply.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let test = TestApp::with_config(|config| config.http.request_seconds = 1).await;
    let user = test.sign_up("anna").await;
    let hold = Hold::of_counters(&test).await;
    let asked = Instant::now();
    let reply = user.run("mutation { next { value } }").await;
    assert_eq!((reply.status.as_u16(), reply.code()), (503, "UNAVAILABLE"));
    assert!(!reply.headers.contains_key("retry-after"), "what may have taken effect is not simply to be sent again");
    assert!(!reply.header("x-request-id").is_empty());
    assert!((Duration::from_secs(1)..PATIENCE).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    hold.release().await;
    // Its outcome is unknown to the client, but happened once at most.
    assert!((1..=2).contains(&user.next().await));
}
