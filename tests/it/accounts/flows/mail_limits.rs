//! What strangers can spend and what an owner or a newcomer needs are different budgets, by kind of mail and by network.

use cloakroom::config::EmailVerification::{Flagged, Required};
use cloakroom::config::{Bucket, EmailVerification};
use serde_json::{Value, json};

use super::delivered;
use crate::accounts::signed_in::stranger;
use crate::support::{Caller, PASSWORD, Reply, TestApp};

const EVE: &str = "203.0.113.9";
const HOME: &str = "198.51.100.1";

async fn start(policy: EmailVerification) -> TestApp {
    TestApp::with_config(|config| {
        config.accounts.email_verification = policy;
        config.limits.mail_per_address = Bucket { burst: 100, per_hour: 100 };
        config.limits.mail_per_account = Bucket { burst: 3, per_hour: 1 };
        config.limits.mail_per_mailbox = Bucket { burst: 6, per_hour: 1 };
    })
    .await
}

async fn reset(caller: &Caller, email: &str) -> Reply {
    let query = "mutation ($e: String!) { requestPasswordReset(input: { email: $e }) { accepted } }";
    caller.run_with(query, json!({ "e": email })).await
}

async fn sign_up(caller: &Caller, username: &str, email: &str) -> Reply {
    let query = "mutation ($input: SignUpInput!) { signUp(input: $input) {
        tokens { accessToken } userErrors { code } } }";
    let input = json!({ "username": username, "email": email, "password": PASSWORD });
    caller.run_with(query, json!({ "input": input })).await
}

async fn login(caller: &Caller, identifier: &str) -> Reply {
    let query = "mutation ($input: LoginInput!) { login(input: $input) { userErrors { code } } }";
    caller.run_with(query, json!({ "input": { "identifier": identifier, "password": PASSWORD } })).await
}

fn is_limited(reply: &Reply) -> bool {
    reply.code() == "RATE_LIMITED"
}

async fn spend_resets(test: &TestApp, email: &str) {
    for at in 0..10 {
        assert_eq!(is_limited(&reset(&stranger(test, EVE), email).await), at >= 3);
        // From other networks as well: accepted, and not sent when the mailbox has had enough.
        assert!(!is_limited(&reset(&stranger(test, &format!("203.0.113.{}", 20 + at)), email).await));
    }
}

#[tokio::test]
async fn a_stranger_who_asks_for_resets_keeps_no_newcomer_from_signing_up() {
    for policy in [Flagged, Required] {
        let test = start(policy).await;
        spend_resets(&test, "newcomer@example.org").await;
        delivered(&test).await;
        let reply = sign_up(&stranger(&test, HOME), "newcomer", "newcomer@example.org").await;
        assert_eq!(reply.user_errors("signUp"), [""; 0], "{policy:?}");
        assert_eq!(delivered(&test).await.len(), 1, "{policy:?}: the link is sent");
    }
}

#[tokio::test]
async fn a_stranger_who_asks_for_resets_and_signs_up_keeps_no_owner_from_another_link() {
    let test = start(Flagged).await;
    let reply = sign_up(&stranger(&test, HOME), "owner", "owner@example.org").await;
    let owner = stranger(&test, HOME).with_token(reply.at("/data/signUp/tokens/accessToken").as_str());
    spend_resets(&test, "owner@example.org").await;
    for at in 0..20 {
        let eve = stranger(&test, &format!("203.0.113.{at}"));
        let reply = sign_up(&eve, &format!("eve{at}"), "owner@example.org").await;
        let eve = eve.with_token(reply.at("/data/signUp/tokens/accessToken").as_str());
        for _ in 0..3 {
            eve.run("mutation { sendVerificationEmail { sent } }").await;
        }
    }
    delivered(&test).await;
    let resent = owner.run("mutation { sendVerificationEmail { sent } }").await;
    assert_eq!(resent.at("/data/sendVerificationEmail/sent"), &Value::Bool(true), "{}", resent.body);
    let change = "mutation ($p: String!) { changeEmail(input: { newEmail: \"new@example.org\", password: $p }) {
        userErrors { code } } }";
    assert_eq!(owner.run_with(change, json!({ "p": PASSWORD })).await.user_errors("changeEmail"), [""; 0]);
    assert_eq!(delivered(&test).await.len(), 2);
}

#[tokio::test]
async fn strangers_keep_nobody_who_has_signed_up_from_the_link_that_a_login_sends() {
    let test = start(Required).await;
    for at in 0..20 {
        sign_up(&stranger(&test, &format!("203.0.113.{at}")), &format!("eve{at}"), "owner@example.org").await.data();
    }
    spend_resets(&test, "owner@example.org").await;
    let reply = sign_up(&stranger(&test, HOME), "owner", "owner@example.org").await;
    assert_eq!(reply.user_errors("signUp"), [""; 0]);
    delivered(&test).await;
    for expected in [1, 1] {
        let refused = login(&stranger(&test, HOME), "owner").await;
        assert_eq!(refused.code(), "FORBIDDEN");
        assert_eq!(delivered(&test).await.len(), expected);
    }
}

#[tokio::test]
async fn an_owner_whose_resets_strangers_have_spent_gets_another_one_later() {
    let test = start(Flagged).await;
    sign_up(&stranger(&test, HOME), "owner", "owner@example.org").await.data();
    spend_resets(&test, "owner@example.org").await;
    delivered(&test).await;
    let asked = reset(&stranger(&test, HOME), "owner@example.org").await;
    assert_eq!(asked.data()["requestPasswordReset"]["accepted"], true, "he is refused nothing");
    test.clock.advance(3600);
    reset(&stranger(&test, HOME), "owner@example.org").await.data();
    assert_eq!(delivered(&test).await.len(), 1);
}

#[tokio::test]
async fn nobody_is_flooded_with_mails_that_others_cause() {
    let test = start(Flagged).await;
    for at in 0..40 {
        let eve = stranger(&test, &format!("203.0.113.{at}"));
        let reply = sign_up(&eve, &format!("eve{at}"), "victim@example.org").await;
        reply.data();
        reset(&eve, "victim@example.org").await.data();
    }
    let mails = delivered(&test).await;
    assert_eq!(mails.len(), 12, "six of each kind");
    // A single network with many accounts gets no further by any other way.
    let eve = stranger(&test, EVE);
    let mut tokens = Vec::new();
    for at in 0..20 {
        let reply =
            sign_up(&stranger(&test, &format!("192.0.2.{at}")), &format!("many{at}"), "victim@example.org").await;
        tokens.push(reply.at("/data/signUp/tokens/accessToken").as_str().expect("a token").to_owned());
    }
    for token in tokens {
        eve.with_token(Some(&token)).run("mutation { sendVerificationEmail { sent } }").await;
    }
    assert_eq!(delivered(&test).await.len(), 3);
}
