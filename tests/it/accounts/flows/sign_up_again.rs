//! Where confirmation is required: who has lost the mail, or mistyped the address, gets another one with what they know.

use cloakroom::config::Bucket;
use cloakroom::config::EmailVerification::Required;
use serde_json::json;

use super::{delivered, envelopes, login, only_mail, sign_up, signed_in, verify_by, with_policy};
use crate::accounts::signed_in::stranger;
use crate::support::{PASSWORD, TestApp, link_token};

const OTHERS: &str = "somebody elses paperclip";

#[tokio::test]
async fn a_login_with_the_right_password_sends_the_link_again_and_says_so() {
    let test = with_policy(Required).await;
    sign_up(&test, json!({ "username": "anna", "email": "anna@example.org" })).await.data();
    delivered(&test).await;
    for identifier in ["anna", "anna@example.org"] {
        let refused = login(&test, identifier, PASSWORD).await;
        assert_eq!(refused.code(), "FORBIDDEN", "{identifier}");
        let message = refused.at("/errors/0/message").as_str().expect("a message").to_owned();
        assert!(message.contains("Confirm your e-mail address") && message.contains("new link"), "{message}");
        assert_eq!(envelopes(&test).await, ["anna@example.org: Confirm your e-mail address"]);
        login(&test, identifier, OTHERS).await.data();
        assert_eq!(envelopes(&test).await, [""; 0], "not with a wrong one");
    }
    login(&test, "anna", PASSWORD).await;
    let link = link_token(&only_mail(&test).await);
    verify_by(&test.anonymous(), &link, Some(PASSWORD)).await.data();
    signed_in(&test, "anna@example.org", PASSWORD).await;
}

#[tokio::test]
async fn the_link_is_sent_again_so_often_and_the_message_does_not_promise_more() {
    let test = TestApp::with_config(|config| {
        config.accounts.email_verification = Required;
        config.limits.mail_per_account = Bucket { burst: 2, per_hour: 1 };
    })
    .await;
    sign_up(&test, json!({ "username": "anna", "email": "anna@example.org" })).await.data();
    delivered(&test).await;
    let mut sent = Vec::new();
    for _ in 0..4 {
        let refused = login(&test, "anna", PASSWORD).await;
        assert_eq!(refused.code(), "FORBIDDEN");
        let promised = refused.at("/errors/0/message").as_str().is_some_and(|text| text.contains("new link"));
        sent.push((promised, delivered(&test).await.len()));
    }
    assert_eq!(sent, [(true, 1), (true, 1), (false, 0), (false, 0)]);
}

#[tokio::test]
async fn the_same_username_and_password_begin_again_also_with_a_corrected_address() {
    let test = with_policy(Required).await;
    sign_up(&test, json!({ "username": "anna", "email": "typo@example.org" })).await.data();
    let wrong = link_token(&only_mail(&test).await);
    sign_up(&test, json!({ "username": "anna", "email": "typo@example.org" })).await.data();
    let stranger = sign_up(&test, json!({ "username": "anna", "email": "me@example.org", "password": OTHERS })).await;
    assert_eq!(stranger.user_errors("signUp"), ["TAKEN input.username"]);
    let again = sign_up(&test, json!({ "username": "ANNA", "email": "anna@example.org", "displayName": "Anna" })).await;
    assert_eq!(again.data()["signUp"], json!({ "user": null, "tokens": null, "userErrors": [] }));
    // The second mail to the mistyped address was still to be sent.
    let right = link_token(&only_mail(&test).await);
    let old = verify_by(&test.anonymous(), &wrong, Some(PASSWORD)).await;
    assert_eq!(old.user_errors("verifyEmail"), ["INVALID input.token"], "the links of before end");
    let reply = verify_by(&test.anonymous(), &right, Some(PASSWORD)).await;
    assert_eq!(reply.data()["verifyEmail"]["user"], json!({ "username": "ANNA", "email": "anna@example.org" }));
    assert_eq!(test.rows().await.users, 1, "one account");
    let anna = signed_in(&test, "anna", PASSWORD).await;
    assert_eq!(anna.run("{ viewer { user { displayName } } }").await.data()["viewer"]["user"]["displayName"], "Anna");
    let confirmed = sign_up(&test, json!({ "username": "anna", "email": "anna@example.org" })).await;
    assert_eq!(confirmed.user_errors("signUp"), ["TAKEN input.username"], "a confirmed account is not replaced");
}

#[tokio::test]
async fn a_username_is_reserved_no_longer_than_its_links_are_good() {
    let test = with_policy(Required).await;
    sign_up(&test, json!({ "username": "anna", "email": "invented@example.org", "password": OTHERS })).await.data();
    let link = link_token(&only_mail(&test).await);
    let mine = json!({ "username": "anna", "email": "anna@example.org" });
    test.clock.advance(86_399);
    assert_eq!(sign_up(&test, mine.clone()).await.user_errors("signUp"), ["TAKEN input.username"]);
    test.clock.advance(1);
    assert_eq!(sign_up(&test, mine).await.user_errors("signUp"), [""; 0]);
    let mail = only_mail(&test).await;
    verify_by(&test.anonymous(), &link_token(&mail), Some(PASSWORD)).await.data();
    signed_in(&test, "anna", PASSWORD).await;
    let late = verify_by(&test.anonymous(), &link, Some(OTHERS)).await;
    assert!(!late.user_errors("verifyEmail").is_empty(), "{}", late.body);
    assert!(test.app.accounts.sweep().await.is_ok());
    assert_eq!(test.rows().await.users, 1, "the abandoned one is removed");
}

#[tokio::test]
async fn a_link_that_was_sent_again_keeps_the_username_for_as_long_again() {
    let test = with_policy(Required).await;
    sign_up(&test, json!({ "username": "anna", "email": "anna@example.org" })).await.data();
    test.clock.advance(86_000);
    login(&test, "anna", PASSWORD).await;
    let link = delivered(&test).await.iter().map(link_token).next().expect("a link");
    test.clock.advance(86_000);
    let other = sign_up(&test, json!({ "username": "anna", "email": "me@example.org", "password": OTHERS })).await;
    assert_eq!(other.user_errors("signUp"), ["TAKEN input.username"]);
    assert_eq!(verify_by(&test.anonymous(), &link, Some(PASSWORD)).await.user_errors("verifyEmail"), [""; 0]);
}

/// Whether the password is right must not be asked more often here than at login.
#[tokio::test]
async fn a_sign_up_is_no_way_to_guess_the_password_of_an_unconfirmed_account() {
    let test = TestApp::with_config(|config| {
        config.accounts.email_verification = Required;
        config.limits.login_per_account = Bucket { burst: 2, per_hour: 60 };
    })
    .await;
    sign_up(&test, json!({ "username": "anna", "email": "anna@example.org" })).await.data();
    let query = "mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }";
    let mut codes = Vec::new();
    for at in 0..3 {
        let input = json!({ "username": "anna", "email": "eve@example.org", "password": OTHERS });
        let caller = stranger(&test, &format!("198.51.100.{at}"));
        codes.push(caller.run_with(query, json!({ "input": input })).await.code().to_owned());
    }
    assert_eq!(codes, ["", "", "RATE_LIMITED"]);
}
