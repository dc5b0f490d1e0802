//! `logout` ends a session at once and for good.

use crate::support::TestApp;

const LOGOUT: &str = "mutation { logout { endedSessions } }";

#[tokio::test]
async fn after_logout_the_token_is_refused_at_once_and_after_a_restart() {
    let (mut test, user) = TestApp::with_user().await;
    assert_eq!(user.run(LOGOUT).await.data()["logout"]["endedSessions"], 1);

    let refused = user.run("{ current }").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "UNAUTHENTICATED"));
    assert!(refused.header("www-authenticate").starts_with("Bearer "), "RFC 6750");

    test.restart().await;
    let refused = test.bearer(user.token.as_deref()).run("{ current }").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn logout_needs_a_session() {
    let test = TestApp::start().await;
    assert_eq!(test.anonymous().run(LOGOUT).await.code(), "UNAUTHENTICATED");
}
