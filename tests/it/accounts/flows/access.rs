//! Everything that grants access to an account, and what ends it.

use serde_json::{Value, json};

use super::{
    NEW_PASSWORD, api_key, change_password, delivered, is_signed_in, login, only_mail, request_reset, reset,
    reset_token, signed_in, suspend,
};
use crate::support::{Caller, PASSWORD, Reply, TestApp, link_token};

/// Every credential that an account can have: two sessions, two API keys, and two links to choose a
/// new password, of which one is still in the queue.
struct Access {
    sessions: [Caller; 2],
    keys: [Caller; 2],
    link: String,
}

impl Access {
    async fn of(test: &TestApp, anna: &Caller) -> Self {
        delivered(test).await;
        let sessions = [signed_in(test, "anna", PASSWORD).await, signed_in(test, "anna", PASSWORD).await];
        let keys = [api_key(test, anna).await, api_key(test, anna).await];
        delivered(test).await;
        let link = reset_token(test, "anna@example.org").await;
        request_reset(test, "anna@example.org").await.data();
        Self { sessions, keys, link }
    }

    /// The credentials that still work, at this server and after a restart.
    async fn live(&self, test: &mut TestApp) -> (usize, usize) {
        let mut counts = Vec::new();
        for _ in 0..2 {
            let mut live = (0, 0);
            for session in &self.sessions {
                live.0 += usize::from(is_signed_in(&test.bearer(session.token.as_deref())).await);
            }
            for key in &self.keys {
                live.1 += usize::from(is_signed_in(&test.bearer(key.token.as_deref())).await);
            }
            counts.push(live);
            test.restart().await;
        }
        assert_eq!(counts[0], counts[1], "a restart changes nothing");
        counts[0]
    }

    async fn assert_links_are_dead(&self, test: &TestApp) {
        let reply = reset(&test.anonymous(), &self.link, "yet another paperclip").await;
        assert_eq!(reply.user_errors("resetPassword"), ["INVALID input.token"]);
        let resets = delivered(test).await.into_iter().filter(|mail| mail.subject == "Choose a new password").count();
        assert_eq!(resets, 0, "a link that waits in the queue is not sent");
    }
}

#[tokio::test]
async fn a_reset_ends_sessions_api_keys_and_links() {
    let (mut test, anna) = TestApp::with_user().await;
    let access = Access::of(&test, &anna).await;
    let token = access.link.clone();
    reset(&test.anonymous(), &token, NEW_PASSWORD).await.data();
    assert_eq!(access.live(&mut test).await, (0, 0));
    access.assert_links_are_dead(&test).await;
}

/// An attacker signs up with the address of a victim, and leaves an API key behind.
#[tokio::test]
async fn a_key_of_an_attacker_who_signed_up_first_dies_with_the_reset() {
    let (mut test, mallory) = TestApp::with_user().await;
    let key = api_key(&test, &mallory).await;
    delivered(&test).await;
    let token = reset_token(&test, "anna@example.org").await;
    reset(&test.anonymous(), &token, NEW_PASSWORD).await.data();
    for credential in [&mallory, &key] {
        assert!(!is_signed_in(&test.bearer(credential.token.as_deref())).await);
    }
    test.restart().await;
    assert!(!is_signed_in(&test.bearer(key.token.as_deref())).await);
    let owner = signed_in(&test, "anna", NEW_PASSWORD).await;
    assert_eq!(owner.run("{ viewer { apiKeys { id } } }").await.data()["viewer"]["apiKeys"], json!([]));
}

#[tokio::test]
async fn a_change_of_the_password_keeps_or_ends_sessions_and_keys_as_asked() {
    for (sessions, keys, expected) in
        [("END", "KEEP", (0, 2)), ("END", "END", (0, 0)), ("KEEP", "KEEP", (2, 2)), ("KEEP", "END", (2, 0))]
    {
        let (mut test, anna) = TestApp::with_user().await;
        let access = Access::of(&test, &anna).await;
        let input = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD,
            "sessions": sessions, "apiKeys": keys });
        assert_eq!(change_password(&anna, input).await.user_errors("changePassword"), [""; 0]);
        assert_eq!(access.live(&mut test).await, expected, "{sessions} {keys}");
        assert!(is_signed_in(&test.bearer(anna.token.as_deref())).await, "the session of the request stays");
        access.assert_links_are_dead(&test).await;
    }
}

#[tokio::test]
async fn the_email_about_a_change_lists_the_keys_that_stay_valid() {
    let (test, anna) = TestApp::with_user().await;
    let keys = [api_key(&test, &anna).await, api_key(&test, &anna).await];
    delivered(&test).await;
    let prefix = |key: &Caller| key.token.as_deref().expect("a key")[..12].to_owned();
    let input = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    change_password(&anna, input).await.data();
    let mail = only_mail(&test).await;
    for key in &keys {
        assert!(mail.text.contains(&prefix(key)), "{}", mail.text);
        assert!(!mail.text.contains(key.token.as_deref().expect("a key")), "a secret in {}", mail.text);
    }
    let input = json!({ "currentPassword": NEW_PASSWORD, "newPassword": PASSWORD, "apiKeys": "END" });
    change_password(&anna, input).await.data();
    let mail = only_mail(&test).await;
    assert!(!mail.text.contains("crk_"), "{}", mail.text);
}

