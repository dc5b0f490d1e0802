//! What is begun after a logout was acknowledged is refused, however much is asked at once.

use futures_util::future::join_all;
use serde_json::json;
use tokio::task::JoinHandle;

use super::signed_in::{SignedIn, is_welcome, log_in, refresh};
use crate::support::{Caller, Reply, TestApp};

const REQUESTS: usize = 1000;

/// So many requests at once, each in a task of its own.
fn ask(caller: &Caller, requests: usize) -> Vec<JoinHandle<Reply>> {
    let ask = |_| {
        let caller = caller.clone();
        tokio::spawn(async move { caller.run("mutation { next { value } }").await })
    };
    (0..requests).map(ask).collect()
}

async fn heard(requests: Vec<JoinHandle<Reply>>) -> Vec<Reply> {
    join_all(requests).await.into_iter().map(|reply| reply.expect("a reply")).collect()
}

async fn assert_all_refused(caller: &Caller) {
    for reply in heard(ask(caller, REQUESTS)).await {
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "UNAUTHENTICATED"), "{}", reply.body);
    }
}

async fn log_out(session: &SignedIn, scope: &str, with_refresh_token: bool) {
    let (caller, token) = match with_refresh_token {
        true => (session.user.with_token(None), Some(&session.refresh_token)),
        false => (session.user.clone(), None),
    };
    let mutation = "mutation ($input: LogoutInput) { logout(input: $input) { endedSessions } }";
    caller.run_with(mutation, json!({ "input": { "scope": scope, "refreshToken": token } })).await.data();
}

/// S5: with requests under way all the time, so that the token is remembered and being used.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_requests_after_logout_none_succeeds() {
    for (scope, with_refresh_token) in [
        ("SESSION", false),
        ("SESSION", true),
        ("ALL_SESSIONS", false),
        ("ALL_SESSIONS", true),
        ("ACCESS_TOKEN", false),
    ] {
        let mut test = TestApp::start().await;
        test.sign_up("anna").await;
        let session = log_in(&test.anonymous(), "anna").await;
        assert_eq!(session.user.next().await, 1);
        let racing = ask(&session.user, 100);
        log_out(&session, scope, with_refresh_token).await;
        // As many as came before it, and not one more.
        let refused = ask(&session.user, REQUESTS);
        for reply in heard(refused).await {
            assert_eq!((reply.status.as_u16(), reply.code()), (401, "UNAUTHENTICATED"), "{scope}: {}", reply.body);
        }
        let taken = heard(racing).await.iter().filter(|reply| reply.code().is_empty()).count();
        let next = log_in(&test.anonymous(), "anna").await.user.next().await;
        assert_eq!(usize::try_from(next), Ok(taken + 2), "{scope}: what was refused took nothing");

        test.restart().await;
        assert_all_refused(&test.bearer(session.user.token.as_deref())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_refreshes_after_logout_none_succeeds() {
    for (scope, welcome) in [("SESSION", false), ("ALL_SESSIONS", false), ("REFRESH_TOKEN", true)] {
        let test = TestApp::start().await;
        test.sign_up("anna").await;
        let session = log_in(&test.anonymous(), "anna").await;
        log_out(&session, scope, false).await;
        let refreshes = (0..200).map(|_| {
            let (caller, token) = (test.anonymous(), session.refresh_token.clone());
            tokio::spawn(async move { refresh(&caller, &token).await })
        });
        for reply in join_all(refreshes).await {
            let reply = reply.expect("a reply");
            assert_eq!(reply.user_errors("refreshTokens"), ["EXPIRED input.refreshToken"], "{scope}");
        }
        assert_eq!(is_welcome(&session.user).await, welcome, "{scope}");
    }
}

/// Whoever refreshes while somebody logs out is left with tokens that are good for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refresh_that_races_a_logout_revives_nothing() {
    let test = TestApp::start().await;
    test.sign_up("anna").await;
    for _ in 0..20 {
        let session = log_in(&test.anonymous(), "anna").await;
        let racing: Vec<_> = (0..8)
            .map(|_| {
                let (caller, token) = (test.anonymous(), session.refresh_token.clone());
                tokio::spawn(async move { refresh(&caller, &token).await })
            })
            .collect();
        log_out(&session, "SESSION", false).await;
        for reply in join_all(racing).await {
            let reply = reply.expect("a reply");
            let tokens = reply.at("/data/refreshTokens/tokens");
            if let (Some(access), Some(next)) = (tokens["accessToken"].as_str(), tokens["refreshToken"].as_str()) {
                assert!(!is_welcome(&test.bearer(Some(access))).await);
                let again = refresh(&test.anonymous(), next).await;
                assert_eq!(again.user_errors("refreshTokens"), ["EXPIRED input.refreshToken"]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_log_out_at_once_one_ends_the_session() {
    let test = TestApp::start().await;
    test.sign_up("anna").await;
    let session = log_in(&test.anonymous(), "anna").await;
    let mutation = "mutation ($token: String!) { logout(input: { refreshToken: $token }) { endedSessions } }";
    let logouts = (0..20).map(|_| {
        let (caller, token) = (test.anonymous(), session.refresh_token.clone());
        tokio::spawn(async move { caller.run_with(mutation, json!({ "token": token })).await })
    });
    let ended = join_all(logouts).await.into_iter().map(|reply| reply.expect("a reply"));
    assert_eq!(ended.filter_map(|reply| reply.data()["logout"]["endedSessions"].as_u64()).sum::<u64>(), 1);
}
