//! A login that was begun with a password that is changed meanwhile opens nothing that stays.

use serde_json::json;

use super::signed_in::{is_welcome, log_in_as, login};
use crate::support::{PASSWORD, TestApp};

const NEXT: &str = "purple tractor moonlight";

/// S6: logins with the present password, while it is changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_session_of_the_old_password_outlives_its_change() {
    let test = TestApp::start().await;
    let anna = test.sign_up("anna").await;
    let (mut old, mut new) = (PASSWORD, NEXT);
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..20 {
        let storm: Vec<_> = (0..12)
            .map(|_| {
                let (caller, password) = (test.anonymous(), old.to_owned());
                tokio::spawn(async move { login(&caller, "anna", &password).await })
            })
            .collect();
        let mutation =
            "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { userErrors { code } } }";
        let input = json!({ "input": { "currentPassword": old, "newPassword": new } });
        let changed = anna.run_with(mutation, input).await;
        assert_eq!(changed.data()["changePassword"]["userErrors"], json!([]));
        for reply in futures_util::future::join_all(storm).await {
            let reply = reply.expect("a reply");
            match reply.at("/data/login/tokens/accessToken").as_str() {
                Some(token) => {
                    opened += 1;
                    assert!(!is_welcome(&test.bearer(Some(token))).await, "it outlived the change");
                }
                None => {
                    refused += 1;
                    assert_eq!(reply.user_errors("login"), ["WRONG_CREDENTIALS"], "{}", reply.body);
                }
            }
        }
        assert!(is_welcome(&anna).await, "whoever changes it stays");
        log_in_as(&test.anonymous(), "anna", new, None).await;
        (old, new) = (new, old);
    }
    assert!(opened + refused == 240, "{opened} opened, {refused} refused");
}
