//! `logout` by scope, and without an access token.

use serde_json::json;

use crate::support::{Caller, PASSWORD, Reply, TestApp};

struct Session {
    user: Caller,
    refresh_token: String,
}

async fn log_in(test: &TestApp) -> Session {
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }}) {{ tokens {{ accessToken refreshToken }} }} }}"#
    );
    let reply = test.anonymous().run(&login).await;
    let tokens = &reply.data()["login"]["tokens"];
    let refresh_token = tokens["refreshToken"].as_str().expect("a token").to_owned();
    Session { user: test.bearer(tokens["accessToken"].as_str()), refresh_token }
}

async fn logout(caller: &Caller, scope: &str, refresh_token: Option<&str>) -> Reply {
    let mutation = "mutation ($input: LogoutInput) { logout(input: $input) { endedSessions } }";
    let input =
        refresh_token.map_or(json!({ "scope": scope }), |token| json!({ "scope": scope, "refreshToken": token }));
    caller.run_with(mutation, json!({ "input": input })).await
}

async fn is_signed_in(session: &Session) -> bool {
    session.user.run("{ current }").await.code().is_empty()
}

async fn can_refresh(test: &TestApp, session: &Session) -> bool {
    let mutation =
        "mutation ($token: String!) { refreshTokens(input: { refreshToken: $token }) { tokens { expiresIn } } }";
    let reply = test.anonymous().run_with(mutation, json!({ "token": session.refresh_token })).await;
    reply.data()["refreshTokens"]["tokens"].is_object()
}

#[tokio::test]
async fn each_scope_ends_what_it_says_at_once_and_after_a_restart() {
    let cases = [
        ("ACCESS_TOKEN", 0, [false, true, true, true]),
        ("REFRESH_TOKEN", 0, [true, false, true, true]),
        ("SESSION", 1, [false, false, true, true]),
        // The session of the sign-up ends with them.
        ("ALL_SESSIONS", 3, [false, false, false, false]),
    ];
    for (scope, ended, expected) in cases {
        let (mut test, _) = TestApp::with_user().await;
        let (mut this, mut other) = (log_in(&test).await, log_in(&test).await);
        assert!(is_signed_in(&this).await && is_signed_in(&other).await);
        let reply = logout(&this.user, scope, None).await;
        assert_eq!(reply.data()["logout"]["endedSessions"], ended, "{scope}");
        for moment in ["at once", "after a restart"] {
            let found = [
                is_signed_in(&this).await,
                can_refresh(&test, &this).await,
                is_signed_in(&other).await,
                can_refresh(&test, &other).await,
            ];
            assert_eq!(found, expected, "{scope} {moment}");
            test.restart().await;
            for session in [&mut this, &mut other] {
                session.user = test.bearer(session.user.token.as_deref());
            }
        }
    }
}

#[tokio::test]
async fn a_refresh_token_logs_out_in_place_of_an_expired_access_token() {
    let (test, _) = TestApp::with_user().await;
    let session = log_in(&test).await;
    test.clock.advance(3600);
    assert!(!is_signed_in(&session).await, "the access token has expired");
    let reply = logout(&test.anonymous(), "SESSION", Some(&session.refresh_token)).await;
    assert_eq!(reply.data()["logout"]["endedSessions"], 1);
    assert!(!can_refresh(&test, &session).await);
    let again = logout(&test.anonymous(), "ALL_SESSIONS", Some(&session.refresh_token)).await;
    assert_eq!(again.data()["logout"]["endedSessions"], 0, "an ended session's token ends nothing more");
}

#[tokio::test]
async fn logging_out_with_neither_token_or_a_wrong_one_is_refused() {
    let (test, user) = TestApp::with_user().await;
    assert_eq!(logout(&test.anonymous(), "ALL_SESSIONS", None).await.code(), "UNAUTHENTICATED");
    assert_eq!(logout(&test.anonymous(), "SESSION", Some("crt_nonsense")).await.code(), "BAD_USER_INPUT");
    let session = log_in(&test).await;
    let alone = logout(&test.anonymous(), "ACCESS_TOKEN", Some(&session.refresh_token)).await;
    assert_eq!(alone.code(), "BAD_USER_INPUT");
    assert!(is_signed_in(&session).await);
    assert_eq!(user.run("{ current }").await.data()["current"], 0);
}

#[tokio::test]
async fn a_session_without_refresh_token_ends_with_its_access_token() {
    let (test, _) = TestApp::with_user().await;
    let session = log_in(&test).await;
    logout(&session.user, "REFRESH_TOKEN", None).await.data();
    test.clock.advance(899);
    assert!(is_signed_in(&session).await);
    test.clock.advance(60);
    assert!(!is_signed_in(&session).await);
}
