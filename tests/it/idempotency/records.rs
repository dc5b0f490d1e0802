//! Records of `createCounter`, `createApiKey` and `uploadPhotos`: how long they live, and how many one user may have.

use cloakroom::accounts::idempotency;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::json;

use super::{create_counter, payload};
use crate::support::TestApp;

const HOUR: i64 = 3600;

async fn stored(test: &TestApp) -> u64 {
    idempotency::Entity::find().count(test.app.database.reader()).await.expect("records are counted")
}

#[tokio::test]
async fn a_record_lives_for_a_day_and_is_removed_after_it() {
    let (test, user) = TestApp::with_user().await;
    let key = |name: &str| json!({ "name": name, "idempotencyKey": "k" });
    payload(&create_counter(&user, key("a")).await, "createCounter");
    test.clock.advance(24 * HOUR - 1);
    test.app.accounts.sweep().await.expect("a sweep");
    let user = test.sign_in("anna").await;
    assert!(payload(&create_counter(&user, key("a")).await, "createCounter").1);
    assert_eq!(create_counter(&user, key("b")).await.code(), "CONFLICT");
    test.clock.advance(1);
    // The key is free before the record is removed.
    assert!(!payload(&create_counter(&user, key("b")).await, "createCounter").1);
    assert_eq!(stored(&test).await, 1);
    test.clock.advance(24 * HOUR + 1);
    test.app.accounts.sweep().await.expect("a sweep");
    assert_eq!(stored(&test).await, 0);
}

#[tokio::test]
async fn a_user_has_so_many_records_and_no_more() {
    let test = TestApp::with_config(|config| config.accounts.max_idempotency_records = 2).await;
    let (anna, bob) = (test.sign_up("anna").await, test.sign_up("bob").await);
    let key = |name: &str| json!({ "name": name, "idempotencyKey": name });
    for name in ["a", "b"] {
        payload(&create_counter(&anna, key(name)).await, "createCounter");
    }
    let refused = create_counter(&anna, key("c")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "RATE_LIMITED"), "{}", refused.body);
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    let message = refused.at("/errors/0/message").as_str().unwrap_or_default();
    assert!(message.contains("idempotency") && message.contains('2'), "{message}");
    assert_eq!(test.rows().await.counters, 4, "nothing was done");
    // Replays, requests without a key and other users are not concerned.
    assert!(payload(&create_counter(&anna, key("a")).await, "createCounter").1);
    create_counter(&anna, json!({ "name": "c" })).await.data();
    payload(&create_counter(&bob, key("a")).await, "createCounter");
    test.clock.advance(24 * HOUR + 1);
    test.app.accounts.sweep().await.expect("a sweep");
    let anna = test.sign_in("anna").await;
    payload(&create_counter(&anna, key("d")).await, "createCounter");
}

#[tokio::test]
async fn what_is_no_key_is_refused_with_the_limit() {
    let (test, user) = TestApp::with_user().await;
    let before = test.rows().await;
    for key in [String::new(), "k".repeat(129), "ä".to_owned(), "a\tb".to_owned()] {
        let refused = create_counter(&user, json!({ "name": "a", "idempotencyKey": key })).await;
        assert_eq!(refused.code(), "BAD_USER_INPUT", "{key:?}");
        assert!(refused.at("/errors/0/message").as_str().is_some_and(|message| message.contains("128")));
    }
    assert_eq!(test.rows().await, before);
}
