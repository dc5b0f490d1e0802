//! The end of API keys: revoked, expired, of somebody who is shut out; and when one was last used.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, TestApp, dump};

const NEXT: &str = "scopes: [COUNTERS_READ, COUNTERS_NEXT]";
const REVOKE: &str = "mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) {
    apiKey { id name lastUsedAt counter { name } } userErrors { code field } } }";

/// The ids of the caller's keys, the newest first.
async fn ids(caller: &Caller) -> Vec<Value> {
    let reply = caller.run("{ viewer { apiKeys { id } } }").await;
    let keys = reply.data()["viewer"]["apiKeys"].as_array().expect("a list").clone();
    keys.iter().map(|key| key["id"].clone()).collect()
}

async fn administer(root: &Caller, mutation: &str, caller_id: &str) {
    let text = format!("mutation {{ {mutation}(input: {{ userId: \"{caller_id}\" }}) {{ userErrors {{ code }} }} }}");
    assert_eq!(root.run(&text).await.data()[mutation]["userErrors"], json!([]));
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_after_a_restart_and_others_are_not() {
    let (mut test, anna) = TestApp::with_user().await;
    let (key, other) = (test.key_of(&anna, NEXT).await, test.key_of(&anna, NEXT).await);
    assert_eq!((key.next().await, other.next().await), (1, 2), "both are remembered");
    let id = ids(&anna).await[1].clone();
    let revoked = anna.run_with(REVOKE, json!({ "id": id })).await;
    let expected = json!({ "id": id, "name": "key", "lastUsedAt": "2026-11-20T12:00:00.000000Z", "counter": null });
    assert_eq!(revoked.data()["revokeApiKey"], json!({ "apiKey": expected, "userErrors": [] }));
    assert!(key.is_refused().await && !other.is_refused().await);
    let again = anna.run_with(REVOKE, json!({ "id": id })).await;
    assert_eq!(again.user_errors("revokeApiKey"), ["NOT_FOUND input.apiKeyId"]);
    assert_eq!(ids(&anna).await.len(), 1);

    test.restart().await;
    let again = |caller: &Caller| test.bearer(caller.token.as_deref());
    assert!(again(&key).is_refused().await && !again(&other).is_refused().await);
    let events = again(&anna).run("{ viewer { events(first: 3) { nodes { kind } } } }").await;
    let kinds = ["API_KEY_REVOKED", "API_KEY_CREATED", "API_KEY_CREATED"].map(|kind| json!({ "kind": kind }));
    assert_eq!(events.data()["viewer"]["events"]["nodes"], json!(kinds));
}

#[tokio::test]
async fn of_two_revocations_at_once_one_succeeds() {
    let (test, anna) = TestApp::with_user().await;
    test.key_of(&anna, NEXT).await;
    let id = ids(&anna).await[0].clone();
    let all = join_all((0..6).map(|_| anna.run_with(REVOKE, json!({ "id": id })))).await;
    let done = all.iter().filter(|reply| reply.data()["revokeApiKey"]["apiKey"].is_object()).count();
    let late = all.iter().filter(|reply| reply.user_errors("revokeApiKey") == ["NOT_FOUND input.apiKeyId"]).count();
    assert_eq!((done, late), (1, 5));
}

/// A verification that began before the revocation must not be remembered beyond it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_is_being_verified_while_it_is_revoked_is_refused_after_it() {
    let (test, anna) = TestApp::with_user().await;
    for round in 0..25 {
        let key = test.key_of(&anna, NEXT).await;
        let id = ids(&anna).await[0].clone();
        let ask = || {
            let key = key.clone();
            tokio::spawn(async move { key.run("{ current }").await })
        };
        let before: Vec<_> = (0..4).map(|_| ask()).collect();
        assert_eq!(anna.run_with(REVOKE, json!({ "id": id })).await.user_errors("revokeApiKey"), [""; 0]);
        let after: Vec<_> = (0..4).map(|_| ask()).collect();
        for reply in join_all(after).await {
            assert_eq!(reply.expect("a reply").status.as_u16(), 401, "round {round}");
        }
        for reply in join_all(before).await {
            assert!([200, 401].contains(&reply.expect("a reply").status.as_u16()), "round {round}");
        }
        assert!(key.is_refused().await, "round {round}: nobody remembered it");
    }
}

