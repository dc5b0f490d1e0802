//! `logout` ends a session at once and for good.

use futures_util::future::join_all;

use crate::support::{Caller, PASSWORD, TestApp};

const LOGOUT: &str = "mutation { logout { endedSessions } }";

async fn log_in(test: &TestApp) -> Caller {
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }}) {{ tokens {{ accessToken }} }} }}"#
    );
    let reply = test.anonymous().run(&login).await;
    test.bearer(reply.at("/data/login/tokens/accessToken").as_str())
}

async fn is_refused(caller: &Caller) -> bool {
    let reply = caller.run("{ current }").await;
    (reply.status.as_u16(), reply.code()) == (401, "UNAUTHENTICATED")
}

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

/// S5.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_200_requests_after_logout_none_succeeds_and_nothing_is_taken() {
    let (test, user) = TestApp::with_user().await;
    let other = log_in(&test).await;
    assert_eq!(user.next().await, 1, "the token is remembered as verified");
    assert_eq!(user.run(LOGOUT).await.data()["logout"]["endedSessions"], 1);

    let requests = (0..200).map(|_| {
        let user = user.clone();
        tokio::spawn(async move { user.run("mutation { next { value } }").await })
    });
    for reply in join_all(requests).await {
        let reply = reply.expect("a reply");
        assert_eq!((reply.status.as_u16(), reply.code()), (401, "UNAUTHENTICATED"), "{}", reply.body);
    }
    assert_eq!(other.next().await, 2, "another session of the same user lives on");
}

#[tokio::test]
async fn a_logout_ends_one_session_and_only_once() {
    let (test, first) = TestApp::with_user().await;
    let (second, third) = (log_in(&test).await, log_in(&test).await);
    assert_eq!(second.run(LOGOUT).await.data()["logout"]["endedSessions"], 1);
    assert!(is_refused(&second).await);
    assert!(!is_refused(&first).await && !is_refused(&third).await);
    assert_eq!(second.run(LOGOUT).await.status.as_u16(), 401, "an ended session can do nothing, not even end");
    assert_eq!(test.rows().await.sessions, 3, "the rows stay");
}

#[tokio::test]
async fn the_second_logout_of_one_operation_finds_nothing_to_end() {
    let (_test, user) = TestApp::with_user().await;
    let reply = user.run("mutation { a: logout { endedSessions } b: logout { endedSessions } }").await;
    assert_eq!((reply.at("/data/a/endedSessions"), reply.at("/data/b/endedSessions")), (&1.into(), &0.into()));
}

/// A verification that began before the logout must not be remembered beyond it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_that_is_being_verified_during_logout_is_refused_after_it() {
    let (test, _) = TestApp::with_user().await;
    for round in 0..25 {
        let user = log_in(&test).await;
        let ask = || {
            let user = user.clone();
            tokio::spawn(async move { user.run("{ current }").await })
        };
        let before: Vec<_> = (0..4).map(|_| ask()).collect();
        let logout = user.run(LOGOUT).await;
        assert_eq!(logout.data()["logout"]["endedSessions"], 1, "round {round}");
        let after: Vec<_> = (0..4).map(|_| ask()).collect();
        for reply in join_all(after).await {
            assert_eq!(reply.expect("a reply").status.as_u16(), 401, "round {round}");
        }
        for reply in join_all(before).await {
            let status = reply.expect("a reply").status.as_u16();
            assert!([200, 401].contains(&status), "round {round}: {status}");
        }
        assert!(is_refused(&user).await, "round {round}: nobody remembered it");
    }
}
