//! `login` opens a session for the right password, and gives nothing away for a wrong one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp};

const LOGIN: &str = "mutation ($identifier: String!, $password: String!) {
    login(input: { identifier: $identifier, password: $password, deviceName: \"Test\" }) {
        user { username email } tokens { accessToken refreshToken } userErrors { code field message } } }";

async fn login(test: &TestApp, identifier: &str, password: &str) -> Reply {
    test.anonymous().run_with(LOGIN, json!({ "identifier": identifier, "password": password })).await
}

#[tokio::test]
async fn the_username_or_the_address_will_do_in_any_case() {
    let (test, _) = TestApp::with_user().await;
    let mut tokens = Vec::new();
    for identifier in ["anna", "Anna", "ＡＮＮＡ", " anna ", "anna@example.org", "ANNA@Example.ORG"] {
        let reply = login(&test, identifier, PASSWORD).await;
        let payload = &reply.data()["login"];
        assert_eq!(payload["userErrors"], json!([]), "{identifier}");
        assert_eq!(payload["user"], json!({ "username": "anna", "email": "anna@example.org" }));
        let token = payload["tokens"]["accessToken"].as_str().expect("a token").to_owned();
        assert_eq!(test.bearer(Some(&token)).run("{ current }").await.data()["current"], 0);
        tokens.push((token, payload["tokens"]["refreshToken"].clone()));
    }
    let sessions = test.rows().await.sessions;
    assert_eq!(sessions, 7, "a session each, and the one of the sign-up");
    tokens.dedup();
    assert_eq!(tokens.len(), 6, "S8: new tokens per login");
}

#[tokio::test]
async fn one_password_can_be_typed_in_two_ways() {
    let test = TestApp::start().await;
    let sign_up = "mutation ($p: String!) { signUp(input: { username: \"zoe\", password: $p }) { user { id } } }";
    test.anonymous().run_with(sign_up, json!({ "p": "caf\u{e9} caf\u{e9}" })).await.data();
    let reply = login(&test, "zoe", "cafe\u{301} cafe\u{301}").await;
    assert!(reply.at("/data/login/user").is_object(), "NFKC: {}", reply.body);
    let reply = login(&test, "zoe", "CAFÉ CAFÉ").await;
    assert_eq!(reply.user_errors("login"), ["WRONG_CREDENTIALS"], "upper and lower case differ");
}

#[tokio::test]
async fn an_unknown_identifier_is_answered_like_a_wrong_password() {
    let (test, _) = TestApp::with_user().await;
    let before = test.rows().await;
    let wrong = login(&test, "anna", "wrong horse battery").await;
    assert_eq!(wrong.user_errors("login"), ["WRONG_CREDENTIALS"]);
    assert_eq!(wrong.at("/data/login/userErrors/0/field"), &Value::Null, "neither of the two is pointed at");
    let unknown = ["nobody", "nobody@example.org", "a\0b", "\u{202e}annA", "@", "x'; DROP TABLE users; --"];
    for (identifier, password) in unknown.map(|identifier| (identifier, PASSWORD)).into_iter().chain([
        ("anna@example.org", "wrong horse battery"),
        ("anna", "x"),
        ("anna", "nobody has this password"),
        ("nobody", "nobody has this password"),
    ]) {
        let reply = login(&test, identifier, password).await;
        assert_eq!((reply.status, &reply.body), (wrong.status, &wrong.body), "{identifier}");
        let mut names: Vec<&str> = reply.headers.keys().map(|name| name.as_str()).collect();
        let mut expected: Vec<&str> = wrong.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected, "{identifier}");
    }
    assert_eq!(test.rows().await, before, "no session was opened");
}

/// A login without the hash would take a hundredth of the time; the two are timed in turn, so that a busy
/// machine slows both, and the medians may differ by a factor of 3.
#[tokio::test]
async fn an_unknown_identifier_costs_as_much_work_as_a_wrong_password() {
    let test = TestApp::with_config(|config| {
        config.accounts.password_memory_kib = 19_456;
        config.accounts.password_passes = 2;
    })
    .await;
    test.sign_up("anna").await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..11 {
        known.push(time_of(login(&test, "anna", "wrong horse battery")).await);
        unknown.push(time_of(login(&test, "nobody", "wrong horse battery")).await);
    }
    let (known, unknown) = (median(known), median(unknown));
    assert!(unknown * 3 > known && known * 3 > unknown, "wrong password {known:?}, unknown user {unknown:?}");
}

async fn time_of(attempt: impl Future<Output = Reply>) -> Duration {
    let started = Instant::now();
    assert_eq!(attempt.await.user_errors("login"), ["WRONG_CREDENTIALS"]);
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
