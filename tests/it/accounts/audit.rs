//! Every mutation that changes an account, a key or a counter adds one entry to the audit log. A
//! mutation that the schema gets later belongs into the table.

use std::collections::BTreeSet;

use cloakroom::accounts::account_event;
use cloakroom::caller::Caller as Asking;
use cloakroom::id::UserId;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use super::signed_in::viewer;
use crate::support::{Caller, PASSWORD, TestApp, link_token, test_mails};

const NEW_PASSWORD: &str = "quarry lantern 52 violin";

/// A mutation, its input, and the entry that it adds to the caller's log: kind, actor, subject.
struct Row {
    mutation: &'static str,
    input: &'static str,
    entry: Option<(&'static str, &'static str, Option<&'static str>)>,
}

const fn row(
    mutation: &'static str,
    input: &'static str,
    kind: &'static str,
    actor: &'static str,
    subject: Option<&'static str>,
) -> Row {
    Row { mutation, input, entry: Some((kind, actor, subject)) }
}

/// Mutations of photos and numbers, which are no changes of an account.
const fn silent(mutation: &'static str) -> Row {
    Row { mutation, input: "", entry: None }
}

/// `$…` stands for what the test fills in. The order matters: the account is deleted last.
const TABLE: &[Row] = &[
    row("signUp", r#"username: "fresh", password: "quarry lantern 52 violin""#, "SIGNED_UP", "USER", None),
    row("login", r#"identifier: "anna", password: "correct horse battery""#, "LOGGED_IN", "USER", None),
    row("refreshTokens", r#"refreshToken: "$refresh""#, "TOKENS_REFRESHED", "USER", None),
    row("updateProfile", r#"displayName: "Anna A.""#, "PROFILE_UPDATED", "USER", Some("displayName")),
    row(
        "updateProfile",
        r#"username: "anna2", displayName: null"#,
        "PROFILE_UPDATED",
        "USER",
        Some("username, displayName"),
    ),
    row(
        "createApiKey",
        r#"password: "correct horse battery", name: "robot", scopes: [COUNTERS_NEXT]"#,
        "API_KEY_CREATED",
        "USER",
        Some("crk_ robot"),
    ),
    row("revokeApiKey", r#"apiKeyId: "$key""#, "API_KEY_REVOKED", "USER", Some("crk_ robot")),
    row("createCounter", r#"name: "invoices""#, "COUNTER_CREATED", "USER", Some("invoices")),
    row("setCurrent", r#"counter: "invoices", current: 7"#, "COUNTER_SET", "USER", Some("invoices 7")),
    row("deleteCounter", r#"name: "invoices""#, "COUNTER_DELETED", "USER", Some("invoices")),
    row("endSession", r#"sessionId: "$session""#, "SESSION_ENDED", "USER", None),
    row("sendVerificationEmail", "", "VERIFICATION_REQUESTED", "USER", None),
    row(
        "changeEmail",
        r#"newEmail: "new@example.org", password: "correct horse battery""#,
        "EMAIL_CHANGE_REQUESTED",
        "USER",
        None,
    ),
    row("verifyEmail", r#"token: "$verification""#, "EMAIL_VERIFIED", "USER", None),
    row("requestPasswordReset", r#"email: "anna@example.org""#, "PASSWORD_RESET_REQUESTED", "ANONYMOUS", None),
    row(
        "changePassword",
        r#"currentPassword: "correct horse battery", newPassword: "quarry lantern 52 violin""#,
        "PASSWORD_CHANGED",
        "USER",
        None,
    ),
    row("logout", "scope: REFRESH_TOKEN", "LOGGED_OUT", "USER", None),
    silent("next"),
    silent("uploadPhotos"),
    silent("editPhotos"),
    silent("publishPhotos"),
    silent("unpublishPhotos"),
    silent("deletePhotos"),
];

/// Mutations with tests of their own below.
const ELSEWHERE: [&str; 6] =
    ["resetPassword", "deleteAccount", "restoreAccount", "setUserRole", "suspendUser", "reinstateUser"];

fn mutations_of_the_schema(schema: &Value) -> BTreeSet<String> {
    let fields = schema["__type"]["fields"].as_array().expect("fields");
    fields.iter().map(|field| field["name"].as_str().expect("a name").to_owned()).collect()
}

/// The log, the newest entry first, as kind, actor and subject.
async fn log(test: &TestApp, caller: &Caller) -> Vec<(String, String, Option<String>)> {
    assert!(test.app.accounts.write_notes().await.is_ok());
    let log = viewer(caller, "events(first: 100) { nodes { kind actor subject } }").await;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let nodes = log["events"]["nodes"].as_array().expect("a list").clone();
    let entry = |node: &Value| {
        (text(&node["kind"]).expect("a kind"), text(&node["actor"]).expect("an actor"), text(&node["subject"]))
    };
    nodes.iter().map(entry).collect()
}

/// The newest entry of a user's log as kind, actor and subject, and the username of the actor.
async fn newest(test: &TestApp, username: &str) -> ((String, String, Option<String>), Option<String>) {
    let accounts = &test.app.accounts;
    let user = accounts.find_account(&Asking::operator(), username).await.expect("an answer").expect("a user");
    let seen = accounts.inspect(&Asking::operator(), user.id).await.expect("an account");
    let (event, by) = seen.events.first().expect("an entry").clone();
    let actor = event.actor_kind.map(account_event::ActorKind::name).unwrap_or_default();
    ((event.kind.name(), actor, event.subject), by)
}

/// Without the random digits of an API key.
fn plain(subject: Option<String>) -> Option<String> {
    subject.map(|subject| match subject.split_once(' ') {
        Some((prefix, name)) if prefix.starts_with("crk_") => format!("crk_ {name}"),
        _ => subject,
    })
}

async fn mail_token(test: &TestApp) -> String {
    assert!(test.app.accounts.send_mails().await.is_ok());
    let mails = test_mails(test.data_dir());
    let mail = mails.iter().find(|mail| mail.to == "anna@example.org" && mail.subject.starts_with("Confirm"));
    link_token(mail.expect("a mail"))
}

async fn log_in(test: &TestApp, password: &str) -> (Caller, String, String) {
    let query = "mutation ($p: String!) { login(input: { identifier: \"anna@example.org\", password: $p }) {
        tokens { accessToken refreshToken } } }";
    let reply = test.anonymous().run_with(query, json!({ "p": password })).await;
    let token = |name: &str| reply.at(&format!("/data/login/tokens/{name}")).as_str().expect("a token").to_owned();
    let caller = test.bearer(Some(&token("accessToken")));
    let session = viewer(&caller, "session { id }").await["session"]["id"].as_str().expect("an id").to_owned();
    (caller, token("refreshToken"), session)
}

#[tokio::test]
async fn every_mutation_that_changes_an_account_adds_one_entry() {
    let (test, anna) = TestApp::with_user().await;
    let schema = anna.run("{ __type(name: \"Mutation\") { fields { name } } }").await.data().clone();
    let listed: BTreeSet<String> = TABLE.iter().map(|row| row.mutation).chain(ELSEWHERE).map(str::to_owned).collect();
    assert_eq!(mutations_of_the_schema(&schema), listed, "a mutation without a row, or a row without a mutation");

    let (_, refresh, _) = log_in(&test, PASSWORD).await;
    let (_, _, session) = log_in(&test, PASSWORD).await;
    let verification = mail_token(&test).await;
    let mut key = String::new();
    for row in TABLE {
        let Some((kind, actor, subject)) = row.entry else { continue };
        let before = log(&test, &anna).await;
        let input = row.input.replace("$refresh", &refresh).replace("$session", &session);
        let input = input.replace("$verification", &verification).replace("$key", &key);
        let fields = match row.mutation {
            "createApiKey" => "apiKey { id } userErrors { code }",
            "sendVerificationEmail" => "sent",
            "requestPasswordReset" => "accepted",
            "logout" => "endedSessions",
            _ => "userErrors { code message }",
        };
        let input = if input.is_empty() { input } else { format!("(input: {{ {input} }})") };
        let reply = anna.run(&format!("mutation {{ {}{input} {{ {fields} }} }}", row.mutation)).await;
        let payload = &reply.data()[row.mutation];
        assert!(payload["userErrors"].as_array().is_none_or(Vec::is_empty), "{}: {payload}", row.mutation);
        if let Some(id) = payload["apiKey"]["id"].as_str() {
            id.clone_into(&mut key);
        }
        assert!(test.app.accounts.send_mails().await.is_ok());
        let expected = (kind.to_owned(), actor.to_owned(), subject.map(str::to_owned));
        if row.mutation == "signUp" {
            let fresh = test.sign_in_with("fresh", NEW_PASSWORD).await;
            assert_eq!(log(&test, &fresh).await.last(), Some(&expected));
            continue;
        }
        let mut after = log(&test, &anna).await;
        assert_eq!(after.len(), before.len() + 1, "{}: {after:?}", row.mutation);
        let (kind, actor, subject) = after.remove(0);
        assert_eq!((kind, actor, plain(subject)), expected, "{}", row.mutation);
    }
}

#[tokio::test]
async fn a_reset_a_deletion_and_acts_of_administrators_add_one_entry_each() {
    let (test, anna) = TestApp::with_user().await;
    let root = test.admin("root").await;
    let id = anna.user_id().await;
    for (act, kind, subject) in [
        (format!("setUserRole(input: {{ userId: \"{id}\", role: ADMIN }})"), "ROLE_CHANGED", Some("ADMIN")),
        (format!("setUserRole(input: {{ userId: \"{id}\", role: USER }})"), "ROLE_CHANGED", Some("USER")),
        (format!("suspendUser(input: {{ userId: \"{id}\" }})"), "SUSPENDED", None),
        (format!("reinstateUser(input: {{ userId: \"{id}\" }})"), "REINSTATED", None),
    ] {
        root.run(&format!("mutation {{ {act} {{ userErrors {{ code }} }} }}")).await.data();
        let expected = (kind.to_owned(), "ADMINISTRATOR".to_owned(), subject.map(str::to_owned));
        assert_eq!(newest(&test, "anna").await, (expected, Some("root".to_owned())));
    }
    let anna = test.sign_in("anna").await;
    let delete =
        format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ userErrors {{ code }} }} }}");
    anna.run(&delete).await.data();
    let expected = ("ACCOUNT_DELETED".to_owned(), "USER".to_owned(), None);
    assert_eq!(newest(&test, "anna").await.0, expected);
    let restore = format!(
        "mutation {{ restoreAccount(input: {{ credentials: {{ identifier: \"anna\", password: \"{PASSWORD}\" }} }})
         {{ userErrors {{ code }} }} }}"
    );
    test.anonymous().run(&restore).await.data();
    assert_eq!(newest(&test, "anna").await.0, ("RESTORED".to_owned(), "USER".to_owned(), None));
}

#[tokio::test]
async fn entries_that_strangers_can_cause_are_bounded() {
    let test = TestApp::with_config(|config| {
        config.limits.login_per_account.burst = 0;
        config.limits.login_per_address.burst = 0;
    })
    .await;
    let anna = test.sign_up("anna").await;
    let id = UserId::parse(&anna.user_id().await).expect("an id");
    let now = test.clock.now();
    for _ in 0..1200 {
        let event = account_event::event(&Asking::anonymous(), id, account_event::Kind::LoginFailed, now);
        let added = test.app.database.write(move |transaction| {
            let event = event.clone();
            Box::pin(async move { account_event::add(transaction, event).await })
        });
        added.await.expect("the entry is added");
    }
    let login =
        r#"mutation { login(input: { identifier: "anna", password: "wrong horse battery" }) { userErrors { code } } }"#;
    test.anonymous().run(login).await.data();
    assert!(test.app.accounts.write_notes().await.is_ok());
    assert!(test.app.accounts.sweep().await.is_ok());
    let kinds = |kind| account_event::Entity::find().filter(account_event::Column::Kind.eq(kind));
    let count = async |kind| kinds(kind).count(test.app.database.reader()).await.expect("a count");
    assert_eq!(count(account_event::Kind::LoginFailed).await, 1000, "the newest are kept");
    assert_eq!(count(account_event::Kind::SignedUp).await, 1, "entries of other kinds stay");
}