#[tokio::test]
async fn a_key_ends_when_it_was_to_end_and_not_before() {
    let (mut test, anna) = TestApp::with_user().await;
    let whole = test.key_of(&anna, &format!("{NEXT}, expiresAt: \"2026-11-20T12:01:00Z\"")).await;
    let half = test.key_of(&anna, &format!("{NEXT}, expiresAt: \"2026-11-20T12:01:00.5Z\"")).await;
    let unused = test.key_of(&anna, &format!("{NEXT}, expiresAt: \"2026-11-20T12:01:00Z\"")).await;
    let never = test.key_of(&anna, NEXT).await;
    test.clock.advance(59);
    assert_eq!((whole.next().await, half.next().await), (1, 2));
    test.clock.advance(1);
    assert!(
        whole.is_refused().await && unused.is_refused().await,
        "a key that ends at a moment is refused from then on"
    );
    assert!(!half.is_refused().await, "half a second is left");
    assert_eq!(ids(&anna).await.len(), 2, "what has ended is not listed");
    test.clock.advance(1);
    assert!(half.is_refused().await && !never.is_refused().await);

    test.restart().await;
    for (key, refused) in [(&whole, true), (&half, true), (&unused, true), (&never, false)] {
        assert_eq!(test.bearer(key.token.as_deref()).is_refused().await, refused);
    }
    test.clock.advance(86_401);
    assert!(test.app.accounts.sweep().await.is_ok());
    let kept = dump(&test).await;
    let prefix = |key: &Caller| key.token.as_deref().expect("a key")[..12].to_owned();
    assert!(kept.contains(&prefix(&never)), "a key without an end stays");
    // SQLite's file keeps what was removed until its page is used again.
    assert_eq!(keys_in(&test).await, 1);
}

async fn keys_in(test: &TestApp) -> u64 {
    use sea_orm::{EntityTrait as _, PaginatorTrait as _};
    cloakroom::accounts::api_key::Entity::find().count(test.app.database.reader()).await.expect("keys are counted")
}

#[tokio::test]
async fn the_keys_of_whoever_is_suspended_are_refused_until_they_are_reinstated() {
    let (mut test, anna) = TestApp::with_user().await;
    let (root, id) = (test.admin("root").await, anna.user_id().await);
    let (key, unused) = (test.key_of(&anna, NEXT).await, test.key_of(&anna, NEXT).await);
    assert_eq!(key.next().await, 1);
    administer(&root, "suspendUser", &id).await;
    assert!(key.is_refused().await && unused.is_refused().await);
    test.restart().await;
    let again = |caller: &Caller| test.bearer(caller.token.as_deref());
    assert!(again(&key).is_refused().await);
    administer(&again(&root), "reinstateUser", &id).await;
    assert_eq!((again(&key).next().await, again(&unused).next().await), (2, 3));
}

#[tokio::test]
async fn the_keys_of_whoever_leaves_are_refused_at_once() {
    let (mut test, anna) = TestApp::with_user().await;
    let key = test.key_of(&anna, NEXT).await;
    assert_eq!(key.next().await, 1);
    let leave = format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ deletedUserId }} }}");
    anna.run(&leave).await.data();
    assert!(key.is_refused().await);
    test.restart().await;
    assert!(test.bearer(key.token.as_deref()).is_refused().await);
}

#[tokio::test]
async fn last_use_is_noted_to_the_minute_and_survives_a_restart() {
    let (mut test, anna) = TestApp::with_user().await;
    let key = test.key_of(&anna, NEXT).await;
    let query = "{ viewer { apiKeys { lastUsedAt } } }";
    let last_used =
        async |caller: &Caller| caller.run(query).await.data()["viewer"]["apiKeys"][0]["lastUsedAt"].clone();
    assert_eq!(last_used(&anna).await, Value::Null);
    test.clock.advance(10);
    key.next().await;
    assert_eq!(last_used(&anna).await, "2026-11-20T12:00:10.000000Z");
    test.clock.advance(30);
    key.next().await;
    assert_eq!(last_used(&anna).await, "2026-11-20T12:00:10.000000Z", "noted once a minute");
    test.clock.advance(30);
    key.next().await;
    assert_eq!(last_used(&anna).await, "2026-11-20T12:01:10.000000Z");
    test.restart().await;
    let anna = test.bearer(anna.token.as_deref());
    assert_eq!(last_used(&anna).await, "2026-11-20T12:01:10.000000Z");
}

#[tokio::test]
async fn a_key_cannot_log_out_whatever_it_brings() {
    let (test, anna) = TestApp::with_user().await;
    let key = test.key_of(&anna, "scopes: [ACCOUNT_READ, COUNTERS_READ, COUNTERS_NEXT, COUNTERS_WRITE]").await;
    let login = format!(
        "mutation {{ login(input: {{ identifier: \"anna\", password: \"{PASSWORD}\" }}) {{ tokens {{ refreshToken }} }} }}"
    );
    let login = test.anonymous().run(&login).await;
    let refresh = login.at("/data/login/tokens/refreshToken").as_str().expect("a token");
    for scope in ["ACCESS_TOKEN", "REFRESH_TOKEN", "SESSION", "ALL_SESSIONS"] {
        for input in [format!("scope: {scope}"), format!("scope: {scope}, refreshToken: \"{refresh}\"")] {
            let reply = key.run(&format!("mutation {{ logout(input: {{ {input} }}) {{ endedSessions }} }}")).await;
            assert_eq!(reply.code(), "FORBIDDEN", "{input}: {}", reply.body);
        }
    }
    assert!(!anna.is_refused().await && !key.is_refused().await);
}
