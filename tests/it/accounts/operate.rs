//! What only an operator does, and nobody else who asks.

use cloakroom::accounts::{AddUser, Password, Profile, Secret, UpdateProfile, user};
use cloakroom::caller::{Caller, Identity, Rights, Scope};
use cloakroom::error::Error;
use cloakroom::id::{ApiKeyId, SessionId, UserId};
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, export};

/// bcrypt of `correct horse battery`, as other systems keep it.
const FOREIGN: &str = "$2b$04$";

fn somebody(username: &str) -> AddUser {
    AddUser {
        profile: Profile {
            email: Some(format!("{username}@example.org")),
            username: Some(username.to_owned()),
            display_name: Some("Some Body".to_owned()),
        },
        secret: Secret::Password(Password::from(PASSWORD.to_owned())),
        role: user::Role::User,
        email_verified: false,
        created_at: None,
    }
}

/// `CODE field`, or the code of what is no user error.
fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Invalid(errors)) => {
            let told = errors
                .iter()
                .map(|error| format!("{:?} {}", error.code, error.field.clone().unwrap_or_default().join(".")));
            told.collect::<Vec<_>>().join(", ")
        }
        Err(error) => error.code().name().to_owned(),
        Ok(value) => format!("{value:?}"),
    }
}

fn id(text: &str) -> UserId {
    UserId::parse(text).expect("a user's id")
}

#[tokio::test]
async fn a_user_who_is_added_signs_in_with_their_password_and_has_a_counter() {
    let test = TestApp::start().await;
    let operator = Caller::operator();
    let signed_up = "2020-02-29T12:00:00Z".parse().expect("a moment");
    let input =
        AddUser { role: user::Role::Admin, email_verified: true, created_at: Some(signed_up), ..somebody("berta") };
    let added = test.app.accounts.add_user(&operator, input).await.expect("a user");
    assert_eq!(
        (added.role, added.created_at, added.email_verified_at),
        (user::Role::Admin, signed_up, Some(test.clock.now()))
    );
    let berta = test.sign_in("BERTA").await;
    assert_eq!(berta.next().await, 1);
    let viewer =
        berta.run("{ viewer { role emailVerifiedAt user { displayName createdAt } events { nodes { kind } } } }").await;
    let kinds = json!([{ "kind": "LOGGED_IN" }, { "kind": "SIGNED_UP" }]);
    let expected = json!({
        "role": "ADMIN", "emailVerifiedAt": "2026-11-20T12:00:00.000000Z", "events": { "nodes": kinds },
        "user": { "displayName": "Some Body", "createdAt": "2020-02-29T12:00:00.000000Z" },
    });
    assert_eq!(viewer.data()["viewer"], expected);

    for (taken, expected) in [("Berta", "Taken input.username"), ("b", "TooShort input.username")] {
        let profile = Profile { email: None, username: Some(taken.to_owned()), display_name: None };
        let result = test.app.accounts.add_user(&operator, AddUser { profile, ..somebody("x") }).await;
        assert_eq!(refusal(result), expected);
    }
    let short = AddUser { secret: Secret::Password(Password::from("short".to_owned())), ..somebody("carl") };
    assert_eq!(refusal(test.app.accounts.add_user(&operator, short).await), "TooShort input.password");
    let easy = AddUser { secret: Secret::Password(Password::from("password".to_owned())), ..somebody("carl") };
    assert!(test.app.accounts.add_user(&operator, easy).await.is_ok(), "an operator knows what they do");
    assert_eq!(test.rows().await.users, 2);
}

#[tokio::test]
async fn a_hash_from_elsewhere_is_taken_over_if_it_can_be_read_and_kept() {
    let test = TestApp::start().await;
    let operator = Caller::operator();
    let hash = foreign_hash();
    let added = test
        .app
        .accounts
        .add_user(&operator, AddUser { secret: Secret::Hash(hash.clone()), ..somebody("berta") })
        .await;
    assert_eq!(added.expect("a user").password_hash, hash);
    assert_eq!(test.sign_in("berta").await.next().await, 1);
    for bad in [
        String::new(),
        PASSWORD.to_owned(),
        "$1$abc$xyz".to_owned(),
        format!("{FOREIGN}nonsense"),
        hash.replace(":1000$", ":4000000000$"),
        format!("{hash}\0"),
        format!("pbkdf2:sha256:1000${}${}", "s".repeat(200), "00".repeat(32)),
        format!("$pbkdf2-sha256$i=1000${}$c2VjcmV0c2VjcmV0c2VjcmV0", "A".repeat(300)),
    ] {
        let input = AddUser { secret: Secret::Hash(bad.clone()), ..somebody("carl") };
        let shown = format!("{input:?}");
        assert!(bad.is_empty() || !shown.contains(&bad), "a secret is not shown: {shown}");
        assert_eq!(refusal(test.app.accounts.add_user(&operator, input).await), "Invalid input.passwordHash", "{bad}");
    }
    assert_eq!(test.rows().await.users, 1);
}

