//! `verifyEmail` and `sendVerificationEmail`: an address is confirmed by whoever reads the mails to it.

use axum::body::Body;
use axum::http::Request;
use cloakroom::caller::Caller as Who;
use cloakroom::config::EmailVerification;
use serde_json::{Value, json};

use super::{
    NEW_PASSWORD, api_key, change_password, delivered, envelopes, events, only_mail, reset, reset_token, sign_up,
    signed_in, suspend, verified_at, verify, with_policy,
};
use crate::support::{Caller, PASSWORD, Reply, TestApp, link_token};

async fn resend(caller: &Caller) -> Reply {
    caller.run("mutation { sendVerificationEmail { sent } }").await
}

fn sent(reply: &Reply) -> &Value {
    &reply.data()["sendVerificationEmail"]["sent"]
}

#[tokio::test]
async fn the_link_in_the_mail_of_a_sign_up_confirms_the_address() {
    let (test, anna) = TestApp::with_user().await;
    assert_eq!(verified_at(&anna).await, Value::Null, "flagged: signed in, and told that nothing is confirmed");
    let mail = only_mail(&test).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("anna@example.org", "Confirm your e-mail address"));
    let token = link_token(&mail);
    test.clock.advance(60);
    let reply = verify(&test.anonymous(), &token).await;
    assert_eq!(reply.data()["verifyEmail"]["user"], json!({ "username": "anna", "email": "anna@example.org" }));
    assert_eq!(verified_at(&anna).await, "2026-11-20T12:01:00.000000Z");
    assert_eq!(events(&anna).await, ["EMAIL_VERIFIED", "SIGNED_UP"]);
    assert_eq!(delivered(&test).await.len(), 0, "no other mail");

    let again = verify(&test.anonymous(), &token).await;
    assert_eq!(again.user_errors("verifyEmail"), ["INVALID input.token"], "good once");
}

#[tokio::test]
async fn where_nothing_is_confirmed_a_sign_up_sends_no_mail() {
    let test = with_policy(EmailVerification::Off).await;
    let anna = test.sign_up("anna").await;
    assert_eq!(envelopes(&test).await, [""; 0]);
    assert_eq!(sent(&resend(&anna).await), true, "who wants to can");
    verify(&test.anonymous(), &link_token(&only_mail(&test).await)).await.data();
    assert_ne!(verified_at(&anna).await, Value::Null);
}

#[tokio::test]
async fn where_nothing_is_confirmed_notices_go_to_confirmed_addresses_only() {
    let test = with_policy(EmailVerification::Off).await;
    let anna = test.sign_up("anna").await;
    let change = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    api_key(&test, &anna).await;
    change_password(&anna, change).await.data();
    assert_eq!(envelopes(&test).await, [""; 0], "the address may be a stranger's");

    let token = reset_token(&test, "anna@example.org").await;
    reset(&test.anonymous(), &token, PASSWORD).await.data();
    assert_eq!(envelopes(&test).await, ["anna@example.org: Your password was changed"], "a reset confirms");
    let anna = signed_in(&test, "anna", PASSWORD).await;
    api_key(&test, &anna).await;
    assert_eq!(envelopes(&test).await, ["anna@example.org: A new API key for your account"]);
}

#[tokio::test]
async fn a_link_is_good_until_its_time_is_over() {
    let (test, anna) = TestApp::with_user().await;
    let token = link_token(&only_mail(&test).await);
    test.clock.advance(86_400);
    let late = verify(&test.anonymous(), &token).await;
    assert_eq!(late.user_errors("verifyEmail"), ["EXPIRED input.token"]);
    let anna = signed_in(&test, "anna", PASSWORD).await.token.or(anna.token);
    let anna = test.bearer(anna.as_deref());
    assert_eq!(verified_at(&anna).await, Value::Null);
    resend(&anna).await.data();
    let token = link_token(&only_mail(&test).await);
    test.clock.advance(86_399);
    assert_eq!(verify(&test.anonymous(), &token).await.user_errors("verifyEmail"), [""; 0]);
    test.clock.advance(2 * 86_400);
    assert!(test.app.accounts.sweep().await.is_ok());
    assert_eq!(super::count(&test, "email_tokens").await, 0, "expired links are swept");
}

