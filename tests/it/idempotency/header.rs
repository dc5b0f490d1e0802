//! The header `Idempotency-Key`: the key of one field that honors it, and refused where it would be ignored.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::payload;
use crate::support::{Caller, TestApp};

/// Mutations that honor an idempotency key.
const HONORED: [&str; 5] = ["createApiKey", "createCounter", "next", "setCurrent", "uploadPhotos"];

async fn refused(caller: &Caller, query: &str) {
    let reply = caller.run(query).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (200, "BAD_USER_INPUT"), "{query}: {}", reply.body);
    let message = reply.at("/errors/0/message").as_str().unwrap_or_default();
    assert!(message.contains("Idempotency-Key"), "{message}");
}

#[tokio::test]
async fn the_header_is_the_key_of_each_mutation_that_honors_one() {
    let (test, user) = TestApp::with_user().await;
    let user = user.with_header("idempotency-key", "k");
    let counter = "mutation { createCounter(input: { name: \"a\" }) { replayed counter { id } userErrors { code } } }";
    let key = "mutation { createApiKey(input: { password: \"correct horse battery\", name: \"x\", scopes: [COUNTERS_NEXT] }) {
        replayed secret userErrors { code } } }";
    for (mutation, query) in [("createCounter", counter), ("createApiKey", key)] {
        let first = payload(&user.run(query).await, mutation);
        assert_eq!(payload(&user.run(query).await, mutation), (first.0, true));
        assert!(!first.1);
    }
    assert_eq!((user.next().await, user.next().await), (1, 1));
    assert_eq!(test.rows().await.counters, 2);
}

#[tokio::test]
async fn a_mutation_that_cannot_honor_the_header_is_refused_and_does_nothing() {
    let (test, user) = TestApp::with_user().await;
    let before = test.rows().await;
    let keyed = user.with_header("idempotency-key", "k");
    for query in [
        "mutation { deleteCounter(input: { name: \"default\" }) { userErrors { code } } }",
        "mutation { updateProfile(input: { displayName: \"Anna\" }) { userErrors { code } } }",
        "mutation { logout { endedSessions } }",
        "mutation { deletePhotos(input: { photoIds: [] }) { userErrors { code } } }",
        "mutation { revokeApiKey(input: { apiKeyId: \"x\" }) { userErrors { code } } }",
        "mutation { signUp(input: { username: \"bob\", password: \"correct horse battery\" }) { userErrors { code } } }",
        // Beside one that honors it, in a fragment, under another name, and where a condition leaves it out.
        "mutation { next(input: { idempotencyKey: \"own\" }) { value } updateProfile(input: { displayName: \"Anna\" })
         { userErrors { code } } }",
        "mutation { ...F } fragment F on Mutation { updateProfile(input: { displayName: \"A\" }) { userErrors { code } } }",
        "mutation { ... on Mutation { next: updateProfile(input: { displayName: \"A\" }) { userErrors { code } } } }",
        "mutation { ... { ...F } } fragment F on Mutation { logout { endedSessions } }",
    ] {
        refused(&keyed, query).await;
    }
    assert_eq!(test.rows().await, before);
    let seen = user.run("{ current viewer { user { displayName } } }").await;
    assert_eq!(seen.data(), &json!({ "current": 0, "viewer": { "user": { "displayName": null } } }));
    // A key that is none is refused as well, and so are two.
    refused(&user.with_header("idempotency-key", ""), "mutation { logout { endedSessions } }").await;
    let two = user.with_header("idempotency-key", "a").with_header("idempotency-key", "b");
    refused(&two, "mutation { logout { endedSessions } }").await;
}

#[tokio::test]
async fn a_query_changes_nothing_and_may_carry_the_header() {
    let (_test, user) = TestApp::with_user().await;
    let keyed = user.with_header("idempotency-key", "k");
    assert_eq!(keyed.run("{ current }").await.data()["current"], 0);
}

#[tokio::test]
async fn the_header_is_refused_on_an_event_stream_too() {
    let (_test, user) = TestApp::with_user().await;
    let keyed = user.with_header("idempotency-key", "k");
    let reply = keyed.listen("mutation { updateProfile(input: { displayName: \"A\" }) { userErrors { code } } }").await;
    assert_eq!(reply.code(), "BAD_USER_INPUT", "{}", reply.body);
}

/// Each mutation whose input has an `idempotencyKey`, and no other, honors the header.
#[tokio::test]
async fn every_mutation_either_takes_a_key_or_refuses_the_header() {
    let (_test, user) = TestApp::with_user().await;
    let schema = "{ __schema { mutationType { fields { name args { name type { name kind ofType { name } } } } }
                               types { name inputFields { name } } } }";
    let schema = user.run(schema).await.data()["__schema"].clone();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let takes_key = |input: &str| {
        let kind = list(&schema["types"]).into_iter().find(|kind| kind["name"] == input);
        kind.is_some_and(|kind| list(&kind["inputFields"]).iter().any(|field| field["name"] == "idempotencyKey"))
    };
    let (mut with_key, mut all) = (BTreeSet::new(), BTreeSet::new());
    for field in list(&schema["mutationType"]["fields"]) {
        let name = field["name"].as_str().expect("a name").to_owned();
        let kind = &field["args"][0]["type"];
        let input = kind["name"].as_str().or_else(|| kind["ofType"]["name"].as_str()).unwrap_or_default();
        if takes_key(input) {
            with_key.insert(name.clone());
        }
        let (declared, given) = match kind["kind"].as_str() {
            Some("NON_NULL") => (format!("($input: {input}!)"), "(input: $input)"),
            _ => (String::new(), ""),
        };
        all.insert((name.clone(), format!("mutation {declared} {{ {name}{given} {{ __typename }} }}")));
    }
    assert_eq!(with_key.iter().map(String::as_str).collect::<Vec<_>>(), HONORED);
    let keyed = user.with_header("idempotency-key", "k");
    for (name, mutation) in all {
        // Without the input that it needs: it is refused in any case, but for the header only if that would be ignored.
        let reply = keyed.run(&mutation).await;
        let message = reply.at("/errors/0/message").as_str().unwrap_or_default().to_owned();
        assert_eq!(message.contains("Idempotency-Key"), !HONORED.contains(&name.as_str()), "{name}: {}", reply.body);
    }
}
