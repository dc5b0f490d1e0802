//! The mail to an account that lost its address, because another account has the mailbox.

use cloakroom::config::EmailVerification::Off;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use super::{delivered, envelopes, login, only_mail, request_reset, reset, reset_token, sign_up, verify, with_policy};
use crate::support::{PASSWORD, TestApp, link_token};

/// What the migration leaves of an account that loses its address.
async fn take_address(test: &TestApp, username: &str) {
    let key = format!("UPDATE users SET email_key = NULL, email_owner_key = NULL WHERE username = '{username}'");
    let mail = format!(
        "INSERT INTO mails (id, kind, recipient, user_id, attempts, created_at, due_at) \
         SELECT id, 'address_shared', email, id, 0, created_at, created_at FROM users WHERE username = '{username}'"
    );
    let written = test.app.database.write(move |transaction| {
        let statements = [key.clone(), mail.clone()];
        Box::pin(async move {
            for statement in statements {
                transaction.execute_unprepared(&statement).await?;
            }
            Ok(())
        })
    });
    written.await.expect("the rows are written");
}

#[tokio::test]
async fn an_account_that_lost_its_address_is_told_and_keeps_its_username() {
    let test = TestApp::start().await;
    sign_up(&test, json!({ "username": "anna", "email": "anna@example.org" })).await.data();
    let token = link_token(&only_mail(&test).await);
    verify(&test.anonymous(), &token).await.data();
    take_address(&test, "anna").await;
    let mail = only_mail(&test).await;
    assert_eq!(
        (mail.to.as_str(), mail.subject.as_str()),
        ("anna@example.org", "Two accounts have your e-mail address")
    );
    assert!(mail.text.contains("Sign in to this account, anna, with its username"), "{}", mail.text);
    assert_eq!(login(&test, "anna@example.org", PASSWORD).await.user_errors("login"), ["WRONG_CREDENTIALS"]);
    assert_eq!(login(&test, "anna", PASSWORD).await.user_errors("login"), [""; 0]);
    request_reset(&test, "anna@example.org").await.data();
    assert!(envelopes(&test).await.is_empty());
}

#[tokio::test]
async fn a_stranger_at_an_address_that_was_never_confirmed_reads_no_username() {
    let test = TestApp::start().await;
    sign_up(&test, json!({ "username": "claim-prize.evil.example", "email": "anna@example.org" })).await.data();
    delivered(&test).await;
    take_address(&test, "claim-prize.evil.example").await;
    let mail = only_mail(&test).await;
    assert!(mail.text.starts_with("Hello,\n"), "{}", mail.text);
    assert!(!mail.raw.contains("evil"), "{}", mail.raw);
}

#[tokio::test]
async fn where_nothing_is_confirmed_only_who_had_confirmed_the_lost_address_is_told() {
    let test = with_policy(Off).await;
    for username in ["anna", "berta"] {
        test.sign_up(username).await;
    }
    let token = reset_token(&test, "anna@example.org").await;
    reset(&test.anonymous(), &token, PASSWORD).await.data();
    delivered(&test).await;
    for username in ["anna", "berta"] {
        take_address(&test, username).await;
    }
    assert_eq!(envelopes(&test).await, ["anna@example.org: Two accounts have your e-mail address"]);
}