#[tokio::test]
async fn what_is_no_token_of_this_kind_confirms_nothing() {
    let (test, anna) = TestApp::with_user().await;
    let token = link_token(&only_mail(&test).await);
    let link = reset_token(&test, "anna@example.org").await;
    let access = anna.token.clone().expect("a token");
    let other_case: String = token.to_uppercase();
    let long = "x".repeat(100_000);
    let wrong = [
        "",
        " ",
        "x",
        "\0",
        "ü",
        "' OR 1=1 --",
        &token[1..],
        &format!("{token} "),
        &format!("{token}="),
        &other_case,
        &link,
        &access,
        &long,
        "../../etc/passwd",
    ];
    for token in wrong {
        let reply = verify(&test.anonymous(), token).await;
        assert_eq!(reply.user_errors("verifyEmail"), ["INVALID input.token"], "{token}");
        assert_eq!(reply.at("/data/verifyEmail/user"), &Value::Null);
    }
    assert_eq!(verified_at(&anna).await, Value::Null);
    let new = reset(&test.anonymous(), &token, NEW_PASSWORD).await;
    assert_eq!(new.user_errors("resetPassword"), ["INVALID input.token"], "nor does this one set a password");
    assert_eq!(verify(&anna, &token).await.user_errors("verifyEmail"), [""; 0], "and it is good still");
}

#[tokio::test]
async fn opening_the_link_changes_nothing() {
    let (test, anna) = TestApp::with_user().await;
    let token = link_token(&only_mail(&test).await);
    for path in ["/verify-email".to_owned(), format!("/verify-email?token={token}")] {
        for method in ["GET", "HEAD"] {
            let request = Request::builder().method(method).uri(&path).body(Body::empty()).expect("a request");
            assert_eq!(test.anonymous().send(request).await.status.as_u16(), 200, "{method} {path}");
        }
    }
    let mutation = format!("mutation {{ verifyEmail(input: {{ token: \"{token}\" }}) {{ user {{ id }} }} }}");
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", &mutation).finish();
    assert_eq!(test.anonymous().get(&format!("/graphql?{query}")).await.status.as_u16(), 405, "no mutation by GET");
    assert_eq!(verified_at(&anna).await, Value::Null);
    assert_eq!(verify(&test.anonymous(), &token).await.user_errors("verifyEmail"), [""; 0]);
}

#[tokio::test]
async fn another_mail_is_sent_on_demand_and_the_links_before_stay_good_until_one_is_used() {
    let (test, anna) = TestApp::with_user().await;
    let mut tokens = vec![link_token(&only_mail(&test).await)];
    for _ in 0..3 {
        assert_eq!(sent(&resend(&anna).await), true);
        tokens.push(link_token(&only_mail(&test).await));
    }
    let [first, second, third, fourth] = tokens.as_slice() else { panic!("four links, not {tokens:?}") };
    assert_eq!(verify(&test.anonymous(), second).await.user_errors("verifyEmail"), [""; 0]);
    for token in [first, second, third, fourth] {
        assert_eq!(verify(&test.anonymous(), token).await.user_errors("verifyEmail"), ["INVALID input.token"]);
    }
    assert_eq!(sent(&resend(&anna).await), false, "there is nothing to confirm any more");
    assert_eq!(envelopes(&test).await, [""; 0]);
}

#[tokio::test]
async fn only_somebody_with_an_address_in_person_gets_another_mail() {
    let (test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    let reply = sign_up(&test, json!({ "username": "berta" })).await;
    let berta = test.bearer(reply.at("/data/signUp/tokens/accessToken").as_str());
    assert_eq!(sent(&resend(&berta).await), false, "she has no address");
    assert_eq!(resend(&test.anonymous()).await.code(), "UNAUTHENTICATED");
    let key = api_key(&test, &anna).await;
    assert_eq!(resend(&key).await.code(), "FORBIDDEN");
    delivered(&test).await;
    suspend(&test, "anna").await;
    assert_eq!(resend(&anna).await.code(), "UNAUTHENTICATED");
    assert_eq!(envelopes(&test).await, [""; 0]);
}

#[tokio::test]
async fn a_mail_to_somebody_who_is_gone_is_not_sent_and_their_link_is_dead() {
    let (test, anna) = TestApp::with_user().await;
    let token = link_token(&only_mail(&test).await);
    resend(&anna).await.data();
    let delete = format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ deletedUserId }} }}");
    anna.run(&delete).await.data();
    assert_eq!(envelopes(&test).await, ["anna@example.org: Your account was deleted"]);
    assert_eq!(verify(&test.anonymous(), &token).await.user_errors("verifyEmail"), ["INVALID input.token"]);
    assert_eq!(super::count(&test, "mails").await, 0, "nothing waits");
}

#[tokio::test]
async fn a_link_does_not_let_a_suspended_user_in() {
    let (test, anna) = TestApp::with_user().await;
    let token = link_token(&only_mail(&test).await);
    suspend(&test, "anna").await;
    verify(&test.anonymous(), &token).await.data();
    assert!(!super::is_signed_in(&anna).await);
    assert_eq!(super::login(&test, "anna", PASSWORD).await.code(), "FORBIDDEN");
    let id = super::id_of(&test, "anna").await;
    test.app.accounts.reinstate(&Who::operator(), Some(id)).await.expect("she is let in again");
}
