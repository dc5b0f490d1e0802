//! `signUp` makes a user, furnished and signed in, or nothing at all.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, Rows, TestApp};

const SIGN_UP: &str = "mutation ($input: SignUpInput!) { signUp(input: $input) {
    user { id username email displayName createdAt }
    tokens { accessToken refreshToken tokenType expiresIn expiresAt }
    userErrors { code field message } } }";

async fn sign_up(test: &TestApp, input: Value) -> Reply {
    test.anonymous().run_with(SIGN_UP, json!({ "input": input })).await
}

#[tokio::test]
async fn an_address_alone_is_enough_and_a_username_is_made_up() {
    let test = TestApp::start().await;
    let reply = sign_up(&test, json!({ "email": "Me@Example.org", "password": PASSWORD })).await;
    let user = &reply.data()["signUp"]["user"];
    assert_eq!(user["email"], "Me@Example.org", "as it was written");
    let username = user["username"].as_str().expect("a username");
    assert!(username.starts_with("user-") && username.len() == 15, "{username}");
    assert_eq!(user["displayName"], Value::Null);

    let another = sign_up(&test, json!({ "email": "you@example.org", "password": PASSWORD })).await;
    assert_ne!(another.at("/data/signUp/user/username"), username);
}

#[tokio::test]
async fn a_username_alone_is_enough() {
    let test = TestApp::start().await;
    let reply = sign_up(&test, json!({ "username": "Zoë_1.x-y", "password": PASSWORD })).await;
    let user = &reply.data()["signUp"]["user"];
    assert_eq!((&user["username"], &user["email"]), (&json!("Zoë_1.x-y"), &Value::Null));
}

#[tokio::test]
async fn everything_given_is_kept_and_the_tokens_work() {
    let test = TestApp::start().await;
    let input = json!({ "email": "anna@example.org", "username": "Anna", "password": PASSWORD, "displayName": "  Anna Å. 🦊 " });
    let reply = sign_up(&test, input).await;
    let payload = &reply.data()["signUp"];
    assert_eq!(payload["userErrors"], json!([]));
    let user = &payload["user"];
    assert_eq!((&user["username"], &user["displayName"]), (&json!("Anna"), &json!("Anna Å. 🦊")));
    assert_eq!(user["createdAt"], "2026-11-20T12:00:00.000000Z");
    let tokens = &payload["tokens"];
    assert_eq!((&tokens["tokenType"], &tokens["expiresIn"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(tokens["expiresAt"], "2026-11-20T12:15:00.000000Z");
    assert!(tokens["refreshToken"].as_str().is_some_and(|token| token.starts_with("crt_") && token.len() == 74));
    assert_eq!(reply.header("cache-control"), "no-store");

    let own = test.bearer(tokens["accessToken"].as_str());
    assert_eq!(own.run("{ viewer { user { id } } }").await.data()["viewer"]["user"]["id"], user["id"]);
}

#[tokio::test]
async fn the_counter_named_default_is_there_at_once() {
    let (test, user) = TestApp::with_user().await;
    let reply = user.run("{ current viewer { role counter { name current step max } } }").await;
    assert_eq!(reply.data()["current"], 0);
    let counter = json!({ "name": "default", "current": 0, "step": 1, "max": 9_007_199_254_740_991_i64 });
    assert_eq!(reply.data()["viewer"], json!({ "role": "USER", "counter": counter }));
    assert_eq!(test.rows().await, Rows { users: 1, sessions: 1, counters: 1, ..Rows::default() });
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_and_nothing_is_written() {
    let test = TestApp::start().await;
    let input = json!({ "email": "nobody", "username": "a b", "password": "short", "displayName": "two\nlines" });
    let reply = sign_up(&test, input).await;
    assert_eq!(
        reply.user_errors("signUp"),
        ["INVALID input.email", "INVALID input.username", "INVALID input.displayName", "TOO_SHORT input.password"]
    );
    assert_eq!((reply.at("/data/signUp/user"), reply.at("/data/signUp/tokens")), (&Value::Null, &Value::Null));
    assert_eq!(test.rows().await, Rows::default());
}

#[tokio::test]
async fn nobody_signs_up_without_an_address_or_username_and_the_rest_is_checked_as_well() {
    let test = TestApp::start().await;
    let reply = sign_up(&test, json!({ "password": "short", "displayName": " " })).await;
    assert_eq!(
        reply.user_errors("signUp"),
        ["REQUIRED input", "REQUIRED input.displayName", "TOO_SHORT input.password"]
    );
    assert_eq!(test.rows().await, Rows::default());
}

#[tokio::test]
async fn passwords_have_8_to_1024_characters_of_any_script() {
    let test = TestApp::with_config(|config| config.accounts.password_strength = 0).await;
    for (index, (password, expected)) in [
        ("1234567".to_owned(), vec!["TOO_SHORT input.password"]),
        ("12345678".to_owned(), vec![]),
        ("🦊".repeat(7), vec!["TOO_SHORT input.password"]),
        ("ף🦊".repeat(512), vec![]),
        ("x".repeat(1024), vec![]),
        ("x".repeat(1025), vec!["TOO_LONG input.password"]),
        ("  spaces  count  ".to_owned(), vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = sign_up(&test, json!({ "username": format!("user{index}"), "password": password })).await;
        assert_eq!(reply.user_errors("signUp"), expected, "{password}");
    }
}

#[tokio::test]
async fn a_long_password_counts_to_its_last_character() {
    let test = TestApp::start().await;
    let password = format!("{PASSWORD}{}", "x".repeat(1023 - PASSWORD.len()));
    sign_up(&test, json!({ "username": "anna", "password": format!("{password}a") })).await.data();
    let login =
        "mutation ($p: String!) { login(input: { identifier: \"anna\", password: $p }) { userErrors { code field } } }";
    let wrong = test.anonymous().run_with(login, json!({ "p": format!("{password}b") })).await;
    assert_eq!(wrong.user_errors("login"), ["WRONG_CREDENTIALS"]);
    let right = test.anonymous().run_with(login, json!({ "p": format!("{password}a") })).await;
    assert_eq!(right.user_errors("login"), [""; 0]);
}

#[tokio::test]
async fn a_username_counts_as_it_is_stored() {
    let test = TestApp::start().await;
    // One character that is written out as four: 36 of them, though only 9 were typed.
    let long = "㍿".repeat(9);
    let reply = sign_up(&test, json!({ "username": long, "password": PASSWORD })).await;
    assert_eq!(reply.user_errors("signUp"), ["TOO_LONG input.username"]);
    let fits = "㍿".repeat(8);
    let reply = sign_up(&test, json!({ "username": fits, "password": PASSWORD })).await;
    assert_eq!(reply.at("/data/signUp/user/username"), &json!("株式会社".repeat(8)));
}
