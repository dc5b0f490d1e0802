//! The memory of the rate limits: a clock that is corrected locks nobody out, and a flood of names
//! frees nobody.

use cloakroom::config::Bucket;
use futures_util::future::join_all;

use super::signed_in::{is_welcome, log_in, login, refresh, refreshed, stranger};
use crate::support::{PASSWORD, TestApp, TestDatabase};

const WRONG: &str = "wrong horse battery";
/// Two at once, and one more every minute.
const TWO: Bucket = Bucket { burst: 2, per_hour: 60 };
const HOURS: i64 = 2 * 3600;

async fn with_two_of_each() -> TestApp {
    let test = TestApp::with_config(|config| {
        let limits = &mut config.limits;
        for bucket in [
            &mut limits.login_per_address,
            &mut limits.login_per_account,
            &mut limits.login_from_known_address,
            &mut limits.mail_per_address,
            &mut limits.mail_per_account,
            &mut limits.refresh_per_address,
            &mut limits.refresh_per_session,
        ] {
            *bucket = TWO;
        }
    });
    test.await
}

#[tokio::test]
async fn a_clock_that_is_set_back_locks_nobody_out() {
    let test = with_two_of_each().await;
    test.sign_up("anna").await;
    let here = stranger(&test, "203.0.113.7");
    test.clock.correct(HOURS);
    let session = log_in(&here, "anna").await;
    let next = refreshed(&refresh(&here, &session.refresh_token).await);
    let reset = "mutation { requestPasswordReset(input: { email: \"anna@example.org\" }) { accepted } }";
    assert_eq!(here.run(reset).await.data()["requestPasswordReset"]["accepted"], true);
    test.clock.correct(-HOURS);
    assert_eq!(login(&here, "anna", PASSWORD).await.code(), "", "from here");
    assert_eq!(login(&stranger(&test, "198.51.100.5"), "anna", PASSWORD).await.code(), "RATE_LIMITED", "as before");
    refreshed(&refresh(&here, &next).await);
    assert_eq!(here.run(reset).await.data()["requestPasswordReset"]["accepted"], true);
    assert_eq!(here.run(reset).await.header("retry-after"), "60", "no longer than a minute for the next");
    test.clock.advance(60);
    assert_eq!(here.run(reset).await.data()["requestPasswordReset"]["accepted"], true);
    assert_eq!(login(&here, "anna", PASSWORD).await.code(), "");
}

#[tokio::test]
async fn a_clock_that_is_set_forward_frees_nobody() {
    let test = with_two_of_each().await;
    let here = stranger(&test, "203.0.113.7");
    for _ in 0..2 {
        assert_eq!(login(&here, "anna", WRONG).await.user_errors("login"), ["WRONG_CREDENTIALS"]);
    }
    test.clock.correct(HOURS);
    let refused = login(&here, "anna", WRONG).await;
    assert_eq!((refused.code(), refused.header("retry-after")), ("RATE_LIMITED", "60"));
}

/// Each server asks the database again after `session_recheck_seconds`, by whatever clock the
/// machine has.
#[tokio::test]
async fn a_clock_that_is_set_back_keeps_no_session_alive_on_another_server() {
    if TestDatabase::is_sqlite() {
        return; // One process at a time.
    }
    let (test, user) = TestApp::with_user().await;
    let (second, there) = test.replica(&user, &test.config.database.url.to_string()).await;
    assert!(is_welcome(&there).await, "its token is remembered");
    test.clock.correct(-60);
    user.run("mutation { logout { endedSessions } }").await.data();
    test.clock.advance(2);
    assert!(!is_welcome(&there).await);
    second.stop().await;
}

#[tokio::test]
async fn a_flood_of_names_frees_nobody_and_stops_nobody() {
    let test = TestApp::with_config(|config| {
        config.limits.max_buckets = 1024;
        config.limits.login_per_account = Bucket { burst: 20, per_hour: 60 };
        config.accounts.password_queue = 10_000;
    })
    .await;
    test.sign_up("bert").await;
    let guess = |name: String| {
        let caller = test.anonymous();
        async move { login(&caller, &name, WRONG).await.code().to_owned() }
    };
    let guesses = join_all((0..21).map(|_| guess("anna".to_owned()))).await;
    assert_eq!(guesses.iter().filter(|code| **code == "RATE_LIMITED").count(), 1);
    for round in 0..32 {
        let codes = join_all((0..64).map(|name| guess(format!("invented.{round}.{name}")))).await;
        assert!(codes.iter().all(String::is_empty), "{codes:?}");
    }
    assert_eq!(guess("anna".to_owned()).await, "RATE_LIMITED", "two names for each bucket of the table later");
    log_in(&test.anonymous(), "bert").await;
}

#[tokio::test]
async fn an_address_that_is_refused_spends_no_attempt_on_an_account() {
    let test = with_two_of_each().await;
    test.sign_up("anna").await;
    let guesser = stranger(&test, "198.51.100.66");
    for _ in 0..2 {
        login(&guesser, "nobody", WRONG).await;
    }
    for _ in 0..5 {
        assert_eq!(login(&guesser, "anna", WRONG).await.code(), "RATE_LIMITED");
    }
    for address in ["203.0.113.7", "203.0.113.8"] {
        log_in(&stranger(&test, address), "anna").await;
    }
}
