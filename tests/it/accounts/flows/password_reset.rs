//! `requestPasswordReset` and `resetPassword`: a new password for whoever reads the mails to the account's address.

use serde_json::{Value, json};

use super::{
    NEW_PASSWORD, api_key, delivered, envelopes, events, is_signed_in, login, only_mail, request_reset, reset,
    reset_token, signed_in, suspend, verified_at, verify,
};
use crate::support::{PASSWORD, TestApp, link_token};

#[tokio::test]
async fn a_reset_sets_the_password_ends_every_session_and_tells_the_owner() {
    let (mut test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    let second = signed_in(&test, "anna", PASSWORD).await;
    let key = api_key(&test, &anna).await;
    delivered(&test).await;
    let token = reset_token(&test, "anna@example.org").await;
    assert!(is_signed_in(&anna).await && is_signed_in(&second).await, "asking alone changes nothing");

    let reply = reset(&test.anonymous(), &token, NEW_PASSWORD).await;
    assert_eq!(reply.data()["resetPassword"]["user"], json!({ "username": "anna", "email": "anna@example.org" }));
    for _ in 0..2 {
        for session in [&anna, &second] {
            let refused = test.bearer(session.token.as_deref()).run("{ current }").await;
            assert_eq!((refused.status.as_u16(), refused.code()), (401, "UNAUTHENTICATED"));
        }
        test.restart().await;
    }
    assert!(!is_signed_in(&test.bearer(key.token.as_deref())).await, "API keys end, too");
    assert_eq!(login(&test, "anna", PASSWORD).await.user_errors("login"), ["WRONG_CREDENTIALS"]);
    let anna = signed_in(&test, "anna", NEW_PASSWORD).await;
    assert_eq!(events(&anna).await[..2], ["LOGGED_IN", "PASSWORD_RESET"]);
    assert_eq!(envelopes(&test).await, ["anna@example.org: Your password was changed"]);
    let again = reset(&test.anonymous(), &token, "yet another paperclip").await;
    assert_eq!(again.user_errors("resetPassword"), ["INVALID input.token"], "good once");
}

#[tokio::test]
async fn a_refresh_token_of_before_is_dead_after_a_reset() {
    let (test, _) = TestApp::with_user().await;
    delivered(&test).await;
    let reply = login(&test, "anna", PASSWORD).await;
    let refresh = reply.at("/data/login/tokens/refreshToken").as_str().expect("a token").to_owned();
    let token = reset_token(&test, "anna@example.org").await;
    reset(&test.anonymous(), &token, NEW_PASSWORD).await.data();
    let query = "mutation ($t: String!) { refreshTokens(input: { refreshToken: $t }) { tokens { accessToken } } }";
    let reply = test.anonymous().run_with(query, json!({ "t": refresh })).await;
    assert!(reply.at("/data/refreshTokens/tokens").is_null(), "{}", reply.body);
}

/// Two spellings that are one to us can be two mailboxes: the mail goes to the one that was signed up with.
#[tokio::test]
async fn the_link_goes_to_the_address_of_the_account_however_it_was_typed() {
    let (test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    for typed in ["ANNA@example.org", "ａｎｎａ@example.org", "anna@EXAMPLE.org"] {
        request_reset(&test, typed).await.data();
        let mail = only_mail(&test).await;
        assert_eq!(mail.to, "anna@example.org", "{typed}");
        assert_eq!(mail.subject, "Choose a new password");
    }
    request_reset(&test, "ANNA@EXAMPLE.ORG").await.data();
    let token = link_token(&only_mail(&test).await);
    reset(&test.anonymous(), &token, NEW_PASSWORD).await.data();
    drop(anna);
    let anna = signed_in(&test, "anna", NEW_PASSWORD).await;
    assert_ne!(verified_at(&anna).await, Value::Null, "whoever followed the link reads its mails");
}

#[tokio::test]
async fn a_reset_confirms_the_address_and_keeps_the_moment_if_it_was_confirmed() {
    let (test, anna) = TestApp::with_user().await;
    verify(&anna, &link_token(&only_mail(&test).await)).await.data();
    test.clock.advance(100);
    let token = reset_token(&test, "anna@example.org").await;
    reset(&test.anonymous(), &token, NEW_PASSWORD).await.data();
    let anna = signed_in(&test, "anna", NEW_PASSWORD).await;
    assert_eq!(verified_at(&anna).await, "2026-11-20T12:00:00.000000Z");
}

#[tokio::test]
async fn what_is_no_address_is_bad_input_that_names_the_field() {
    let (test, _) = TestApp::with_user().await;
    delivered(&test).await;
    for email in ["", "anna", "anna@", "a b@example.org", "anna@example.org\r\nBcc: eve@example.org", "a\0@example.org"]
    {
        let reply = request_reset(&test, email).await;
        assert_eq!(reply.code(), "BAD_USER_INPUT", "{email}");
        assert!(reply.at("/errors/0/message").as_str().is_some_and(|text| text.starts_with("email: ")), "{email}");
    }
    assert_eq!(super::count(&test, "mails").await, 0);
}

#[tokio::test]
async fn a_refused_password_leaves_the_link_good() {
    let (test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    let token = reset_token(&test, "anna@example.org").await;
    for (password, expected) in [
        ("", "REQUIRED input.newPassword"),
        ("short", "TOO_SHORT input.newPassword"),
        ("password", "TOO_WEAK input.newPassword"),
        ("anna@example.org", "TOO_WEAK input.newPassword"),
        (&"x".repeat(1025), "TOO_LONG input.newPassword"),
        ("tab\tand much more of it", "INVALID input.newPassword"),
    ] {
        let reply = reset(&test.anonymous(), &token, password).await;
        assert_eq!(reply.user_errors("resetPassword"), [expected], "{password}");
    }
    assert!(is_signed_in(&anna).await, "a refused reset ends nothing");
    assert_eq!(reset(&test.anonymous(), &token, NEW_PASSWORD).await.user_errors("resetPassword"), [""; 0]);
}

#[tokio::test]
async fn a_link_is_good_for_its_time_and_until_another_is_used() {
    let (test, _) = TestApp::with_user().await;
    delivered(&test).await;
    let token = reset_token(&test, "anna@example.org").await;
    test.clock.advance(1800);
    let late = reset(&test.anonymous(), &token, NEW_PASSWORD).await;
    assert_eq!(late.user_errors("resetPassword"), ["EXPIRED input.token"]);
    let first = reset_token(&test, "anna@example.org").await;
    let second = reset_token(&test, "anna@example.org").await;
    assert_eq!(reset(&test.anonymous(), &first, NEW_PASSWORD).await.user_errors("resetPassword"), [""; 0]);
    let other = reset(&test.anonymous(), &second, "yet another paperclip").await;
    assert_eq!(other.user_errors("resetPassword"), ["INVALID input.token"]);
}

#[tokio::test]
async fn a_changed_password_kills_the_links_to_reset_it() {
    let (test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    let token = reset_token(&test, "anna@example.org").await;
    super::change_password(&anna, json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD })).await.data();
    let late = reset(&test.anonymous(), &token, "yet another paperclip").await;
    assert_eq!(late.user_errors("resetPassword"), ["INVALID input.token"]);
}

#[tokio::test]
async fn a_suspended_user_stays_suspended_with_a_new_password() {
    let (test, _) = TestApp::with_user().await;
    delivered(&test).await;
    suspend(&test, "anna").await;
    let token = reset_token(&test, "anna@example.org").await;
    reset(&test.anonymous(), &token, NEW_PASSWORD).await.data();
    assert_eq!(login(&test, "anna", NEW_PASSWORD).await.code(), "FORBIDDEN");
    assert_eq!(login(&test, "anna", PASSWORD).await.user_errors("login"), ["WRONG_CREDENTIALS"]);
}

#[tokio::test]
async fn who_has_deleted_their_account_cannot_reset_its_password() {
    let (test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    let token = reset_token(&test, "anna@example.org").await;
    anna.run(&format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ deletedUserId }} }}"))
        .await
        .data();
    let late = reset(&test.anonymous(), &token, NEW_PASSWORD).await;
    assert_eq!(late.user_errors("resetPassword"), ["INVALID input.token"]);
    request_reset(&test, "anna@example.org").await.data();
    assert_eq!(envelopes(&test).await, ["anna@example.org: Your account was deleted"]);
}
