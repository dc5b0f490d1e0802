//! `changePassword`: signed in, or signed out with the account's name and the present password.

use serde_json::{Value, json};

use super::{
    NEW_PASSWORD, api_key, change_password, delivered, envelopes, events, is_signed_in, login, sign_up, signed_in,
    suspend,
};
use crate::support::{PASSWORD, TestApp};

fn to_new() -> Value {
    json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD })
}

#[tokio::test]
async fn a_change_ends_the_other_sessions_and_tells_the_owner() {
    let (mut test, anna) = TestApp::with_user().await;
    delivered(&test).await;
    let other = signed_in(&test, "anna", PASSWORD).await;
    let key = api_key(&test, &anna).await;
    delivered(&test).await;
    let reply = change_password(&anna, to_new()).await;
    assert_eq!(reply.data()["changePassword"], json!({ "user": { "username": "anna" }, "userErrors": [] }));
    for _ in 0..2 {
        assert!(is_signed_in(&test.bearer(anna.token.as_deref())).await, "the session that did it lives on");
        assert!(!is_signed_in(&test.bearer(other.token.as_deref())).await);
        assert!(is_signed_in(&test.bearer(key.token.as_deref())).await, "an API key is no session");
        test.restart().await;
    }
    assert_eq!(envelopes(&test).await, ["anna@example.org: Your password was changed"]);
    assert_eq!(login(&test, "anna", PASSWORD).await.user_errors("login"), ["WRONG_CREDENTIALS"]);
    let anna = signed_in(&test, "anna", NEW_PASSWORD).await;
    let events = events(&anna).await;
    assert!(events.contains(&"PASSWORD_CHANGED".to_owned()), "{events:?}");
}

#[tokio::test]
async fn other_sessions_are_kept_on_demand() {
    let (test, anna) = TestApp::with_user().await;
    let other = signed_in(&test, "anna", PASSWORD).await;
    let mut input = to_new();
    input["sessions"] = json!("KEEP");
    change_password(&anna, input).await.data();
    assert!(is_signed_in(&anna).await && is_signed_in(&other).await);
}

#[tokio::test]
async fn signed_out_a_name_or_address_and_the_present_password_will_do() {
    let (test, anna) = TestApp::with_user().await;
    let mut present = PASSWORD.to_owned();
    for (identifier, new) in [("anna", NEW_PASSWORD), ("ANNA@example.org", "yet another paperclip")] {
        let input = json!({ "identifier": identifier, "currentPassword": present, "newPassword": new });
        let reply = change_password(&test.anonymous(), input).await;
        assert_eq!(reply.data()["changePassword"], json!({ "user": { "username": "anna" }, "userErrors": [] }));
        present = new.to_owned();
    }
    assert!(!is_signed_in(&anna).await, "no session is the caller's own");
    signed_in(&test, "anna", &present).await;
}

#[tokio::test]
async fn signed_out_an_unknown_name_is_answered_like_a_wrong_password() {
    let (test, anna) = TestApp::with_user().await;
    let ask = |identifier: &str, current: &str| {
        let input = json!({ "identifier": identifier, "currentPassword": current, "newPassword": NEW_PASSWORD });
        let anonymous = test.anonymous();
        async move { change_password(&anonymous, input).await }
    };
    let wrong = ask("anna", "wrong horse battery").await;
    assert_eq!(wrong.user_errors("changePassword"), ["WRONG_CREDENTIALS"]);
    for identifier in ["nobody", "nobody@example.org", "anna@example.org", "a\0b"] {
        let reply = ask(identifier, "wrong horse battery").await;
        assert_eq!((reply.status, &reply.body), (wrong.status, &wrong.body), "{identifier}");
    }
    // Neither does the new password's strength tell, which is weighed with what is known of the owner.
    for identifier in ["anna", "nobody"] {
        let input = json!({ "identifier": identifier, "currentPassword": "wrong horse battery", "newPassword": "anna@example.org" });
        assert_eq!(change_password(&test.anonymous(), input).await.body, wrong.body, "{identifier}");
    }
    let input = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    let nameless = change_password(&test.anonymous(), input).await;
    assert_eq!(nameless.user_errors("changePassword"), ["REQUIRED input.identifier"]);
    assert!(is_signed_in(&anna).await);
}

#[tokio::test]
async fn signed_in_the_field_that_is_wrong_is_named() {
    let test = TestApp::start().await;
    let reply = sign_up(
        &test,
        json!({ "username": "quenneville77", "email": "bracegirdle@example.org", "displayName": "Thistlewood" }),
    )
    .await;
    let user = test.bearer(reply.at("/data/signUp/tokens/accessToken").as_str());
    for (current, new, expected) in [
        ("wrong horse battery", NEW_PASSWORD, "WRONG_CREDENTIALS input.currentPassword"),
        ("", NEW_PASSWORD, "REQUIRED input.currentPassword"),
        (PASSWORD, "", "REQUIRED input.newPassword"),
        (PASSWORD, "short", "TOO_SHORT input.newPassword"),
        (PASSWORD, &"x".repeat(1025), "TOO_LONG input.newPassword"),
        (PASSWORD, "password", "TOO_WEAK input.newPassword"),
        (PASSWORD, "quenneville77", "TOO_WEAK input.newPassword"),
        (PASSWORD, "bracegirdle@example.org", "TOO_WEAK input.newPassword"),
        (PASSWORD, "bracegirdle", "TOO_WEAK input.newPassword"),
        (PASSWORD, "thistlewood", "TOO_WEAK input.newPassword"),
        (PASSWORD, PASSWORD, "INVALID input.newPassword"),
    ] {
        let reply = change_password(&user, json!({ "currentPassword": current, "newPassword": new })).await;
        assert_eq!(reply.user_errors("changePassword"), [expected], "{new}");
    }
    // The account of whoever is signed in, whatever else is said.
    let input = json!({ "identifier": "nobody", "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    assert_eq!(change_password(&user, input).await.user_errors("changePassword"), [""; 0]);
}

#[tokio::test]
async fn neither_an_api_key_nor_a_suspended_or_deleted_user_changes_a_password() {
    let (test, anna) = TestApp::with_user().await;
    let key = api_key(&test, &anna).await;
    let named = json!({ "identifier": "anna", "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    assert_eq!(change_password(&key, to_new()).await.code(), "FORBIDDEN");
    assert_eq!(change_password(&key, named.clone()).await.code(), "FORBIDDEN");
    suspend(&test, "anna").await;
    assert_eq!(change_password(&anna, to_new()).await.code(), "UNAUTHENTICATED", "her sessions are refused");
    assert_eq!(change_password(&test.anonymous(), named).await.code(), "FORBIDDEN");
    let berta = test.sign_up("berta").await;
    berta
        .run(&format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ deletedUserId }} }}"))
        .await
        .data();
    let named = json!({ "identifier": "berta", "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    let gone = change_password(&test.anonymous(), named).await;
    assert_eq!(gone.user_errors("changePassword"), ["WRONG_CREDENTIALS"]);
}