async fn create_api_key(caller: &Caller, password: &str) -> Reply {
    let query = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
        secret userErrors { code field message } } }";
    let input = json!({ "password": password, "name": "robot", "scopes": ["COUNTERS_NEXT"] });
    caller.run_with(query, json!({ "input": input })).await
}

#[tokio::test]
async fn an_api_key_needs_the_password_and_an_email_tells_the_owner() {
    let (test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    for wrong in ["", "wrong horse battery"] {
        let reply = create_api_key(&anna, wrong).await;
        assert!(reply.at("/data/createApiKey/secret").is_null(), "{}", reply.body);
        assert_eq!(reply.at("/data/createApiKey/userErrors/0/field"), &json!(["input", "password"]));
    }
    assert_eq!(delivered(&test).await.len(), 0);
    let reply = create_api_key(&anna, PASSWORD).await;
    let secret = reply.at("/data/createApiKey/secret").as_str().expect("a secret").to_owned();
    let mail = only_mail(&test).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("anna@example.org", "A new API key for your account"));
    assert!(mail.text.contains(&secret[..12]) && !mail.text.contains(&secret), "{}", mail.text);
}

#[tokio::test]
async fn guesses_of_the_password_for_a_key_are_limited_and_told() {
    let test = TestApp::with_config(|config| {
        config.limits.login_per_account.burst = 5;
        config.limits.login_per_account.per_hour = 1;
    })
    .await;
    let anna = test.sign_up("anna").await;
    let mut codes = Vec::new();
    for _ in 0..8 {
        let reply = create_api_key(&anna, "wrong horse battery").await;
        codes.push(match reply.body.get("errors") {
            None => reply.user_errors("createApiKey").concat(),
            Some(_) => reply.code().to_owned(),
        });
    }
    assert!(codes[0].starts_with("WRONG_CREDENTIALS"), "{codes:?}");
    assert_eq!(codes[7], "RATE_LIMITED");
    assert!(test.app.accounts.write_notes().await.is_ok());
    let log = anna.run("{ viewer { events(first: 1) { nodes { kind actor } } } }").await;
    let newest = &log.data()["viewer"]["events"]["nodes"][0];
    assert_eq!(newest, &json!({ "kind": "LOGIN_FAILED", "actor": "USER" }));
}

/// A client with the old password keeps creating keys while the password is reset: none of them may outlive the reset.
#[tokio::test]
async fn no_key_outlives_a_reset_that_it_races() {
    let (test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    let token = reset_token(&test, "anna@example.org").await;
    let (anonymous, creating) = (test.anonymous(), async {
        let mut secrets: Vec<String> = Vec::new();
        for _ in 0..8 {
            let reply = create_api_key(&anna, PASSWORD).await;
            secrets.extend(reply.at("/data/createApiKey/secret").as_str().map(str::to_owned));
        }
        secrets
    });
    let (secrets, reply) = tokio::join!(creating, reset(&anonymous, &token, NEW_PASSWORD));
    assert_eq!(reply.user_errors("resetPassword"), [""; 0]);
    for secret in &secrets {
        assert!(!is_signed_in(&test.bearer(Some(secret))).await);
    }
    let owner = signed_in(&test, "anna", NEW_PASSWORD).await;
    assert_eq!(owner.run("{ viewer { apiKeys { id } } }").await.data()["viewer"]["apiKeys"], json!([]));
}

#[tokio::test]
async fn a_link_to_another_address_dies_with_the_password_that_asked_for_it() {
    let (test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    super::change_email(&anna, "mallory@example.org", PASSWORD).await.data();
    let link = link_token(&only_mail(&test).await);
    super::change_email(&anna, "mallory@example.com", PASSWORD).await.data();
    let input = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    change_password(&anna, input).await.data();
    let to: Vec<String> = delivered(&test).await.into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["anna@example.org"], "the queued link is not sent");
    let reply = super::verify(&anna, &link).await;
    assert_eq!(reply.user_errors("verifyEmail"), ["INVALID input.token"]);
}

#[tokio::test]
async fn a_suspended_account_has_no_access_and_keeps_none_when_its_password_is_reset() {
    let (mut test, anna) = TestApp::with_user().await;
    let access = Access::of(&test, &anna).await;
    suspend(&test, "anna").await;
    assert_eq!(access.live(&mut test).await, (0, 0));
    assert_eq!(login(&test, "anna", PASSWORD).await.body["data"]["login"], Value::Null);
}