/// PBKDF2-SHA256 of the password, as Python's Werkzeug writes it.
fn foreign_hash() -> String {
    let mut key = [0_u8; 32];
    let iterations = std::num::NonZeroU32::new(1000).expect("not 0");
    aws_lc_rs::pbkdf2::derive(
        aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        b"saltsalt",
        PASSWORD.as_bytes(),
        &mut key,
    );
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("pbkdf2:sha256:1000$saltsalt${hex}")
}

#[tokio::test]
async fn another_password_ends_every_session_and_every_key() {
    let (test, anna) = TestApp::with_user().await;
    let (phone, key) = (test.sign_in("anna").await, test.key_of(&anna, "scopes: [COUNTERS_READ]").await);
    let (operator, who) = (Caller::operator(), id(&anna.user_id().await));
    let new = Password::from("quarry lantern 52 violin".to_owned());
    let short = Password::from("short".to_owned());
    assert_eq!(refusal(test.app.accounts.set_password(&operator, who, short).await), "TooShort input.password");
    assert!(!anna.is_refused().await);
    assert!(test.app.accounts.set_password(&operator, who, new).await.is_ok());
    assert!(anna.is_refused().await && phone.is_refused().await && key.is_refused().await);
    let login = |password: &str| {
        format!(
            "mutation {{ login(input: {{ identifier: \"anna\", password: \"{password}\" }}) {{ user {{ id }} userErrors {{ code }} }} }}"
        )
    };
    assert_eq!(test.anonymous().run(&login(PASSWORD)).await.user_errors("login"), ["WRONG_CREDENTIALS"]);
    let reply = test.anonymous().run(&login("quarry lantern 52 violin")).await;
    assert_eq!(reply.data()["login"]["user"]["id"], json!(who.to_string()));
}

#[tokio::test]
async fn a_rename_and_the_end_of_sessions_hold_at_once() {
    let (mut test, anna) = TestApp::with_user().await;
    let phone = test.sign_in("anna").await;
    let bert = test.sign_up("bert").await;
    let (operator, who) = (Caller::operator(), id(&anna.user_id().await));
    let change =
        |name: &str| UpdateProfile { username: Some(name.to_owned()), display_name: Some(Some("A. B.".to_owned())) };
    assert_eq!(refusal(test.app.accounts.rename(&operator, who, change("BERT")).await), "Taken input.username");
    assert!(test.app.accounts.rename(&operator, who, change("berta")).await.is_ok());
    let user = anna.run("{ viewer { user { username displayName } } }").await;
    assert_eq!(user.data()["viewer"]["user"], json!({ "username": "berta", "displayName": "A. B." }));
    assert_eq!(test.app.accounts.end_sessions_of(&operator, who).await.ok(), Some(2));
    assert_eq!(test.app.accounts.end_sessions_of(&operator, who).await.ok(), Some(0));
    assert!(anna.is_refused().await && phone.is_refused().await && !bert.is_refused().await);
    test.restart().await;
    assert!(test.bearer(anna.token.as_deref()).is_refused().await);
    let again = test.sign_in("berta").await.run("{ viewer { events(first: 2) { nodes { kind } } } }").await;
    let kinds = json!([{ "kind": "LOGGED_IN" }, { "kind": "SESSION_ENDED" }]);
    assert_eq!(again.data()["viewer"]["events"]["nodes"], kinds);
}

