//! What is over is removed after its time, and not before.

use cloakroom::accounts::{account_event, revoked_access_token};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use super::signed_in::{log_in, refresh, refreshed, viewer};
use crate::support::TestApp;

const DAY: i64 = 86_400;

async fn sweep(test: &TestApp) {
    assert!(test.app.accounts.sweep().await.is_ok());
}

#[tokio::test]
async fn ended_and_expired_sessions_go_after_their_days_and_live_ones_stay() {
    let test = TestApp::with_config(|config| {
        config.accounts.refresh_token_seconds = 40 * 86_400;
        config.accounts.ended_session_days = 30;
    })
    .await;
    test.sign_up("anna").await;
    let (kept, ended) = (log_in(&test.anonymous(), "anna").await, log_in(&test.anonymous(), "anna").await);
    ended.user.run("mutation { logout { endedSessions } }").await.data();
    assert_eq!(test.rows().await.sessions, 3);
    test.clock.advance(30 * DAY);
    sweep(&test).await;
    assert_eq!(test.rows().await.sessions, 3, "30 days and no more");
    test.clock.advance(1);
    sweep(&test).await;
    assert_eq!(test.rows().await.sessions, 2, "the one that was logged out");
    let token = refreshed(&refresh(&test.anonymous(), &kept.refresh_token).await);
    test.clock.advance(40 * DAY - 1);
    sweep(&test).await;
    assert_eq!(test.rows().await.sessions, 2, "the sign-up's expired, and is kept for its days");
    refreshed(&refresh(&test.anonymous(), &token).await);
    test.clock.advance(2);
    sweep(&test).await;
    test.clock.advance(DAY);
    sweep(&test).await;
    assert_eq!(test.rows().await.sessions, 1);
}

#[tokio::test]
async fn a_token_of_a_session_that_was_swept_away_is_refused_like_any_other() {
    let test = TestApp::with_config(|config| config.accounts.ended_session_days = 0).await;
    test.sign_up("anna").await;
    let gone = log_in(&test.anonymous(), "anna").await;
    gone.user.run("mutation { logout { endedSessions } }").await.data();
    test.clock.advance(1);
    sweep(&test).await;
    assert_eq!(test.rows().await.sessions, 1);
    assert_eq!(gone.user.run("{ current }").await.code(), "UNAUTHENTICATED");
    let reply = refresh(&test.anonymous(), &gone.refresh_token).await;
    assert_eq!(reply.user_errors("refreshTokens"), ["EXPIRED input.refreshToken"]);
}

#[tokio::test]
async fn a_revoked_access_token_is_remembered_as_long_as_it_would_have_been_good() {
    let mut test = TestApp::start().await;
    test.sign_up("anna").await;
    let session = log_in(&test.anonymous(), "anna").await;
    session.user.run("mutation { logout(input: { scope: ACCESS_TOKEN }) { endedSessions } }").await.data();
    let count = async |test: &TestApp| {
        revoked_access_token::Entity::find().count(test.app.database.reader()).await.expect("they are counted")
    };
    assert_eq!(count(&test).await, 1);
    test.clock.advance(900 + 29);
    sweep(&test).await;
    test.restart().await;
    let caller = test.bearer(session.user.token.as_deref());
    assert_eq!(caller.run("{ current }").await.code(), "UNAUTHENTICATED", "the leeway counts");
    assert_eq!(count(&test).await, 1);
    test.clock.advance(2);
    sweep(&test).await;
    assert_eq!(count(&test).await, 0);
    assert_eq!(caller.run("{ current }").await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_audit_log_is_kept_for_its_days() {
    let test = TestApp::with_config(|config| config.accounts.event_days = 10).await;
    test.sign_up("anna").await;
    test.clock.advance(5 * DAY);
    log_in(&test.anonymous(), "anna").await;
    test.clock.advance(5 * DAY);
    sweep(&test).await;
    let count =
        async || account_event::Entity::find().count(test.app.database.reader()).await.expect("they are counted");
    assert_eq!(count().await, 2, "10 days and no more");
    test.clock.advance(1);
    sweep(&test).await;
    assert_eq!(count().await, 1);
    let again = log_in(&test.anonymous(), "anna").await;
    let log = viewer(&again.user, "events { nodes { kind } }").await;
    assert_eq!(log["events"]["nodes"].as_array().map(Vec::len), Some(2));
}
