//! `deleteAccount` tells by mail until when the account can come back, and `restoreAccount` brings it back.

use cloakroom::caller::Caller as Who;
use cloakroom::config::EmailVerification::{Flagged, Off};
use serde_json::{Value, json};

use super::{
    NEW_PASSWORD, api_key, delivered, email_of, envelopes, events, id_of, is_signed_in, login, only_mail, reset,
    reset_token, sign_up, signed_in, suspend, verify_by,
};
use crate::support::{Caller, PASSWORD, Reply, TestApp, link_token};

async fn leave(caller: &Caller) -> Reply {
    let mutation = "mutation ($password: String!) { deleteAccount(input: { password: $password }) {
        deletedUserId restorableUntil userErrors { code field } } }";
    caller.run_with(mutation, json!({ "password": PASSWORD })).await
}

async fn restore(test: &TestApp, input: Value) -> Reply {
    let mutation = "mutation ($input: RestoreAccountInput!) { restoreAccount(input: $input) {
        user { username } userErrors { code field message } } }";
    test.anonymous().run_with(mutation, json!({ "input": input })).await
}

/// Anna, with her address confirmed.
async fn with_confirmed() -> (TestApp, Caller) {
    let (test, anna) = TestApp::with_user().await;
    verify_by(&anna, &link_token(&only_mail(&test).await), None).await.data();
    (test, anna)
}

#[tokio::test]
async fn the_mail_about_a_deletion_has_the_date_of_removal_and_a_link_that_brings_the_account_back() {
    let (test, anna) = with_confirmed().await;
    let key = api_key(&test, &anna).await;
    anna.next().await;
    let reply = leave(&anna).await;
    assert_eq!(reply.at("/data/deleteAccount/restorableUntil"), "2026-11-27T12:00:00.000000Z");
    let mail = only_mail(&test).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("anna@example.org", "Your account was deleted"));
    assert!(
        mail.text.contains("27 November 2026 at 12:00 UTC") && mail.text.starts_with("Hello anna,"),
        "{}",
        mail.text
    );
    let link = link_token(&mail);
    test.clock.advance(7 * 86_400 - 1);
    let back = restore(&test, json!({ "link": { "token": link } })).await;
    assert_eq!(back.at("/data/restoreAccount/user/username"), "anna", "{}", back.body);
    assert!(!is_signed_in(&anna).await, "sessions stay ended");
    let anna = signed_in(&test, "anna@example.org", PASSWORD).await;
    assert_eq!(anna.run("{ current }").await.data()["current"], 1, "with all that is hers");
    assert!(is_signed_in(&key).await);
    assert_eq!(events(&anna).await[1], "RESTORED");
    test.clock.advance(86_400);
    assert!(test.app.accounts.sweep().await.is_ok());
    assert!(super::account(&test, "anna").await.is_some());
    assert_eq!(
        restore(&test, json!({ "link": { "token": link } })).await.user_errors("restoreAccount"),
        ["INVALID input.link.token"]
    );
}

#[tokio::test]
async fn name_and_password_bring_an_account_back_and_no_answer_tells_who_is_gone() {
    let test = TestApp::start().await;
    let reply = sign_up(&test, json!({ "username": "berta" })).await;
    let berta = test.bearer(reply.at("/data/signUp/tokens/accessToken").as_str());
    test.sign_up("present").await;
    leave(&berta).await.data();
    assert_eq!(envelopes(&test).await, ["present@example.org: Confirm your e-mail address"], "she has no address");
    let wrong =
        restore(&test, json!({ "credentials": { "identifier": "berta", "password": "wrong horse battery" } })).await;
    assert_eq!(wrong.user_errors("restoreAccount"), ["WRONG_CREDENTIALS"]);
    for (identifier, password) in [("nobody", PASSWORD), ("nobody@example.org", PASSWORD), ("present", PASSWORD)] {
        let reply = restore(&test, json!({ "credentials": { "identifier": identifier, "password": password } })).await;
        assert_eq!((reply.status, &reply.body), (wrong.status, &wrong.body), "{identifier}");
    }
    assert_eq!(login(&test, "berta", PASSWORD).await.user_errors("login"), ["WRONG_CREDENTIALS"]);
    let back = restore(&test, json!({ "credentials": { "identifier": "BERTA", "password": PASSWORD } })).await;
    assert_eq!(back.at("/data/restoreAccount/user/username"), "berta");
    signed_in(&test, "berta", PASSWORD).await;
}

