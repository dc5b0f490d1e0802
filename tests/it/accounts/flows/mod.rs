//! What goes by mail: addresses confirmed and changed, passwords chosen anew and changed; and the post itself.

mod access;
mod change_email;
mod change_password;
mod mail_limits;
mod owners;
mod password_reset;
mod policy;
mod post;
mod post_office;
mod restore;
mod same_answers;
mod shared_address;
mod sign_up_again;
mod states;
mod token_races;
mod verify_email;

use cloakroom::caller::Caller as Who;
use cloakroom::config::EmailVerification;
use cloakroom::id::UserId;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, ReceivedMail, Reply, TestApp, link_token, test_mails};

const NEW_PASSWORD: &str = "wrong horse paperclip";

async fn with_policy(policy: EmailVerification) -> TestApp {
    TestApp::with_config(|config| config.accounts.email_verification = policy).await
}

/// Has the post work, and takes what it delivered out of the folder; in no order.
async fn delivered(test: &TestApp) -> Vec<ReceivedMail> {
    assert!(test.app.accounts.send_mails().await.is_ok(), "the post works");
    let mails = test_mails(test.data_dir());
    // The folder stays: a running server does not create it again.
    for entry in test.data_dir().join("mail").read_dir().into_iter().flatten() {
        std::fs::remove_file(entry.expect("an entry").path()).expect("it goes");
    }
    mails
}

/// The only mail that was delivered.
async fn only_mail(test: &TestApp) -> ReceivedMail {
    let mut mails = delivered(test).await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    mails.remove(0)
}

/// What was delivered, as `address: subject`, sorted.
async fn envelopes(test: &TestApp) -> Vec<String> {
    let mails = delivered(test).await;
    let mut envelopes: Vec<String> = mails.iter().map(|mail| format!("{}: {}", mail.to, mail.subject)).collect();
    envelopes.sort();
    envelopes
}

async fn sign_up(test: &TestApp, input: Value) -> Reply {
    let query = "mutation ($input: SignUpInput!) { signUp(input: $input) {
        user { username email } tokens { accessToken } userErrors { code field message } } }";
    let mut all = json!({ "password": PASSWORD });
    all.as_object_mut().expect("an object").extend(input.as_object().expect("an object").clone());
    test.anonymous().run_with(query, json!({ "input": all })).await
}

async fn login(test: &TestApp, identifier: &str, password: &str) -> Reply {
    let query = "mutation ($input: LoginInput!) { login(input: $input) {
        user { username } tokens { accessToken refreshToken } userErrors { code field message } } }";
    test.anonymous().run_with(query, json!({ "input": { "identifier": identifier, "password": password } })).await
}

/// Another session of this user.
async fn signed_in(test: &TestApp, identifier: &str, password: &str) -> Caller {
    let reply = login(test, identifier, password).await;
    let token = reply.at("/data/login/tokens/accessToken").as_str();
    test.bearer(Some(token.unwrap_or_else(|| panic!("a token in {}", reply.body))))
}

async fn verify(caller: &Caller, token: &str) -> Reply {
    verify_by(caller, token, Some(PASSWORD)).await
}

/// The same with another proof than the usual password.
async fn verify_by(caller: &Caller, token: &str, password: Option<&str>) -> Reply {
    let query = "mutation ($t: String!, $p: String) { verifyEmail(input: { token: $t, password: $p }) {
        user { username email } userErrors { code field message } } }";
    caller.run_with(query, json!({ "t": token, "p": password })).await
}

async fn request_reset(test: &TestApp, email: &str) -> Reply {
    let query = "mutation ($e: String!) { requestPasswordReset(input: { email: $e }) { accepted } }";
    test.anonymous().run_with(query, json!({ "e": email })).await
}

/// The token in the mail of a reset of this address's account.
async fn reset_token(test: &TestApp, email: &str) -> String {
    request_reset(test, email).await.data();
    link_token(&only_mail(test).await)
}

async fn reset(caller: &Caller, token: &str, password: &str) -> Reply {
    let query = "mutation ($t: String!, $p: String!) { resetPassword(input: { token: $t, newPassword: $p }) {
        user { username email } userErrors { code field message } } }";
    caller.run_with(query, json!({ "t": token, "p": password })).await
}

async fn change_email(caller: &Caller, email: &str, password: &str) -> Reply {
    let query = "mutation ($e: String!, $p: String!) { changeEmail(input: { newEmail: $e, password: $p }) {
        user { email } userErrors { code field message } } }";
    caller.run_with(query, json!({ "e": email, "p": password })).await
}

async fn change_password(caller: &Caller, input: Value) -> Reply {
    let query = "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) {
        user { username } userErrors { code field message } } }";
    caller.run_with(query, json!({ "input": input })).await
}

/// When the caller's address was confirmed; null if it was not.
async fn verified_at(caller: &Caller) -> Value {
    caller.run("{ viewer { emailVerifiedAt } }").await.data()["viewer"]["emailVerifiedAt"].clone()
}

async fn email_of(caller: &Caller) -> Value {
    caller.run("{ viewer { user { email } } }").await.data()["viewer"]["user"]["email"].clone()
}

/// The kinds of the caller's events, the newest first.
async fn events(caller: &Caller) -> Vec<String> {
    let reply = caller.run("{ viewer { events(first: 50) { nodes { kind } } } }").await;
    let nodes = reply.data()["viewer"]["events"]["nodes"].as_array().expect("a list").clone();
    nodes.iter().map(|node| node["kind"].as_str().expect("a kind").to_owned()).collect()
}

async fn is_signed_in(caller: &Caller) -> bool {
    caller.run("{ current }").await.status.as_u16() == 200
}

/// A key that may do everything that a key may.
async fn api_key(test: &TestApp, user: &Caller) -> Caller {
    api_key_by(test, user, PASSWORD).await
}

/// The same of a user who has this password.
async fn api_key_by(test: &TestApp, user: &Caller, password: &str) -> Caller {
    let scopes = "[ACCOUNT_READ, COUNTERS_READ, COUNTERS_NEXT]";
    let query = format!(
        r#"mutation {{ createApiKey(input: {{ password: "{password}", name: "Key", scopes: {scopes} }}) {{ secret }} }}"#
    );
    let reply = user.run(&query).await;
    test.bearer(Some(reply.at("/data/createApiKey/secret").as_str().expect("a key")))
}

/// The user with this name, as the operator sees them.
async fn account(test: &TestApp, username: &str) -> Option<cloakroom::accounts::user::Model> {
    test.app.accounts.find_account(&Who::operator(), username).await.expect("the database answers")
}

async fn id_of(test: &TestApp, username: &str) -> UserId {
    account(test, username).await.expect("a user").id
}

async fn suspend(test: &TestApp, username: &str) {
    let id = id_of(test, username).await;
    test.app.accounts.suspend(&Who::operator(), Some(id)).await.expect("they are suspended");
}

/// How many rows a table has.
async fn count(test: &TestApp, table: &str) -> i64 {
    let reader = test.app.database.reader();
    let sql = format!("SELECT count(*) FROM {table}");
    let statement = sea_orm::Statement::from_string(reader.get_database_backend(), sql);
    let row = reader.query_one_raw(statement).await.expect("the table is read").expect("a row");
    row.try_get_by_index(0).expect("a number")
}