#[tokio::test]
async fn a_user_is_deleted_with_or_without_the_time_of_grace() {
    let (test, anna) = TestApp::with_user().await;
    let (bert, operator) = (test.sign_up("bert").await, Caller::operator());
    let (anna_id, bert_id) = (id(&anna.user_id().await), id(&bert.user_id().await));
    assert!(test.app.accounts.delete_user(&operator, anna_id, false).await.is_ok());
    assert!(test.app.accounts.delete_user(&operator, bert_id, true).await.is_ok());
    assert!(anna.is_refused().await && bert.is_refused().await);
    let rows = test.rows().await;
    assert_eq!((rows.users, rows.counters), (1, 1), "one is removed at once");
    test.clock.advance(4 * 86_400);
    assert!(test.app.accounts.delete_user(&operator, anna_id, false).await.is_ok(), "twice is once");
    test.clock.advance(4 * 86_400);
    assert!(test.app.accounts.sweep().await.is_ok());
    assert_eq!(test.rows().await.users, 0, "the time of grace began with the first");
    assert_eq!(refusal(test.app.accounts.delete_user(&operator, bert_id, true).await), "NOT_FOUND");
}

#[tokio::test]
async fn an_export_has_what_is_kept_of_a_person_and_no_secret() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let key = test.key_of(&anna, "scopes: [COUNTERS_READ], counter: \"default\"").await;
    let secret = key.token.clone().expect("a key");
    let who = anna.user_id().await;
    let exported = export(&test, &Caller::operator(), id(&who)).await.expect("an export");
    assert_eq!(
        (&exported["id"], &exported["username"], &exported["email"]),
        (&json!(who), &json!("anna"), &json!("anna@example.org"))
    );
    assert_eq!(exported["sessions"].as_array().map(Vec::len), Some(1));
    let shown = &exported["apiKeys"][0];
    assert_eq!(
        (&shown["prefix"], &shown["scopes"], &shown["counter"]),
        (&json!(secret[..12]), &json!(["COUNTERS_READ"]), &json!("default"))
    );
    assert_eq!(exported["events"][0]["kind"], "SIGNED_UP");
    let text = json!(exported).to_string();
    for hidden in ["$argon2", "hash", &secret[12..], "bert", &bert.user_id().await] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert!(exported["deletedAt"] == Value::Null);
}

#[tokio::test]
async fn nobody_but_an_operator_does_any_of_it() {
    let (test, anna) = TestApp::with_user().await;
    let root = id(&test.admin("root").await.user_id().await);
    let (anna_id, accounts) = (id(&anna.user_id().await), &test.app.accounts);
    let session = SessionId::generate();
    for identity in [
        Identity::Anonymous,
        Identity::Session { user: anna_id, session, token: uuid::Uuid::nil(), rights: Rights::of_session(false) },
        Identity::Session { user: root, session, token: uuid::Uuid::nil(), rights: Rights::of_session(true) },
        Identity::Impersonated { user: root, admin: true },
        Identity::ApiKey {
            user: root,
            key: ApiKeyId::generate(),
            rights: Rights::of_api_key(Scope::ALL.into_iter().collect()),
            counter: None,
        },
    ] {
        let caller = Caller { identity, ..Caller::anonymous() };
        let change = UpdateProfile { username: Some("other".to_owned()), display_name: None };
        let new = Password::from("quarry lantern 52 violin".to_owned());
        for refused in [
            refusal(accounts.add_user(&caller, somebody("carl")).await),
            refusal(accounts.set_password(&caller, anna_id, new).await),
            refusal(accounts.rename(&caller, anna_id, change).await),
            refusal(accounts.end_sessions_of(&caller, anna_id).await),
            refusal(accounts.delete_user(&caller, anna_id, true).await),
            refusal(export(&test, &caller, anna_id).await),
        ] {
            assert_eq!(refused, "FORBIDDEN", "{caller:?}");
        }
    }
    assert!(!anna.is_refused().await);
    assert_eq!(test.rows().await.users, 2);
}

#[tokio::test]
async fn whom_nobody_knows_an_operator_does_not_find() {
    let test = TestApp::start().await;
    let (operator, nobody, accounts) = (Caller::operator(), UserId::generate(), &test.app.accounts);
    let new = Password::from("quarry lantern 52 violin".to_owned());
    let change = UpdateProfile { username: Some("other".to_owned()), display_name: None };
    for refused in [
        refusal(accounts.set_password(&operator, nobody, new).await),
        refusal(accounts.rename(&operator, nobody, change).await),
        refusal(accounts.end_sessions_of(&operator, nobody).await),
        refusal(accounts.delete_user(&operator, nobody, false).await),
        refusal(accounts.delete_user(&operator, nobody, true).await),
        refusal(export(&test, &operator, nobody).await),
    ] {
        assert_eq!(refused, "NOT_FOUND");
    }
}