#[tokio::test]
async fn what_is_missing_is_asked_for() {
    let (test, anna) = TestApp::with_user().await;
    leave(&anna).await.data();
    let mails = delivered(&test).await;
    let link = mails.iter().find(|mail| mail.subject == "Your account was deleted").map(link_token).expect("the link");
    for (input, expected) in [
        (json!({ "credentials": { "identifier": "anna", "password": "" } }), "REQUIRED input.credentials.password"),
        (
            json!({ "credentials": { "identifier": " ", "password": PASSWORD } }),
            "REQUIRED input.credentials.identifier",
        ),
        // The address was never confirmed: its mailbox may be a stranger's.
        (json!({ "link": { "token": link } }), "REQUIRED input.link.password"),
        (
            json!({ "link": { "token": link, "password": "wrong horse battery" } }),
            "WRONG_CREDENTIALS input.link.password",
        ),
        (json!({ "link": { "token": "none" } }), "INVALID input.link.token"),
    ] {
        assert_eq!(restore(&test, input.clone()).await.user_errors("restoreAccount"), [expected], "{input}");
    }
    let back = restore(&test, json!({ "link": { "token": link, "password": PASSWORD } })).await;
    assert_eq!(back.at("/data/restoreAccount/user/username"), "anna");
}

#[tokio::test]
async fn exactly_one_of_the_two_proofs_is_given() {
    let (test, anna) = with_confirmed().await;
    leave(&anna).await.data();
    let link = json!({ "token": link_token(&only_mail(&test).await) });
    let credentials = json!({ "identifier": "anna", "password": PASSWORD });
    for input in [
        json!({}),
        json!({ "link": null }),
        json!({ "link": link, "credentials": credentials }),
        json!({ "link": link, "credentials": null }),
        json!({ "credentials": { "identifier": "anna" } }),
        json!({ "token": "none" }),
    ] {
        let reply = restore(&test, input.clone()).await;
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&reply.code()), "{input}: {}", reply.body);
    }
    let kind = "{ __type(name: \"RestoreAccountInput\") { isOneOf inputFields { name } } }";
    let names = json!([{ "name": "link" }, { "name": "credentials" }]);
    assert_eq!(test.anonymous().run(kind).await.data()["__type"], json!({ "isOneOf": true, "inputFields": names }));
    let back = restore(&test, json!({ "link": link })).await;
    assert_eq!(back.at("/data/restoreAccount/user/username"), "anna");
}

#[tokio::test]
async fn an_account_comes_back_until_it_is_removed_and_not_if_an_operator_has_deleted_it() {
    let (test, anna) = with_confirmed().await;
    leave(&anna).await.data();
    let link = link_token(&only_mail(&test).await);
    let by_name = json!({ "credentials": { "identifier": "anna", "password": PASSWORD } });
    test.clock.advance(7 * 86_400);
    assert_eq!(
        restore(&test, json!({ "link": { "token": link } })).await.user_errors("restoreAccount"),
        ["EXPIRED input.link.token"]
    );
    assert_eq!(restore(&test, by_name.clone()).await.user_errors("restoreAccount"), ["WRONG_CREDENTIALS"]);

    let carl = test.sign_up("carl").await;
    verify_by(&carl, &link_token(&only_mail(&test).await), None).await.data();
    let id = id_of(&test, "carl").await;
    test.app.accounts.delete_user(&Who::operator(), id, false).await.expect("he is deleted");
    let mail = only_mail(&test).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("carl@example.org", "Your account was deleted"));
    assert!(!mail.text.contains("#token="), "{}", mail.text);
    let by_name = json!({ "credentials": { "identifier": "carl", "password": PASSWORD } });
    assert_eq!(restore(&test, by_name).await.user_errors("restoreAccount"), ["WRONG_CREDENTIALS"]);
}

