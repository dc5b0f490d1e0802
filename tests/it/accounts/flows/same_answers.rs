//! P6: on every path that takes an address from a stranger, the answer and the work are the same whether it has an
//! account or not.

use cloakroom::config::EmailVerification::Required;
use serde_json::{Value, json};

use super::{NEW_PASSWORD, delivered, only_mail, sign_up, verify, with_policy};
use crate::support::{Caller, PASSWORD, Reply, Statements, TestApp, link_token};

/// What can be asked about an address.
const PATHS: [(&str, &str); 5] = [
    (
        "login",
        "mutation ($e: String!, $w: String!) { login(input: { identifier: $e, password: $w })
        { user { id } tokens { accessToken } userErrors { code field message } } }",
    ),
    (
        "sign-up",
        "mutation ($e: String!, $n: String!) { signUp(input: { email: $e, password: $n })
        { user { id } tokens { accessToken } userErrors { code field message } } }",
    ),
    ("reset", "mutation ($e: String!) { requestPasswordReset(input: { email: $e }) { accepted } }"),
    (
        "change of address",
        "mutation ($e: String!) {
        changeEmail(input: { newEmail: $e, password: \"correct horse battery\" })
        { user { email } userErrors { code field message } } }",
    ),
    (
        "change of password",
        "mutation ($e: String!, $w: String!, $n: String!) {
        changePassword(input: { identifier: $e, currentPassword: $w, newPassword: $n })
        { user { id } userErrors { code field message } } }",
    ),
];

/// What a stranger can see of an answer.
fn seen(reply: &Reply) -> (u16, Value, Vec<String>) {
    let mut headers: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    (reply.status.as_u16(), reply.body.clone(), headers)
}

/// A user with a confirmed address.
async fn confirmed(test: &TestApp, username: &str) -> Caller {
    sign_up(test, json!({ "username": username, "email": format!("{username}@example.org") })).await.data();
    verify(&test.anonymous(), &link_token(&only_mail(test).await)).await.data();
    super::signed_in(test, username, PASSWORD).await
}

#[tokio::test]
async fn an_address_is_answered_alike_and_with_as_many_statements_whoever_has_it() {
    let test = with_policy(Required).await;
    let eve = confirmed(&test, "eve").await;
    confirmed(&test, "anna").await;
    confirmed(&test, "suspended").await;
    super::suspend(&test, "suspended").await;
    sign_up(&test, json!({ "username": "fresh", "email": "fresh@example.org" })).await.data();
    delivered(&test).await;
    assert!(super::is_signed_in(&eve).await, "her session is remembered from now on");
    for (path, query) in PATHS {
        let caller = if path == "change of address" { eve.clone() } else { test.anonymous() };
        let mut answers = Vec::new();
        for name in ["nobody", "anna", "fresh", "suspended", "ANNA", "nobody.else"] {
            let variables =
                json!({ "e": format!("{name}@example.org"), "w": "wrong horse battery", "n": NEW_PASSWORD });
            let counted = Statements::count();
            let reply = caller.run_with(query, variables).await;
            answers.push((name, seen(&reply), counted.so_far()));
        }
        let (_, expected, statements) = answers[0].clone();
        assert!(expected.1.get("errors").is_none() && statements > 0, "{path}: {expected:?}");
        for (name, answer, asked) in &answers {
            assert_eq!((answer, asked), (&expected, &statements), "{path}: {name}");
        }
    }
}

/// The fifth path of the list: what is sent once more goes to the caller's own address, which says nothing of others'.
#[tokio::test]
async fn another_mail_to_confirm_is_answered_alike_whoever_else_has_or_had_the_address() {
    let test = TestApp::start().await;
    let anna = test.sign_up("anna").await;
    let berta = test.sign_up("berta").await;
    super::change_email(&berta, "anna@example.org", PASSWORD).await.data();
    delivered(&test).await;
    let resend = "mutation { sendVerificationEmail { sent } }";
    assert_eq!(seen(&anna.run(resend).await), seen(&berta.run(resend).await));
}
