//! `changeEmail`: another address, once its owner has followed a link; whether it has an account is told to no other.

use serde_json::{Value, json};

use super::{
    NEW_PASSWORD, api_key, change_email, delivered, email_of, envelopes, events, login, only_mail, request_reset,
    reset, reset_token, suspend, verified_at, verify, verify_by,
};
use crate::support::{Caller, PASSWORD, TestApp, link_token};

/// Anna, with her address confirmed.
async fn with_confirmed() -> (TestApp, Caller) {
    let (test, anna) = TestApp::with_user().await;
    verify(&anna, &link_token(&only_mail(&test).await)).await.data();
    (test, anna)
}

#[tokio::test]
async fn the_new_address_counts_once_its_link_is_followed_and_the_old_one_is_told_then() {
    let (test, anna) = with_confirmed().await;
    let reply = change_email(&anna, "New@Example.net", PASSWORD).await;
    assert_eq!(reply.data()["changeEmail"], json!({ "user": { "email": "anna@example.org" }, "userErrors": [] }));
    let mail = only_mail(&test).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("New@example.net", "Confirm your e-mail address"));
    assert_eq!(email_of(&anna).await, "anna@example.org", "pending");
    assert!(login(&test, "new@example.net", PASSWORD).await.at("/data/login/user").is_null());

    test.clock.advance(60);
    verify(&test.anonymous(), &link_token(&mail)).await.data();
    assert_eq!(email_of(&anna).await, "New@Example.net");
    assert_eq!(verified_at(&anna).await, "2026-11-20T12:01:00.000000Z");
    assert_eq!(events(&anna).await[0], "EMAIL_CHANGED");
    let told = only_mail(&test).await;
    assert_eq!((told.to.as_str(), told.subject.as_str()), ("anna@example.org", "Your e-mail address was changed"));
    assert!(told.text.contains("N…@Example.net") && !told.raw.contains("New@"), "{}", told.text);
    assert!(login(&test, "new@example.net", PASSWORD).await.at("/data/login/user").is_object());
    assert!(login(&test, "anna@example.org", PASSWORD).await.at("/data/login/user").is_null());
}

#[tokio::test]
async fn what_is_no_new_address_is_refused() {
    let (test, anna) = with_confirmed().await;
    for (email, password, expected) in [
        ("new@example.org", "wrong horse battery", "WRONG_CREDENTIALS input.password"),
        ("new@example.org", "", "REQUIRED input.password"),
        ("anna@example.org", PASSWORD, "INVALID input.newEmail"),
        ("ANNA@example.org", PASSWORD, "INVALID input.newEmail"),
        ("", PASSWORD, "REQUIRED input.newEmail"),
        ("new", PASSWORD, "INVALID input.newEmail"),
        ("new@example.org\r\nBcc: eve@example.org", PASSWORD, "INVALID input.newEmail"),
        (&format!("{}@example.org", "x".repeat(250)), PASSWORD, "TOO_LONG input.newEmail"),
    ] {
        let reply = change_email(&anna, email, password).await;
        assert_eq!(reply.user_errors("changeEmail"), [expected], "{email}");
        assert_eq!(reply.at("/data/changeEmail/user"), &Value::Null);
    }
    assert_eq!(envelopes(&test).await, [""; 0]);
}

#[tokio::test]
async fn only_the_owner_in_person_changes_an_address() {
    let (test, anna) = with_confirmed().await;
    let key = api_key(&test, &anna).await;
    assert_eq!(change_email(&key, "new@example.org", PASSWORD).await.code(), "FORBIDDEN");
    assert_eq!(change_email(&test.anonymous(), "new@example.org", PASSWORD).await.code(), "UNAUTHENTICATED");
    let other = test.sign_up("berta").await;
    delivered(&test).await;
    suspend(&test, "anna").await;
    assert_eq!(change_email(&anna, "new@example.org", PASSWORD).await.code(), "UNAUTHENTICATED");
    assert!(change_email(&other, "new@example.org", PASSWORD).await.at("/data/changeEmail/user").is_object());
}

#[tokio::test]
async fn somebody_elses_address_is_answered_alike_and_its_owner_is_told() {
    let (test, anna) = with_confirmed().await;
    let berta = test.sign_up("berta").await;
    verify(&berta, &link_token(&only_mail(&test).await)).await.data();
    let free = change_email(&anna, "free@example.org", PASSWORD).await;
    assert_eq!(envelopes(&test).await, ["free@example.org: Confirm your e-mail address"]);
    let taken = change_email(&anna, "BERTA@example.org", PASSWORD).await;
    assert_eq!((taken.status, &taken.body), (free.status, &free.body));
    let mail = only_mail(&test).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("berta@example.org", "You already have an account"));
    assert!(!mail.text.contains("#token="), "a link would give anna's account away: {}", mail.text);
    assert!(mail.text.contains("Hello berta"), "to berta, as she is called: {}", mail.text);
}