#[tokio::test]
async fn a_suspension_outlives_a_deletion() {
    let (test, anna) = with_confirmed().await;
    leave(&anna).await.data();
    let link = link_token(&only_mail(&test).await);
    suspend(&test, "anna").await;
    restore(&test, json!({ "link": { "token": link } })).await.data();
    assert_eq!(login(&test, "anna", PASSWORD).await.code(), "FORBIDDEN");
}

#[tokio::test]
async fn the_address_of_a_deleted_account_can_be_used_again_after_proving_it() {
    let (test, anna) = with_confirmed().await;
    leave(&anna).await.data();
    let way_back = link_token(&only_mail(&test).await);
    let reply = sign_up(&test, json!({ "username": "anna2", "email": "ANNA@example.org" })).await;
    assert_eq!(reply.user_errors("signUp"), [""; 0]);
    let new = test.bearer(reply.at("/data/signUp/tokens/accessToken").as_str());
    let mail = only_mail(&test).await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("ANNA@example.org", "Confirm your e-mail address"));
    let token = reset_token(&test, "anna@example.org").await;
    let taken = reset(&test.anonymous(), &token, NEW_PASSWORD).await;
    assert_eq!(taken.at("/data/resetPassword/user/username"), "anna2", "not the deleted one's");
    assert!(!is_signed_in(&new).await);
    let late = restore(&test, json!({ "link": { "token": way_back } })).await;
    assert_eq!(late.user_errors("restoreAccount"), ["INVALID input.link.token"]);
    let back = restore(&test, json!({ "credentials": { "identifier": "anna", "password": PASSWORD } })).await;
    assert_eq!(back.at("/data/restoreAccount/user/username"), "anna");
    let (old, new) =
        (signed_in(&test, "anna", PASSWORD).await, signed_in(&test, "anna@example.org", NEW_PASSWORD).await);
    assert_eq!((email_of(&old).await, email_of(&new).await), (Value::Null, json!("ANNA@example.org")));
}

#[tokio::test]
async fn with_no_days_of_grace_there_is_no_way_back_and_the_mail_offers_none() {
    for policy in [Flagged, Off] {
        let test = TestApp::with_config(|config| {
            config.accounts.deletion_grace_days = 0;
            config.accounts.email_verification = policy;
        })
        .await;
        let anna = test.sign_up("anna").await;
        delivered(&test).await;
        leave(&anna).await.data();
        let mails = delivered(&test).await;
        // Under `off` an address that nobody has confirmed gets no notice.
        assert_eq!(mails.len(), usize::from(policy == Flagged), "{mails:?}");
        assert!(mails.iter().all(|mail| !mail.text.contains("#token=")));
        let by_name = restore(&test, json!({ "credentials": { "identifier": "anna", "password": PASSWORD } })).await;
        assert_eq!(by_name.user_errors("restoreAccount"), ["WRONG_CREDENTIALS"]);
    }
}

#[tokio::test]
async fn an_account_that_is_not_deleted_is_not_restored_by_a_link_of_before() {
    let (test, anna) = with_confirmed().await;
    leave(&anna).await.data();
    let link = link_token(&only_mail(&test).await);
    let id = id_of(&test, "anna").await;
    test.app.accounts.restore(&Who::operator(), id).await.expect("she is let in again");
    let reply = restore(&test, json!({ "link": { "token": link } })).await;
    assert_eq!(reply.user_errors("restoreAccount"), ["INVALID input.link.token"]);
}
