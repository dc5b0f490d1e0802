//! The most sessions of a user: a login beyond them ends the oldest one.

use futures_util::future::join_all;
use serde_json::Value;

use super::signed_in::{is_welcome, log_in, refresh, refreshed, viewer};
use crate::support::{Caller, TestApp};

async fn with_most(max_sessions: u32) -> TestApp {
    TestApp::with_config(|config| config.accounts.max_sessions = max_sessions).await
}

async fn count_sessions(caller: &Caller) -> usize {
    viewer(caller, "sessions { id }").await["sessions"].as_array().expect("a list").len()
}

async fn count_events(caller: &Caller, kind: &str) -> usize {
    let events = viewer(caller, "events(first: 100) { nodes { kind } }").await;
    let events = events["events"]["nodes"].as_array().expect("a list").clone();
    events.iter().filter(|event| event["kind"] == kind).count()
}

#[tokio::test]
async fn a_login_beyond_the_most_sessions_ends_the_oldest_one() {
    let mut test = with_most(3).await;
    let first = test.sign_up("anna").await;
    let second = log_in(&test.anonymous(), "anna").await;
    let third = log_in(&test.anonymous(), "anna").await;
    assert!(is_welcome(&first).await, "its token is remembered");
    assert_eq!((count_sessions(&first).await, count_events(&first, "SESSION_ENDED").await), (3, 0));

    let fourth = log_in(&test.anonymous(), "anna").await;
    assert!(!is_welcome(&first).await, "at once");
    for session in [&second, &third, &fourth] {
        assert!(is_welcome(&session.user).await);
    }
    assert_eq!((count_sessions(&fourth.user).await, count_events(&fourth.user, "SESSION_ENDED").await), (3, 1));

    // A refresh opens no session.
    for _ in 0..3 {
        refreshed(&refresh(&test.anonymous(), &third.refresh_token).await);
    }
    assert!(is_welcome(&second.user).await);
    log_in(&test.anonymous(), "anna").await;
    let expired = refresh(&test.anonymous(), &second.refresh_token).await;
    assert_eq!(expired.user_errors("refreshTokens"), ["EXPIRED input.refreshToken"]);
    test.restart().await;
    assert!(!is_welcome(&test.bearer(first.token.as_deref())).await, "also after a restart");
}

#[tokio::test]
async fn a_session_that_has_ended_leaves_room_for_another() {
    let test = with_most(2).await;
    let first = test.sign_up("anna").await;
    for _ in 0..3 {
        let session = log_in(&test.anonymous(), "anna").await;
        session.user.run("mutation { logout { endedSessions } }").await.data();
    }
    assert!(is_welcome(&first).await);
    log_in(&test.anonymous(), "anna").await;
    assert_eq!((count_sessions(&first).await, count_events(&first, "SESSION_ENDED").await), (2, 0));
}

#[tokio::test]
async fn others_sessions_do_not_count() {
    let test = with_most(1).await;
    let (anna, bert) = (test.sign_up("anna").await, test.sign_up("bert").await);
    log_in(&test.anonymous(), "bert").await;
    assert!(is_welcome(&anna).await && !is_welcome(&bert).await);
}

#[tokio::test]
async fn of_many_logins_at_once_no_more_sessions_are_left_than_allowed() {
    let test = with_most(3).await;
    test.sign_up("anna").await;
    let logins = (0..12).map(|_| {
        let caller = test.anonymous();
        async move { log_in(&caller, "anna").await.user }
    });
    let mut welcome = Vec::new();
    for user in join_all(logins).await {
        if is_welcome(&user).await {
            welcome.push(user);
        }
    }
    assert_eq!(welcome.len(), 3);
    assert_eq!(count_sessions(&welcome[0]).await, 3);
}

/// As after an update from a version without this limit.
#[tokio::test]
async fn the_list_is_never_longer_than_the_limit_and_a_login_ends_the_rest() {
    let mut test = with_most(100).await;
    test.sign_up("anna").await;
    let mut newest = log_in(&test.anonymous(), "anna").await;
    for _ in 0..7 {
        newest = log_in(&test.anonymous(), "anna").await;
    }
    assert_eq!(count_sessions(&newest.user).await, 9);
    test.config.accounts.max_sessions = 4;
    test.restart().await;
    let newest = test.bearer(newest.user.token.as_deref());
    assert_eq!(count_sessions(&newest).await, 4);
    let last = log_in(&test.anonymous(), "anna").await.user;
    assert!(is_welcome(&newest).await);
    assert_eq!((count_sessions(&last).await, count_events(&last, "SESSION_ENDED").await), (4, 1));
    let own = viewer(&last, "session { id }").await["session"]["id"].clone();
    assert_ne!(own, Value::Null);
}