#[tokio::test]
async fn of_two_users_who_want_one_address_the_first_to_follow_the_link_gets_it() {
    let (test, anna) = with_confirmed().await;
    let berta = test.sign_up("berta").await;
    delivered(&test).await;
    let mut tokens = Vec::new();
    for caller in [&anna, &berta] {
        change_email(caller, "both@example.org", PASSWORD).await.data();
        tokens.push(link_token(&only_mail(&test).await));
    }
    let replies = futures_util::future::join_all(tokens.iter().map(|token| verify(&anna, token))).await;
    let mut errors: Vec<Vec<String>> = replies.iter().map(|reply| reply.user_errors("verifyEmail")).collect();
    errors.sort();
    assert_eq!(errors, [vec![], vec!["TAKEN input.token".to_owned()]]);
    let mut emails = [email_of(&anna).await, email_of(&berta).await].map(|email| email.to_string());
    emails.sort();
    assert_eq!(emails.iter().filter(|email| *email == "\"both@example.org\"").count(), 1, "{emails:?}");
}

#[tokio::test]
async fn a_change_kills_the_links_that_the_old_address_has() {
    let (test, anna) = TestApp::with_user().await;
    let confirm = link_token(&only_mail(&test).await);
    let reset_link = reset_token(&test, "anna@example.org").await;
    change_email(&anna, "new@example.org", PASSWORD).await.data();
    let change = link_token(&only_mail(&test).await);
    verify(&test.anonymous(), &change).await.data();
    delivered(&test).await;

    let late = reset(&test.anonymous(), &reset_link, NEW_PASSWORD).await;
    assert_eq!(late.user_errors("resetPassword"), ["INVALID input.token"]);
    let back = verify(&test.anonymous(), &confirm).await;
    assert_eq!(back.user_errors("verifyEmail"), ["INVALID input.token"], "nor does the account go back");
    assert_eq!(email_of(&anna).await, "new@example.org");
    request_reset(&test, "anna@example.org").await.data();
    assert_eq!(envelopes(&test).await, [""; 0], "the old address has no account");
}

/// The mail server was away: the links would be made only now.
#[tokio::test]
async fn a_change_takes_back_the_links_that_are_still_to_be_sent() {
    let (test, anna) = TestApp::with_user().await;
    change_email(&anna, "new@example.org", PASSWORD).await.data();
    let mails = delivered(&test).await;
    let change = mails.iter().find(|mail| mail.to == "new@example.org").expect("the link");
    anna.run("mutation { sendVerificationEmail { sent } }").await.data();
    change_email(&anna, "third@example.org", PASSWORD).await.data();
    request_reset(&test, "anna@example.org").await.data();
    verify(&test.anonymous(), &link_token(change)).await.data();
    assert_eq!(
        envelopes(&test).await,
        ["anna@example.org: Your e-mail address was changed"],
        "neither a link back to the old address, nor one to a third, nor a reset by the old one"
    );
}

/// Whoever knew the old password may have asked for it, to keep the account.
#[tokio::test]
async fn a_new_password_kills_the_links_to_other_addresses() {
    for by_reset in [true, false] {
        let (test, anna) = TestApp::with_user().await;
        let own = link_token(&only_mail(&test).await);
        change_email(&anna, "thief@example.net", PASSWORD).await.data();
        let theft = link_token(&only_mail(&test).await);
        change_email(&anna, "thief@example.net", PASSWORD).await.data();
        if by_reset {
            request_reset(&test, "anna@example.org").await.data();
            let mails = delivered(&test).await;
            let token = mails.iter().find(|mail| mail.to == "anna@example.org").map(link_token).expect("the link");
            reset(&test.anonymous(), &token, NEW_PASSWORD).await.data();
        } else {
            let input = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
            super::change_password(&anna, input).await.data();
        }
        assert_eq!(envelopes(&test).await, ["anna@example.org: Your password was changed"]);
        let late = verify(&test.anonymous(), &theft).await;
        assert_eq!(late.user_errors("verifyEmail"), ["INVALID input.token"], "by reset: {by_reset}");
        let own = verify_by(&test.anonymous(), &own, Some(NEW_PASSWORD)).await;
        let expected: &[&str] = if by_reset { &["INVALID input.token"] } else { &[] };
        assert_eq!(own.user_errors("verifyEmail"), expected, "a reset ends it, since it has confirmed the address");
    }
}
