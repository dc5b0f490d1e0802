//! `createApiKey` under an idempotency key: the secret is derived, so that a retry gets it again.

use serde_json::json;

use super::{all, create_api_key, create_counter, payload};
use crate::support::{TestApp, dump};

#[tokio::test]
async fn a_retry_returns_the_same_key_with_its_secret_and_creates_none() {
    let (mut test, user) = TestApp::with_user().await;
    let input = json!({ "name": "robot", "scopes": ["COUNTERS_NEXT", "COUNTERS_READ"], "idempotencyKey": "k" });
    let (first, replayed) = payload(&create_api_key(&user, input.clone()).await, "createApiKey");
    assert!(!replayed);
    let secret = first["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(test.bearer(Some(&secret)).next().await, 1);
    for restarted in [false, true] {
        if restarted {
            test.restart().await;
        }
        let user = test.bearer(user.token.as_deref());
        assert_eq!(payload(&create_api_key(&user, input.clone()).await, "createApiKey"), (first.clone(), true));
        let keys = user.run("{ viewer { apiKeys { id } } }").await;
        assert_eq!(keys.data()["viewer"]["apiKeys"].as_array().map(Vec::len), Some(1));
    }
    let stored = dump(&test).await;
    assert!(!stored.contains(&secret[12..44]), "the secret is not stored");
}

/// The order and repetition of scopes do not make another request.
#[tokio::test]
async fn another_request_with_the_same_key_is_a_conflict() {
    let (_test, user) = TestApp::with_user().await;
    create_counter(&user, json!({ "name": "a" })).await.data();
    let input = |name: &str, scopes: &[&str]| json!({ "name": name, "scopes": scopes, "idempotencyKey": "k" });
    create_api_key(&user, input("robot", &["COUNTERS_NEXT", "COUNTERS_READ"])).await.data();
    let mut limited = input("robot", &["COUNTERS_NEXT", "COUNTERS_READ"]);
    limited["counter"] = json!("a");
    let mut expiring = input("robot", &["COUNTERS_NEXT", "COUNTERS_READ"]);
    expiring["expiresAt"] = json!("2030-01-01T00:00:00Z");
    for other in [input("other", &["COUNTERS_NEXT", "COUNTERS_READ"]), input("robot", &["COUNTERS_READ"])] {
        assert_eq!(create_api_key(&user, other.clone()).await.code(), "CONFLICT", "{other}");
    }
    for other in [limited, expiring] {
        assert_eq!(create_api_key(&user, other.clone()).await.code(), "CONFLICT", "{other}");
    }
    let same = input("robot", &["COUNTERS_READ", "COUNTERS_NEXT", "COUNTERS_READ"]);
    assert!(payload(&create_api_key(&user, same).await, "createApiKey").1);
}

#[tokio::test]
async fn secrets_of_two_keys_two_users_and_two_days_differ() {
    let (test, anna) = TestApp::with_user().await;
    let bob = test.sign_up("bob").await;
    let input = |key: &str| json!({ "name": "robot", "scopes": ["COUNTERS_READ"], "idempotencyKey": key });
    let mut secrets = Vec::new();
    for (user, key) in [(&anna, "k"), (&anna, "K"), (&bob, "k")] {
        let (created, replayed) = payload(&create_api_key(user, input(key)).await, "createApiKey");
        assert!(!replayed);
        secrets.push(created["secret"].clone());
    }
    // A day later the idempotency key is free, and the first API key still lives.
    test.clock.advance(24 * 3600);
    let anna = test.sign_in("anna").await;
    let (created, replayed) = payload(&create_api_key(&anna, input("k")).await, "createApiKey");
    assert!(!replayed);
    secrets.push(created["secret"].clone());
    let count = secrets.len();
    secrets.sort_by_key(ToString::to_string);
    secrets.dedup();
    assert_eq!(secrets.len(), count);
}

/// A secret that was revoked must never work again, and a retry must not pretend that it does.
#[tokio::test]
async fn a_key_that_was_revoked_or_has_expired_since_is_neither_returned_nor_created_again() {
    let (test, user) = TestApp::with_user().await;
    let input = json!({ "name": "robot", "scopes": ["COUNTERS_NEXT"], "idempotencyKey": "revoked" });
    let (first, _) = payload(&create_api_key(&user, input.clone()).await, "createApiKey");
    let revoke = "mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { userErrors { code } } }";
    user.run_with(revoke, json!({ "id": first["apiKey"]["id"] })).await.data();
    let again = create_api_key(&user, input).await;
    assert_eq!(again.user_errors("createApiKey"), ["EXPIRED input.idempotencyKey"], "{}", again.body);
    assert_eq!(again.data()["createApiKey"]["secret"], json!(null));

    let expires = json!({ "name": "robot", "scopes": ["COUNTERS_NEXT"], "idempotencyKey": "expired",
                          "expiresAt": "2026-11-20T12:01:00Z" });
    create_api_key(&user, expires.clone()).await.data();
    test.clock.advance(60);
    assert_eq!(create_api_key(&user, expires).await.user_errors("createApiKey").len(), 1);
    let keys = user.run("{ viewer { apiKeys { id } } }").await;
    assert_eq!(keys.data()["viewer"]["apiKeys"], json!([]));
    assert!(test.bearer(first["secret"].as_str()).is_refused().await);
}

#[tokio::test]
async fn a_refused_request_does_not_use_the_key_up() {
    let test = TestApp::with_config(|config| config.accounts.max_api_keys = 1).await;
    let user = test.sign_up("anna").await;
    let input = json!({ "name": "robot", "scopes": ["COUNTERS_NEXT"], "idempotencyKey": "k" });
    let other = create_api_key(&user, json!({ "name": "other", "scopes": ["COUNTERS_NEXT"] })).await;
    let id = other.data()["createApiKey"]["apiKey"]["id"].clone();
    let refused = create_api_key(&user, input.clone()).await;
    assert_eq!(refused.user_errors("createApiKey"), ["LIMIT_REACHED"]);
    let revoke = "mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { userErrors { code } } }";
    user.run_with(revoke, json!({ "id": id })).await.data();
    assert!(!payload(&create_api_key(&user, input.clone()).await, "createApiKey").1);
    assert!(payload(&create_api_key(&user, input).await, "createApiKey").1, "a replay needs no room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_requests_with_one_key_one_creates_the_key_and_all_get_its_secret() {
    let (_test, user) = TestApp::with_user().await;
    let call = |_| {
        let user = user.clone();
        async move {
            let input = json!({ "name": "robot", "scopes": ["COUNTERS_NEXT"], "idempotencyKey": "k" });
            payload(&create_api_key(&user, input).await, "createApiKey")
        }
    };
    let heard = all((0..8).map(call)).await;
    assert!(heard.iter().all(|(key, _)| *key == heard[0].0));
    assert_eq!(heard.iter().filter(|(_, replayed)| !replayed).count(), 1);
    let keys = user.run("{ viewer { apiKeys { id } events(first: 50) { nodes { kind } } } }").await;
    let viewer = &keys.data()["viewer"];
    assert_eq!(viewer["apiKeys"].as_array().map(Vec::len), Some(1));
    let created = |event: &&serde_json::Value| event["kind"] == "API_KEY_CREATED";
    assert_eq!(viewer["events"]["nodes"].as_array().expect("events").iter().filter(created).count(), 1);
}
