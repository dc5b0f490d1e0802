//! `createCounter` under an idempotency key.

use serde_json::json;

use super::{all, create_counter, payload};
use crate::support::TestApp;

#[tokio::test]
async fn a_retry_returns_the_same_counter_and_creates_none() {
    let (test, user) = TestApp::with_user().await;
    let input = json!({ "name": "a", "start": 5, "step": 2, "max": 99, "idempotencyKey": "k" });
    let (first, replayed) = payload(&create_counter(&user, input.clone()).await, "createCounter");
    assert!(!replayed);
    for _ in 0..2 {
        test.clock.advance(60);
        assert_eq!(payload(&create_counter(&user, input.clone()).await, "createCounter"), (first.clone(), true));
    }
    assert_eq!(test.rows().await.counters, 2, "beside the default one");
    // Without the key the name is taken.
    let refused = create_counter(&user, json!({ "name": "a" })).await;
    assert_eq!(refused.user_errors("createCounter"), ["TAKEN input.name"]);
}

#[tokio::test]
async fn a_retry_after_a_restart_returns_the_same_counter() {
    let (mut test, user) = TestApp::with_user().await;
    let input = json!({ "name": "a", "idempotencyKey": "k" });
    let (first, _) = payload(&create_counter(&user, input.clone()).await, "createCounter");
    test.restart().await;
    let user = test.bearer(user.token.as_deref());
    assert_eq!(payload(&create_counter(&user, input).await, "createCounter"), (first, true));
}

#[tokio::test]
async fn another_request_with_the_same_key_is_a_conflict() {
    let (test, user) = TestApp::with_user().await;
    create_counter(&user, json!({ "name": "a", "idempotencyKey": "k" })).await.data();
    for other in [
        json!({ "name": "b", "idempotencyKey": "k" }),
        json!({ "name": "a", "start": 1, "idempotencyKey": "k" }),
        json!({ "name": "a", "step": 2, "idempotencyKey": "k" }),
        json!({ "name": "a", "max": 5, "idempotencyKey": "k" }),
    ] {
        assert_eq!(create_counter(&user, other.clone()).await.code(), "CONFLICT", "{other}");
    }
    // Arguments at their default values make the same request.
    let same = json!({ "name": "a", "start": 0, "step": 1, "max": 9_007_199_254_740_991_i64, "idempotencyKey": "k" });
    assert!(payload(&create_counter(&user, same).await, "createCounter").1);
    assert_eq!(test.rows().await.counters, 2);
}

#[tokio::test]
async fn a_refused_request_does_not_use_the_key_up() {
    let test = TestApp::with_config(|config| config.counters.max_per_user = 2).await;
    let user = test.sign_up("anna").await;
    let key = |name: &str| json!({ "name": name, "idempotencyKey": "k" });
    assert_eq!(create_counter(&user, key("default")).await.user_errors("createCounter"), ["TAKEN input.name"]);
    assert_eq!(create_counter(&user, key("")).await.user_errors("createCounter"), ["REQUIRED input.name"]);
    create_counter(&user, json!({ "name": "full" })).await.data();
    assert_eq!(create_counter(&user, key("a")).await.user_errors("createCounter"), ["LIMIT_REACHED"]);
    let delete = "mutation { deleteCounter(input: { name: \"full\" }) { deletedCounterId } }";
    user.run(delete).await.data();
    assert!(!payload(&create_counter(&user, key("a")).await, "createCounter").1);
    // A replay needs no room.
    assert!(payload(&create_counter(&user, key("a")).await, "createCounter").1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_requests_with_one_key_one_creates_the_counter_and_all_get_it() {
    let (test, user) = TestApp::with_user().await;
    for round in 0..3 {
        let call = |_| {
            let (user, name) = (user.clone(), format!("c{round}"));
            async move {
                let input = json!({ "name": name, "idempotencyKey": name });
                payload(&create_counter(&user, input).await, "createCounter")
            }
        };
        let heard = all((0..8).map(call)).await;
        assert!(heard.iter().all(|(counter, _)| *counter == heard[0].0), "{heard:?}");
        assert_eq!(heard.iter().filter(|(_, replayed)| !replayed).count(), 1, "{heard:?}");
    }
    assert_eq!(test.rows().await.counters, 4);
}

#[tokio::test]
async fn a_counter_that_was_deleted_since_is_not_created_again() {
    let (test, user) = TestApp::with_user().await;
    let input = json!({ "name": "a", "start": 7, "idempotencyKey": "k" });
    let (first, _) = payload(&create_counter(&user, input.clone()).await, "createCounter");
    user.run("mutation { deleteCounter(input: { name: \"a\" }) { deletedCounterId } }").await.data();
    assert_eq!(payload(&create_counter(&user, input).await, "createCounter"), (first, true));
    assert_eq!(test.rows().await.counters, 1);
}

#[tokio::test]
async fn keys_of_two_users_are_independent() {
    let (test, anna) = TestApp::with_user().await;
    let bob = test.sign_up("bob").await;
    let input = json!({ "name": "a", "idempotencyKey": "k" });
    let (first, _) = payload(&create_counter(&anna, input.clone()).await, "createCounter");
    let (second, replayed) = payload(&create_counter(&bob, input).await, "createCounter");
    assert!(!replayed && first["counter"]["id"] != second["counter"]["id"]);
}
