//! API keys: how they look, what is kept of them, what can be asked for, and what one for a counter may do.

use cloakroom::counters::counter;
use cloakroom::id::{CounterId, UserId};
use futures_util::future::join_all;
use sea_orm::ActiveModelTrait as _;
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};

use super::forger::assert_refusal;
use crate::support::{Caller, PASSWORD, TestApp, dump};

const CREATE: &str = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
    secret apiKey { id name prefix scopes counter { name current } createdAt lastUsedAt expiresAt }
    userErrors { code field message } } }";

async fn create(caller: &Caller, mut input: Value) -> crate::support::Reply {
    if input.get("password").is_none() {
        input["password"] = json!(PASSWORD);
    }
    caller.run_with(CREATE, json!({ "input": input })).await
}

/// One more counter of this user's, and its id.
pub async fn another_counter(test: &TestApp, user: &str, name: &'static str) -> String {
    let (id, user) = (CounterId::generate(), UserId::parse(user).expect("a user's id"));
    let now = test.clock.now();
    let row = counter::ActiveModel {
        id: Set(id),
        user_id: Set(user),
        name: Set(name.to_owned()),
        current: Set(0),
        step: Set(1),
        max: Set(1000),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let written = test.app.database.write(move |transaction| {
        let row = row.clone();
        Box::pin(async move { Ok(row.insert(transaction).await.map(drop)?) })
    });
    assert!(written.await.is_ok(), "the counter is made");
    id.to_string()
}

#[tokio::test]
async fn a_key_has_a_prefix_and_a_checksum_and_is_shown_once() {
    let (test, anna) = TestApp::with_user().await;
    let input = json!({ "name": "  backup  ", "scopes": ["COUNTERS_NEXT"], "expiresAt": "2027-01-01T01:00:00+01:00" });
    let created = create(&anna, input).await.data()["createApiKey"].clone();
    let secret = created["secret"].as_str().expect("a secret").to_owned();
    let digits = secret.strip_prefix("crk_").expect("the prefix for secret scanners");
    assert!(digits.len() == 48 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{secret}");
    let (random, checksum) = digits.split_at(40);
    assert_eq!(checksum, format!("{:08x}", crc32fast::hash(random.as_bytes())));
    let key = &created["apiKey"];
    let expected = json!({
        "id": key["id"], "name": "backup", "prefix": &secret[..12], "scopes": ["COUNTERS_NEXT"], "counter": null,
        "createdAt": "2026-11-20T12:00:00.000000Z", "lastUsedAt": null, "expiresAt": "2027-01-01T00:00:00.000000Z",
    });
    assert_eq!((key, &created["userErrors"]), (&expected, &json!([])));

    let program = test.bearer(Some(&secret));
    assert_eq!(program.next().await, 1);
    let list = anna.run("{ viewer { apiKeys { id name prefix scopes expiresAt } } }").await;
    assert_eq!(list.data()["viewer"]["apiKeys"][0]["id"], key["id"]);
    assert!(!list.body.to_string().contains(random), "never again");
    let kept = dump(&test).await;
    assert!(kept.contains(&secret[..12]) && !kept.contains(&random[9..]), "a hash is kept, and the first characters");
}

#[tokio::test]
async fn scopes_come_in_one_order_and_once() {
    let (_test, anna) = TestApp::with_user().await;
    let scopes = ["PHOTOS_WRITE", "COUNTERS_NEXT", "ACCOUNT_READ", "COUNTERS_NEXT", "PHOTOS_WRITE"];
    let created = create(&anna, json!({ "name": "x", "scopes": scopes })).await;
    let key = &created.data()["createApiKey"]["apiKey"];
    assert_eq!(key["scopes"], json!(["ACCOUNT_READ", "COUNTERS_NEXT", "PHOTOS_WRITE"]));
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_field_and_leaves_nothing() {
    let (test, anna) = TestApp::with_user().await;
    let next = json!(["COUNTERS_NEXT"]);
    for (input, expected) in [
        (json!({ "name": "", "scopes": next }), vec!["REQUIRED input.name"]),
        (json!({ "name": " ", "scopes": [] }), vec!["REQUIRED input.name", "REQUIRED input.scopes"]),
        (json!({ "name": "x".repeat(101), "scopes": next }), vec!["TOO_LONG input.name"]),
        (json!({ "name": "a\u{0}b", "scopes": next }), vec!["INVALID input.name"]),
        (json!({ "name": "x", "scopes": next, "counter": "other" }), vec!["NOT_FOUND input.counter"]),
        (json!({ "name": "x", "scopes": next, "counter": "a\u{0}" }), vec!["NOT_FOUND input.counter"]),
        (json!({ "name": "x", "scopes": ["ACCOUNT_READ"], "counter": "default" }), vec!["INVALID input.scopes"]),
        (
            json!({ "name": "x", "scopes": ["COUNTERS_READ", "PHOTOS_READ"], "counter": "default" }),
            vec!["INVALID input.scopes"],
        ),
        (json!({ "name": "x", "scopes": next, "expiresAt": "2026-11-20T12:00:00Z" }), vec!["INVALID input.expiresAt"]),
        (json!({ "name": "x", "scopes": next, "expiresAt": "0001-01-01T00:00:00Z" }), vec!["INVALID input.expiresAt"]),
    ] {
        let reply = create(&anna, input.clone()).await;
        assert_eq!(reply.user_errors("createApiKey"), expected, "{input}");
        let payload = &reply.data()["createApiKey"];
        assert_eq!((&payload["apiKey"], &payload["secret"]), (&Value::Null, &Value::Null), "{input}");
    }
    for bad in ["9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+23:59", "tomorrow", "2026-11-20"] {
        let reply = create(&anna, json!({ "name": "x", "scopes": next, "expiresAt": bad })).await;
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&reply.code()), "{bad}: {}", reply.body);
    }
    let list = anna.run("{ viewer { apiKeys { id } events { nodes { kind } } } }").await;
    assert_eq!(list.data()["viewer"]["apiKeys"], json!([]));
    assert!(!list.body.to_string().contains("API_KEY_CREATED"), "{}", list.body);
    assert!(!dump(&test).await.contains("crk_"));
}

#[tokio::test]
async fn a_name_of_100_characters_and_the_last_moment_are_good() {
    let (_test, anna) = TestApp::with_user().await;
    let (name, end) = ("ö".repeat(100), "9999-12-31T23:59:59.999999Z");
    let input = json!({ "name": name, "scopes": ["COUNTERS_READ"], "expiresAt": end });
    let reply = create(&anna, input).await;
    let key = &reply.data()["createApiKey"]["apiKey"];
    assert_eq!((&key["name"], &key["expiresAt"]), (&json!(name), &json!(end)));
    let listed = anna.run("{ viewer { apiKeys { name expiresAt } } }").await;
    assert_eq!(listed.data()["viewer"]["apiKeys"], json!([{ "name": name, "expiresAt": end }]));
}

#[tokio::test]
async fn a_key_for_one_counter_works_on_that_one_alone() {
    let (test, anna) = TestApp::with_user().await;
    another_counter(&test, &anna.user_id().await, "other").await;
    let all = "scopes: [COUNTERS_READ, COUNTERS_NEXT, COUNTERS_WRITE]";
    let default = test.key_of(&anna, &format!("{all}, counter: \"default\"")).await;
    let other = test.key_of(&anna, &format!("{all}, counter: \"other\"")).await;

    assert_eq!(default.next().await, 1);
    assert_eq!(default.run("{ current viewer { counter { current } } }").await.data()["current"], 1);
    let set = "mutation ($counter: String!) { setCurrent(input: { current: 7, counter: $counter }) { previous } }";
    assert_eq!(default.run_with(set, json!({ "counter": "default" })).await.data()["setCurrent"]["previous"], 1);
    assert_eq!(other.run_with(set, json!({ "counter": "other" })).await.data()["setCurrent"]["previous"], 0);
    assert_eq!(
        other.run("{ viewer { counter(name: \"other\") { current } } }").await.data()["viewer"]["counter"]["current"],
        7
    );

    assert_eq!(other.run("mutation { next { value } }").await.code(), "FORBIDDEN");
    for (key, foreign) in [(&default, "other"), (&other, "default"), (&default, "nothing"), (&default, "DEFAULT")] {
        for reply in [
            key.run_with("query ($c: String!) { current(counter: $c) }", json!({ "c": foreign })).await,
            key.run_with("query ($c: String!) { viewer { counter(name: $c) { id } } }", json!({ "c": foreign })).await,
            key.run_with(set, json!({ "counter": foreign })).await,
        ] {
            assert_eq!(reply.code(), "FORBIDDEN", "{foreign}: {}", reply.body);
        }
    }
    let shown = anna.run("{ viewer { apiKeys { counter { name } } } }").await;
    let names = json!([{ "counter": { "name": "other" } }, { "counter": { "name": "default" } }]);
    assert_eq!(shown.data()["viewer"]["apiKeys"], names, "the newest first");
}

#[tokio::test]
async fn of_many_keys_made_at_once_only_so_many_stay() {
    let test = TestApp::with_config(|config| config.accounts.max_api_keys = 3).await;
    let anna = test.sign_up("anna").await;
    let soon = json!({ "name": "x", "scopes": ["COUNTERS_READ"], "expiresAt": "2026-11-20T12:01:00Z" });
    let all = join_all((0..9).map(|_| create(&anna, soon.clone()))).await;
    let (made, refused): (Vec<_>, Vec<_>) =
        all.iter().partition(|reply| reply.user_errors("createApiKey").is_empty() && reply.code().is_empty());
    assert_eq!((made.len(), refused.len()), (3, 6));
    for reply in refused {
        assert_eq!(reply.user_errors("createApiKey"), ["LIMIT_REACHED"], "{}", reply.body);
        let message = reply.at("/data/createApiKey/userErrors/0/message").as_str().unwrap_or_default();
        assert!(message.contains('3'), "{message}");
    }
    let bert = test.sign_up("bert").await;
    assert!(create(&bert, soon.clone()).await.user_errors("createApiKey").is_empty(), "each user has their own");
    test.clock.advance(60);
    let later = json!({ "name": "x", "scopes": ["COUNTERS_READ"] });
    assert!(create(&anna, later).await.user_errors("createApiKey").is_empty(), "expired ones do not count");
}

/// A program that guesses hears what anybody with a bad token hears, and no more.
#[tokio::test]
async fn what_is_no_key_is_refused_like_any_bad_token() {
    let (test, anna) = TestApp::with_user().await;
    let key = test.key_of(&anna, "scopes: [COUNTERS_READ]").await;
    let secret = key.token.clone().expect("a key");
    let digits = &secret[4..44];
    let other = if digits.starts_with('0') { "1" } else { "0" };
    let unknown = format!("{other}{}", &digits[1..]);
    let bad_token = test.bearer(Some("nonsense")).run("{ current }").await;
    for bad in [
        "crk_".to_owned(),
        format!("crk_{unknown}{}", &secret[44..]),
        format!("crk_{unknown}{:08x}", crc32fast::hash(unknown.as_bytes())),
        secret.to_uppercase(),
        format!("CRK_{}", &secret[4..]),
        secret[4..].to_owned(),
        secret[..secret.len() - 1].to_owned(),
        format!("{secret}0"),
        format!("{secret}.{secret}"),
        format!("crk_{}", "é".repeat(24)),
        format!("crk_{}", "0".repeat(8000)),
    ] {
        let Ok(value) = axum::http::HeaderValue::from_bytes(format!("Bearer {bad}").as_bytes()) else { continue };
        let request = axum::http::Request::post("/graphql").header("content-type", "application/json");
        let request = request.header("authorization", value).body(r#"{ "query": "{ current }" }"#.into());
        let reply = test.anonymous().send(request.expect("a request")).await;
        assert_refusal(&test, &reply).await;
        assert_eq!(reply.body, bad_token.body, "{bad}");
        assert!(!reply.body.to_string().contains("crk_"), "{}", reply.body);
    }
    assert!(!key.is_refused().await);
}

#[tokio::test]
async fn a_key_counts_in_the_authorization_header_alone() {
    let (test, anna) = TestApp::with_user().await;
    let secret = test.key_of(&anna, "scopes: [COUNTERS_READ]").await.token.expect("a key");
    for (name, value) in
        [("x-api-key", secret.clone()), ("api-key", secret.clone()), ("cookie", format!("token={secret}"))]
    {
        let request = axum::http::Request::post(format!("/graphql?access_token={secret}&api_key={secret}"))
            .header("content-type", "application/json")
            .header(name, &value);
        let body = format!(r#"{{ "query": "{{ current }}", "extensions": {{ "token": "{secret}" }} }}"#);
        let reply = test.anonymous().send(request.body(body.into()).expect("a request")).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (200, "UNAUTHENTICATED"), "{name}");
    }
    let request =
        axum::http::Request::get("/graphql?query=%7Bcurrent%7D").header("authorization", format!("bearer {secret}"));
    let reply = test.anonymous().send(request.body("".into()).expect("a request")).await;
    assert_eq!(reply.data()["current"], 0, "also with GET, and whatever the case of the scheme");
}
