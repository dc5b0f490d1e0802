//! `refreshTokens`: good once, and forgiving to lost answers. What is a theft is in `refresh_reuse.rs`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, Reply, TestApp};

const REFRESH: &str = "mutation ($token: String!) { refreshTokens(input: { refreshToken: $token }) {
    tokens { accessToken refreshToken tokenType expiresIn } userErrors { code field message } } }";

async fn log_in(test: &TestApp, username: &str) -> (Caller, String) {
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "{username}", password: "{PASSWORD}" }}) {{ tokens {{ accessToken refreshToken }} }} }}"#
    );
    let reply = test.anonymous().run(&login).await;
    let tokens = &reply.data()["login"]["tokens"];
    (test.bearer(tokens["accessToken"].as_str()), text(&tokens["refreshToken"]))
}

async fn refresh(test: &TestApp, token: &str) -> Reply {
    test.anonymous().run_with(REFRESH, json!({ "token": token })).await
}

fn tokens(reply: &Reply) -> &Value {
    assert_eq!(reply.user_errors("refreshTokens"), [""; 0], "{}", reply.body);
    reply.at("/data/refreshTokens/tokens")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a string, not {value}")).to_owned()
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next_pair() {
    let (test, _) = TestApp::with_user().await;
    let (user, first) = log_in(&test, "anna").await;
    let reply = refresh(&test, &first).await;
    let pair = tokens(&reply);
    assert_eq!((&pair["tokenType"], &pair["expiresIn"]), (&json!("Bearer"), &json!(900)));
    assert_ne!(text(&pair["refreshToken"]), first);
    assert_eq!(test.bearer(pair["accessToken"].as_str()).run("{ current }").await.data()["current"], 0);
    assert_eq!(user.run("{ current }").await.data()["current"], 0, "the access token before lives on to its expiry");
}

#[tokio::test]
async fn a_session_lives_as_long_as_it_is_refreshed_and_not_for_ever() {
    let test = TestApp::with_config(|config| {
        config.accounts.refresh_token_seconds = 1000;
        config.accounts.session_seconds = 2500;
    })
    .await;
    test.sign_up("anna").await;
    let (_, mut token) = log_in(&test, "anna").await;
    for _ in 0..2 {
        test.clock.advance(900);
        token = text(&tokens(&refresh(&test, &token).await)["refreshToken"]);
    }
    test.clock.advance(900);
    let ended = refresh(&test, &token).await;
    assert_eq!(ended.user_errors("refreshTokens"), ["EXPIRED input.refreshToken"], "2700 s are more than 2500");

    let (_, unused) = log_in(&test, "anna").await;
    test.clock.advance(1000);
    assert_eq!(refresh(&test, &unused).await.user_errors("refreshTokens"), ["EXPIRED input.refreshToken"]);
}

#[tokio::test]
async fn an_access_token_ends_with_its_session_also_where_it_is_remembered() {
    let test = TestApp::with_config(|config| {
        config.accounts.refresh_token_seconds = 1000;
        config.accounts.session_seconds = 1000;
    })
    .await;
    test.sign_up("anna").await;
    let (_, token) = log_in(&test, "anna").await;
    test.clock.advance(900);
    let reply = refresh(&test, &token).await;
    let user = test.bearer(tokens(&reply)["accessToken"].as_str());
    test.clock.advance(99);
    assert_eq!(user.run("{ current }").await.data()["current"], 0);
    test.clock.advance(1);
    assert_eq!(user.run("{ current }").await.code(), "UNAUTHENTICATED", "1000 s are over, its own 900 are not");
}

#[tokio::test]
async fn a_remembered_access_token_goes_on_when_its_session_is_prolonged() {
    let test = TestApp::with_config(|config| config.accounts.refresh_token_seconds = 900).await;
    test.sign_up("anna").await;
    let (user, token) = log_in(&test, "anna").await;
    assert_eq!(user.run("{ current }").await.data()["current"], 0);
    test.clock.advance(600);
    tokens(&refresh(&test, &token).await);
    test.clock.advance(310);
    assert_eq!(user.run("{ current }").await.data()["current"], 0, "within the leeway, and the session lives on");
}

#[tokio::test]
async fn what_is_no_refresh_token_of_ours_is_invalid_and_ends_nothing() {
    let (test, user) = TestApp::with_user().await;
    let (_, good) = log_in(&test, "anna").await;
    let mut forged = good.clone();
    forged.replace_range(10..11, if good[10..11] == *"A" { "B" } else { "A" });
    let access = user.token.clone().expect("a token");
    for bad in
        ["", "crt_", "crt_AAAA", "nonsense", forged.as_str(), &access, &good[4..], &"x".repeat(100_000), "crt_\u{0}"]
    {
        let reply = refresh(&test, bad).await;
        assert_eq!(reply.user_errors("refreshTokens"), ["INVALID input.refreshToken"], "{bad:.40}: {}", reply.body);
    }
    tokens(&refresh(&test, &good).await);
}

/// Fifty tabs share one stored token. They refresh at once and late, with any of the last five tokens; three answers in
/// ten are lost, and the server is restarted in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_tabs_and_lost_answers_never_log_anyone_out() {
    let (mut test, _) = TestApp::with_user().await;
    let (_, first) = log_in(&test, "anna").await;
    let mut stored = vec![first];
    let mut seed = 20_261_120_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).expect("31 bits") % below
    };
    for round in 0..20 {
        let newest = stored.last().expect("the first one").clone();
        let sent: Vec<String> =
            (0..50).map(|_| stored[stored.len() - 1 - random(stored.len().min(5))].clone()).collect();
        let replies = join_all(sent.iter().map(|token| refresh(&test, token))).await;
        let heard: Vec<String> = replies.iter().map(|reply| text(&tokens(reply)["refreshToken"])).collect();
        let mut successors: Vec<&String> = heard.iter().filter(|token| **token != newest).collect();
        assert!(successors.iter().all(|successor| successor == &successors[0]), "at most one successor");
        // Every fourth round all answers are lost, and the client comes back with what it has.
        successors.retain(|_| round % 4 != 3 && random(10) >= 3);
        if let Some(pair) = replies.iter().find(|reply| tokens(reply)["refreshToken"] != json!(newest))
            && let Some(successor) = successors.first()
        {
            stored.push((*successor).clone());
            if random(2) == 0 {
                let user = test.bearer(tokens(pair)["accessToken"].as_str());
                assert_eq!(user.run("{ current }").await.data()["current"], 0);
            }
        }
        if round % 5 == 4 {
            test.restart().await;
        }
        // All of it is within a minute.
        test.clock.advance(2);
    }
    let last = stored.last().expect("one");
    tokens(&refresh(&test, last).await);
}

#[tokio::test]
async fn ended_sessions_are_not_refreshed() {
    let (test, _) = TestApp::with_user().await;
    let (user, token) = log_in(&test, "anna").await;
    user.run("mutation { logout { endedSessions } }").await.data();
    assert_eq!(refresh(&test, &token).await.user_errors("refreshTokens"), ["EXPIRED input.refreshToken"]);
}
