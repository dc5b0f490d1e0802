//! Many at once: a link is used once, and of two changes of a password one counts.

use futures_util::future::join_all;
use serde_json::json;

use super::{
    NEW_PASSWORD, change_email, change_password, delivered, email_of, events, login, only_mail, reset, reset_token,
    signed_in, verify,
};
use crate::support::{PASSWORD, Reply, TestApp, link_token};

/// The outcome of each, as its user errors.
async fn outcomes(attempts: Vec<tokio::task::JoinHandle<Reply>>, mutation: &str) -> Vec<Vec<String>> {
    let replies = join_all(attempts).await;
    replies
        .into_iter()
        .map(|reply| reply.expect("a reply"))
        .inspect(|reply| {
            reply.data();
        })
        .map(|reply| reply.user_errors(mutation))
        .collect()
}

fn winners(outcomes: &[Vec<String>]) -> usize {
    outcomes.iter().filter(|errors| errors.is_empty()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_20_who_confirm_with_one_link_one_succeeds() {
    let (test, anna) = TestApp::with_user().await;
    let token = link_token(&only_mail(&test).await);
    let attempts = (0..20).map(|_| {
        let (caller, token) = (test.anonymous(), token.clone());
        tokio::spawn(async move { verify(&caller, &token).await })
    });
    let outcomes = outcomes(attempts.collect(), "verifyEmail").await;
    assert_eq!(winners(&outcomes), 1, "{outcomes:?}");
    assert!(outcomes.iter().flatten().all(|error| error == "INVALID input.token"), "{outcomes:?}");
    assert_eq!(events(&anna).await, ["EMAIL_VERIFIED", "SIGNED_UP"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_20_who_reset_with_one_link_one_succeeds() {
    let (test, _) = TestApp::with_user().await;
    delivered(&test).await;
    let token = reset_token(&test, "anna@example.org").await;
    let attempts = (0..20).map(|number| {
        let (caller, token) = (test.anonymous(), token.clone());
        tokio::spawn(async move { reset(&caller, &token, &format!("{NEW_PASSWORD} {number}")).await })
    });
    let outcomes = outcomes(attempts.collect(), "resetPassword").await;
    assert_eq!(winners(&outcomes), 1, "{outcomes:?}");
    assert!(outcomes.iter().flatten().all(|error| error == "INVALID input.token"), "{outcomes:?}");
    let winner = outcomes.iter().position(Vec::is_empty).expect("one");
    let anna = signed_in(&test, "anna", &format!("{NEW_PASSWORD} {winner}")).await;
    assert_eq!(events(&anna).await.iter().filter(|kind| *kind == "PASSWORD_RESET").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_changes_of_one_password_at_once_one_counts() {
    let (test, anna) = TestApp::with_user().await;
    let attempts = (0..8).map(|number| {
        let (caller, new) = (anna.clone(), format!("{NEW_PASSWORD} {number}"));
        let input = json!({ "currentPassword": PASSWORD, "newPassword": new });
        tokio::spawn(async move { change_password(&caller, input).await })
    });
    let outcomes = outcomes(attempts.collect(), "changePassword").await;
    assert_eq!(winners(&outcomes), 1, "{outcomes:?}");
    assert!(outcomes.iter().flatten().all(|error| error.starts_with("WRONG_CREDENTIALS")), "{outcomes:?}");
    let winner = outcomes.iter().position(Vec::is_empty).expect("one");
    signed_in(&test, "anna", &format!("{NEW_PASSWORD} {winner}")).await;
}

/// The link proves it: a hash that a login has just upgraded must not stand in the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn resets_changes_and_confirmations_at_once_leave_one_password_and_one_address() {
    for round in 0..5 {
        let (test, anna) = TestApp::with_user().await;
        let confirm = link_token(&only_mail(&test).await);
        change_email(&anna, "new@example.org", PASSWORD).await.data();
        let change = link_token(&only_mail(&test).await);
        let token = reset_token(&test, "anna@example.org").await;
        let (by_link, by_hand) = (format!("{NEW_PASSWORD} link"), format!("{NEW_PASSWORD} hand"));
        let input = json!({ "currentPassword": PASSWORD, "newPassword": by_hand });
        let caller = test.anonymous();
        let (reset, changed, confirmed, moved) = tokio::join!(
            reset(&caller, &token, &by_link),
            change_password(&anna, input),
            verify(&caller, &confirm),
            verify(&caller, &change),
        );
        for (reply, mutation) in [(&reset, "resetPassword"), (&confirmed, "verifyEmail"), (&moved, "verifyEmail")] {
            let errors = reply.user_errors(mutation);
            assert!(reply.body.get("errors").is_none(), "round {round}: {}", reply.body);
            // The password that proves the account to `verifyEmail` may be another one by then.
            let lost = ["INVALID input.token", "WRONG_CREDENTIALS input.password"];
            assert!(errors.iter().all(|error| lost.contains(&error.as_str())), "round {round}: {errors:?}");
        }
        let mut passwords = Vec::new();
        for password in [PASSWORD, &by_link, &by_hand] {
            let reply = login(&test, "anna", password).await;
            if let Some(token) = reply.at("/data/login/tokens/accessToken").as_str() {
                passwords.push((password.to_owned(), test.bearer(Some(token))));
            }
        }
        let [(password, anna)] = passwords.as_slice() else { panic!("round {round}: one password") };
        let is_reset = reset.user_errors("resetPassword").is_empty();
        let is_changed = changed.at("/data/changePassword/user").is_object();
        assert_eq!(*password == *PASSWORD, !is_reset && !is_changed, "round {round}");
        let moved = moved.user_errors("verifyEmail").is_empty();
        let expected = if moved { "new@example.org" } else { "anna@example.org" };
        assert_eq!(email_of(anna).await, expected, "round {round}");
    }
}
