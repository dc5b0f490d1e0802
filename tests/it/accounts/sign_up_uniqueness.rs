//! One address and one username each belong to one person, however they are spelled and however many try.

use cloakroom::config::EmailVerification;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Rows, TestApp};

const SIGN_UP: &str = "mutation ($input: SignUpInput!) { signUp(input: $input) {
    user { id } tokens { accessToken } userErrors { code field message } } }";

async fn sign_up(test: &TestApp, mut input: Value) -> Reply {
    input["password"] = json!(PASSWORD);
    test.anonymous().run_with(SIGN_UP, json!({ "input": input })).await
}

/// A server on which an address belongs to the account that gives it first.
async fn unconfirmed() -> TestApp {
    TestApp::with_config(|config| config.accounts.email_verification = EmailVerification::Off).await
}

#[tokio::test]
async fn another_spelling_of_a_taken_username_is_taken() {
    let test = TestApp::start().await;
    sign_up(&test, json!({ "username": "José.K" })).await.data();
    let before = test.rows().await;
    for spelling in ["José.K", "josé.k", "JOSÉ.K", "jose\u{301}.k", "ＪＯＳÉ．Ｋ", "José.\u{212a}"] {
        let reply = sign_up(&test, json!({ "username": spelling, "email": "other@example.org" })).await;
        assert_eq!(reply.user_errors("signUp"), ["TAKEN input.username"], "{spelling}");
        assert_eq!((reply.at("/data/signUp/user"), reply.at("/data/signUp/tokens")), (&Value::Null, &Value::Null));
    }
    assert_eq!(test.rows().await, before, "refused sign-ups leave nothing");
    assert_eq!(sign_up(&test, json!({ "username": "jose.k" })).await.user_errors("signUp"), [""; 0]);
}

#[tokio::test]
async fn where_nothing_is_confirmed_another_spelling_of_a_taken_address_is_taken() {
    let test = unconfirmed().await;
    sign_up(&test, json!({ "email": "Jörg@Example.org" })).await.data();
    let before = test.rows().await;
    for spelling in ["Jörg@Example.org", "jörg@example.org", "JÖRG@EXAMPLE.ORG", "jo\u{308}rg@example.org"] {
        let reply = sign_up(&test, json!({ "email": spelling, "username": "other" })).await;
        assert_eq!(reply.user_errors("signUp"), ["TAKEN input.email"], "{spelling}");
    }
    assert_eq!(test.rows().await, before, "refused sign-ups leave nothing");
    assert_eq!(sign_up(&test, json!({ "username": "other" })).await.user_errors("signUp"), [""; 0]);
}

/// MariaDB says in one sentence what is taken and by which key.
#[tokio::test]
async fn a_taken_name_that_is_called_like_a_column_is_still_a_taken_username() {
    let test = unconfirmed().await;
    for username in ["email_key", "email_owner_key", "username_key"] {
        sign_up(&test, json!({ "username": username })).await.data();
        assert_eq!(
            sign_up(&test, json!({ "username": username })).await.user_errors("signUp"),
            ["TAKEN input.username"]
        );
        let email = format!("{username}@example.org");
        sign_up(&test, json!({ "email": email })).await.data();
        assert_eq!(sign_up(&test, json!({ "email": email })).await.user_errors("signUp"), ["TAKEN input.email"]);
    }
}

#[tokio::test]
async fn a_made_up_username_can_be_taken_by_nobody_else() {
    let test = TestApp::start().await;
    let query = "mutation ($input: SignUpInput!) { signUp(input: $input) { user { username } userErrors { code } } }";
    let input = json!({ "input": { "email": "a@example.org", "password": PASSWORD } });
    let reply = test.anonymous().run_with(query, input).await;
    let username = reply.at("/data/signUp/user/username").as_str().expect("a username").to_uppercase();
    assert_eq!(sign_up(&test, json!({ "username": username })).await.user_errors("signUp"), ["TAKEN input.username"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_20_simultaneous_sign_ups_with_one_address_one_wins() {
    let spellings = ["race@example.org", "Race@example.org", "RACE@EXAMPLE.ORG", "race@Example.Org"];
    race("email", &spellings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_20_simultaneous_sign_ups_with_one_username_one_wins() {
    race("username", &["race", "Race", "RACE", "ｒａｃｅ"]).await;
}

async fn race(field: &str, spellings: &[&str]) {
    let test = unconfirmed().await;
    let attempts = (0..20).map(|attempt| {
        let caller = test.anonymous();
        let mut input = json!({ "password": PASSWORD });
        input[field] = json!(spellings[attempt % spellings.len()]);
        tokio::spawn(async move { caller.run_with(SIGN_UP, json!({ "input": input })).await })
    });
    let replies: Vec<Reply> = join_all(attempts).await.into_iter().map(|reply| reply.expect("a reply")).collect();

    let winners: Vec<&Reply> = replies.iter().filter(|reply| reply.at("/data/signUp/user").is_object()).collect();
    assert_eq!(winners.len(), 1, "{replies:?}");
    let losers = replies.iter().filter(|reply| reply.at("/data/signUp/user").is_null());
    for loser in losers {
        assert_eq!(loser.user_errors("signUp"), [format!("TAKEN input.{field}")], "{}", loser.body);
    }
    assert_eq!(
        test.rows().await,
        Rows { users: 1, sessions: 1, counters: 1, ..Rows::default() },
        "the losers leave nothing"
    );
    let token = winners[0].at("/data/signUp/tokens/accessToken").as_str();
    assert_eq!(test.bearer(token).next().await, 1);
}
