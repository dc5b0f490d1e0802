//! The documents that are kept parsed: they save work, and nothing else.

use std::ops::Range;

use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{Caller, Process, Reply, TestApp};

pub(super) async fn run_named(caller: &Caller, query: &str, name: &str) -> Reply {
    let body = json!({ "query": query, "operationName": name }).to_string();
    let request = Request::post("/graphql").header("content-type", "application/json");
    caller.send(request.body(body.into()).expect("a request")).await
}

#[tokio::test]
async fn a_document_gives_the_same_answer_the_second_time() {
    let (_test, user) = TestApp::with_user().await;
    for query in [
        "{ viewer { user { username email } counter { current } } }",
        "{ viewer { user { nope } } }",
        "{ hello ",
        "{ node(id: \"nonsense\") { id } }",
        "{ current(counter: \"nope\") }",
        "{ current(counter: 1) }",
        "mutation { setCurrent(input: { current: 1.5 }) { previous } }",
        "query ($a: Int = 3) { hello }",
        "query ($skip: Boolean! = true) { hello @skip(if: $skip) __typename }",
    ] {
        let first = user.run(query).await;
        for _ in 0..2 {
            let again = user.run(query).await;
            assert_eq!((again.status, &again.body), (first.status, &first.body), "{query}");
        }
    }
}

#[tokio::test]
async fn each_operation_of_a_kept_document_can_be_chosen() {
    let test = TestApp::start().await;
    let caller = test.anonymous();
    let query = "query A { hello } query B { __typename } mutation C { next { value } }";
    for _ in 0..2 {
        assert_eq!(run_named(&caller, query, "A").await.data(), &json!({ "hello": "Hello from Cloakroom" }));
        assert_eq!(run_named(&caller, query, "B").await.data(), &json!({ "__typename": "Query" }));
        assert_eq!(run_named(&caller, query, "C").await.code(), "UNAUTHENTICATED");
        assert_eq!(run_named(&caller, query, "D").await.code(), "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(caller.run(query).await.code(), "GRAPHQL_VALIDATION_FAILED", "which one?");
    }
}

#[tokio::test]
async fn variables_are_checked_each_time() {
    let (_test, user) = TestApp::with_user().await;
    let set = "mutation ($input: SetCurrentInput!) { setCurrent(input: $input) { previous } }";
    let show = "query ($show: Boolean!) { hello @include(if: $show) __typename }";
    let good = [(set, json!({ "input": { "current": 7 } })), (show, json!({ "show": true }))];
    let bad = [
        (set, json!({})),
        (set, json!({ "input": null })),
        (set, json!({ "other": 1 })),
        (set, json!({ "input": 1 })),
        (set, json!({ "input": {} })),
        (set, json!({ "input": { "current": "8" } })),
        (set, json!({ "input": { "current": 1.5 } })),
        (set, json!({ "input": { "current": 8, "nope": 1 } })),
        (show, json!({})),
        (show, json!({ "show": null })),
    ];
    for _ in 0..2 {
        for (query, variables) in &bad {
            let reply = user.run_with(query, variables.clone()).await;
            let code = reply.code().to_owned();
            assert!(code == "BAD_USER_INPUT" || code == "GRAPHQL_VALIDATION_FAILED", "{variables}: {}", reply.body);
            assert!(reply.has_no_result(), "{variables}: {}", reply.body);
        }
        for (query, variables) in &good {
            user.run_with(query, variables.clone()).await.data();
        }
    }
    assert_eq!(user.run("{ current }").await.data()["current"], 7);
}

#[tokio::test]
async fn a_document_that_failed_once_still_works_for_who_may() {
    let (test, user) = TestApp::with_user().await;
    let query = "{ current viewer { user { username email } } }";
    for _ in 0..2 {
        let nobody = test.anonymous().run(query).await;
        assert_eq!(nobody.code(), "UNAUTHENTICATED");
        assert!(nobody.has_no_result(), "{}", nobody.body);
        assert_eq!(user.run(query).await.data()["viewer"]["user"]["username"], "anna");
    }
}

#[tokio::test]
async fn what_one_caller_sees_is_not_shown_to_the_next() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let query = "{ viewer { user { username email } counter { id current } } }";
    anna.next().await;
    let (anna_sees, bert_sees) = (anna.run(query).await, bert.run(query).await);
    assert_eq!(anna_sees.data()["viewer"]["user"]["email"], "anna@example.org");
    assert_eq!(anna_sees.data()["viewer"]["counter"]["current"], 1);
    assert_eq!(bert_sees.data()["viewer"]["user"]["email"], "bert@example.org");
    assert_eq!(bert_sees.data()["viewer"]["counter"]["current"], 0);
    assert_eq!(test.anonymous().run(query).await.data()["viewer"], Value::Null);

    let others = "{ user(username: \"anna\") { username email } }";
    assert_eq!(anna.run(others).await.data()["user"]["email"], "anna@example.org");
    assert_eq!(bert.run(others).await.data()["user"]["email"], Value::Null);
}

#[tokio::test]
async fn the_memory_of_kept_documents_is_bounded() {
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start(data_dir.path(), |command| {
        command.env("CLOAKROOM__GRAPHQL__DOCUMENT_CACHE_BYTES", "4194304");
    });
    // As many fields as a document may have: parsed, they take some 120 kB.
    let fields = "hello ".repeat(490);
    let send = async |numbers: Range<usize>| {
        for number in numbers {
            let answer = server.run(None, &format!("{{ {fields} }} # {number}")).await.expect("an answer");
            assert_eq!(answer["data"]["hello"], "Hello from Cloakroom");
        }
    };
    send(0..100).await;
    let before = server.resident_kb();
    send(100..400).await;
    let grown = server.resident_kb().saturating_sub(before);
    assert!(grown < 16_000, "{grown} kB for 300 documents");
}

#[tokio::test]
async fn documents_are_told_apart_to_the_last_character() {
    let (_test, user) = TestApp::with_user().await;
    assert!(user.run("{ user(username: \"anna\") { id } }").await.data()["user"].is_object());
    assert!(user.run("{ user(username: \"anno\") { id } }").await.data()["user"].is_null());
    // More documents than are kept.
    let test = TestApp::with_config(|config| config.graphql.document_cache_bytes = 4096).await;
    for number in (0..20).chain(0..20) {
        let reply = test.anonymous().run(&format!("{{ a{number}: hello }}")).await;
        assert_eq!(reply.data()[format!("a{number}")], "Hello from Cloakroom");
    }
}
