//! Finding an account by whatever names it: only for administrators and the command line.

use cloakroom::accounts::user::Model;
use cloakroom::caller::{Caller, Identity};
use cloakroom::error::ErrorCode;

use crate::support::{TestApp, alter};

async fn find(test: &TestApp, caller: &Caller, who: &str) -> Result<Option<Model>, ErrorCode> {
    test.app.accounts.find_account(caller, who).await.map_err(|error| error.code())
}

async fn found(test: &TestApp, who: &str) -> Option<String> {
    find(test, &Caller::operator(), who).await.expect("an operator may look").map(|user| user.username)
}

#[tokio::test]
async fn a_user_is_found_by_username_address_and_id_in_any_spelling_but_of_the_id() {
    let (test, _) = TestApp::with_user().await;
    test.sign_up("bob").await;
    let id = find(&test, &Caller::operator(), "anna").await.expect("allowed").expect("anna").id.to_string();
    for who in ["anna", " ANNA ", "Ａnna", "anna@example.org", "Anna@Example.org", &id, &format!(" {id}\n")] {
        assert_eq!(found(&test, who).await.as_deref(), Some("anna"), "{who}");
    }
    let long = "a".repeat(10_000);
    for who in
        ["", " ", "carla", "carla@example.org", "an%", "\0", &id.to_uppercase(), &id.replace("usr", "ses"), &long]
    {
        assert_eq!(found(&test, who).await, None, "{who}");
    }
}

#[tokio::test]
async fn a_user_is_found_in_whatever_state() {
    let (test, _) = TestApp::with_user().await;
    for column in ["suspended_at", "deleted_at", "unconfirmed_until"] {
        let sql: &'static str = format!("UPDATE users SET {column} = '2026-11-20 12:00:00+00:00'").leak();
        alter(&test, sql).await;
        assert_eq!(found(&test, "anna").await.as_deref(), Some("anna"), "{column}");
    }
}

#[tokio::test]
async fn only_administrators_and_the_command_line_may_look() {
    let (test, _) = TestApp::with_user().await;
    let user = find(&test, &Caller::operator(), "anna").await.expect("allowed").expect("anna").id;
    let as_user = |admin| Caller { identity: Identity::Impersonated { user, admin }, ..Caller::anonymous() };
    assert!(find(&test, &as_user(true), "anna").await.expect("allowed").is_some());
    assert_eq!(find(&test, &as_user(false), "anna").await, Err(ErrorCode::Forbidden));
    assert_eq!(find(&test, &Caller::anonymous(), "anna").await, Err(ErrorCode::Unauthenticated));
}
