//! Who may do what an operator does, and whom they see.

use cloakroom::accounts::{AddUser, Import, Password, Profile, Secret, UpdateProfile, user};
use cloakroom::caller::{Caller, Identity};
use cloakroom::error::{Error, ErrorCode};
use cloakroom::id::UserId;
use cloakroom::page::Window;

use crate::support::{PASSWORD, TestApp, alter};

fn carla() -> AddUser {
    AddUser {
        profile: Profile { email: None, username: Some("carla".to_owned()), display_name: None },
        secret: Secret::Password(Password::from(PASSWORD.to_owned())),
        role: user::Role::User,
        email_verified: false,
        created_at: None,
    }
}

async fn anna(test: &TestApp) -> UserId {
    let found = test.app.accounts.find_account(&Caller::operator(), "anna").await;
    found.expect("an operator may look").expect("anna").id
}

fn code<T>(result: Result<T, Error>) -> Option<ErrorCode> {
    result.err().map(|error| error.code())
}

#[tokio::test]
async fn nobody_but_an_operator_does_what_an_operator_does() {
    let (test, _) = TestApp::with_user().await;
    let (accounts, id) = (&test.app.accounts, anna(&test).await);
    let admin = Caller { identity: Identity::Impersonated { user: id, admin: true }, ..Caller::anonymous() };
    for caller in [Caller::anonymous(), admin] {
        let password = Password::from(PASSWORD.to_owned());
        let codes = [
            code(accounts.add_user(&caller, carla()).await),
            code(accounts.import(&caller, &mut Import::default(), Vec::new()).await),
            code(accounts.set_password(&caller, id, password).await),
            code(accounts.rename(&caller, id, UpdateProfile::default()).await),
            code(accounts.end_sessions_of(&caller, id).await),
            code(accounts.delete_user(&caller, id, true).await),
            code(accounts.inspect(&caller, id).await),
            code(accounts.restore(&caller, id).await),
            code(test.app.export_user(&caller, id, None).await),
        ];
        assert_eq!(codes, [Some(ErrorCode::Forbidden); 9], "{caller:?}");
    }
    assert!(accounts.inspect(&Caller::operator(), id).await.is_ok());
}

#[tokio::test]
async fn only_an_operator_lists_those_who_are_not_there_for_others() {
    let (test, _) = TestApp::with_user().await;
    test.sign_up("bob").await;
    alter(&test, "UPDATE users SET deleted_at = '2026-11-20 12:00:00+00:00' WHERE username = 'bob'").await;
    let id = anna(&test).await;
    let window = Window { after: None, before: None, rows: 10, backward: false };
    let listed = async |caller: Caller, search| {
        let page = test.app.accounts.list_users(&caller, search, &window).await.expect("a page");
        page.rows.into_iter().map(|user| user.username).collect::<Vec<_>>()
    };
    let as_user = |admin| Caller { identity: Identity::Impersonated { user: id, admin }, ..Caller::anonymous() };
    assert_eq!(listed(as_user(true), None).await, ["anna"]);
    assert_eq!(listed(as_user(false), None).await, ["anna"]);
    assert_eq!(listed(Caller::operator(), None).await, ["anna", "bob"]);
    assert_eq!(listed(Caller::operator(), Some("bob@")).await, ["bob"]);
}
