//! `logout` by a refresh token alone: it can do what it is still good for, and nothing after that.

use serde_json::{Value, json};

use super::signed_in::{SignedIn, is_welcome, log_in, refresh, refreshed, viewer};
use crate::support::{Caller, TestApp, alter};

const SCOPES: [&str; 3] = ["REFRESH_TOKEN", "SESSION", "ALL_SESSIONS"];

/// How many sessions this ended.
async fn logout(caller: &Caller, scope: &str, refresh_token: &str) -> Value {
    let mutation = "mutation ($input: LogoutInput) { logout(input: $input) { endedSessions } }";
    let input = json!({ "scope": scope, "refreshToken": refresh_token });
    caller.run_with(mutation, json!({ "input": input })).await.data()["logout"]["endedSessions"].clone()
}

async fn is_expired(test: &TestApp, token: &str) -> bool {
    refresh(&test.anonymous(), token).await.user_errors("refreshTokens") == ["EXPIRED input.refreshToken"]
}

/// What the owner's log says, the newest first.
async fn events(owner: &Caller) -> Vec<Value> {
    viewer(owner, "events(first: 100) { nodes { kind } }").await["events"]["nodes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["kind"].clone())
        .collect()
}

/// A session after two refreshes, with its three refresh tokens, the newest first.
async fn refreshed_twice(test: &TestApp) -> (Caller, [String; 3]) {
    let SignedIn { user, refresh_token: first } = log_in(&test.anonymous(), "anna").await;
    let second = refreshed(&refresh(&test.anonymous(), &first).await);
    let third = refreshed(&refresh(&test.anonymous(), &second).await);
    (user, [third, second, first])
}

#[tokio::test]
async fn a_token_that_was_replaced_twice_long_ago_ends_its_own_session_alone_whatever_it_asks_for() {
    for scope in SCOPES {
        let (test, owner) = TestApp::with_user().await;
        let (user, [newest, _, stolen]) = refreshed_twice(&test).await;
        test.clock.advance(121);
        let ended = logout(&test.anonymous(), scope, &stolen).await;
        assert!(is_welcome(&owner).await, "{scope} ended another session");
        assert!(!is_welcome(&user).await && is_expired(&test, &newest).await, "{scope} left a session that was stolen");
        assert_eq!(ended, 1, "{scope}");
        assert_eq!(events(&owner).await[0], "REFRESH_TOKEN_REUSED", "{scope}");
        let before = events(&owner).await;
        assert_eq!(logout(&test.anonymous(), scope, &stolen).await, 0, "{scope} again");
        assert_eq!(events(&owner).await, before, "what did nothing is not told");
    }
}

#[tokio::test]
async fn the_current_token_and_the_one_before_log_out() {
    for scope in SCOPES {
        for which in [0, 1] {
            let (test, owner) = TestApp::with_user().await;
            let (user, tokens) = refreshed_twice(&test).await;
            logout(&test.anonymous(), scope, &tokens[which]).await;
            let welcome = (is_welcome(&user).await, is_welcome(&owner).await);
            assert_eq!(welcome, (scope == "REFRESH_TOKEN", scope != "ALL_SESSIONS"), "{scope} by token {which}");
            assert!(is_expired(&test, &tokens[0]).await, "{scope} by token {which}");
            let again = log_in(&test.anonymous(), "anna").await.user;
            assert_eq!(events(&again).await[1], "LOGGED_OUT", "{scope} by token {which}");
        }
    }
}

#[tokio::test]
async fn a_token_that_was_given_up_ends_nothing_more() {
    let (test, owner) = TestApp::with_user().await;
    let session = log_in(&test.anonymous(), "anna").await;
    assert_eq!(logout(&test.anonymous(), "REFRESH_TOKEN", &session.refresh_token).await, 0);
    let before = events(&owner).await;
    for scope in SCOPES {
        assert_eq!(logout(&test.anonymous(), scope, &session.refresh_token).await, 0, "{scope}");
        assert!(is_welcome(&session.user).await && is_welcome(&owner).await, "{scope}");
    }
    assert_eq!(events(&owner).await, before, "what did nothing is not told");
    assert_eq!(logout(&session.user, "SESSION", &session.refresh_token).await, 1, "the access token is good enough");
    assert!(!is_welcome(&session.user).await);
}

#[tokio::test]
async fn a_token_ahead_of_a_restored_database_ends_nothing() {
    let (test, owner) = TestApp::with_user().await;
    let (user, [newest, ..]) = refreshed_twice(&test).await;
    alter(&test, "UPDATE sessions SET generation = 0").await;
    for scope in SCOPES {
        assert_eq!(logout(&test.anonymous(), scope, &newest).await, 0, "{scope}");
        assert!(is_welcome(&user).await && is_welcome(&owner).await, "{scope}");
    }
}
