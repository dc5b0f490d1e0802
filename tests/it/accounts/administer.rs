//! What administrators do to others: it holds from the very next request on, and is written down.

use cloakroom::accounts::{account_event, user};
use cloakroom::id::UserId;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, Reply, TestApp};

/// `mutation` on the user with this id; `more` has further fields of the input.
async fn on(caller: &Caller, mutation: &str, id: &str, more: &str) -> Reply {
    let fields = "user { id username email } userErrors { code field message }";
    caller.run(&format!("mutation {{ {mutation}(input: {{ userId: \"{id}\" {more} }}) {{ {fields} }} }}")).await
}

async fn set_role(caller: &Caller, id: &str, role: &str) -> Reply {
    on(caller, "setUserRole", id, &format!("role: {role}")).await
}

async fn role_of(caller: &Caller) -> Value {
    caller.run("{ viewer { role } }").await.data()["viewer"]["role"].clone()
}

/// Kinds and actors of what was done to a user, the oldest first, without sign-ups and logins.
async fn events(test: &TestApp, id: &str) -> Vec<(String, Option<String>)> {
    let id = UserId::parse(id).expect("a user's id");
    let of = account_event::Entity::find().filter(account_event::Column::UserId.eq(id));
    let all =
        of.order_by_asc(account_event::Column::Id).all(test.app.database.reader()).await.expect("events are read");
    let told = all.into_iter().map(|event| (event.kind.name(), event.actor_id.map(|actor| actor.to_string())));
    told.filter(|(kind, _)| !["SIGNED_UP", "LOGGED_IN"].contains(&kind.as_str())).collect()
}

#[tokio::test]
async fn a_role_is_gained_and_lost_with_the_next_request_of_a_live_session() {
    let (mut test, anna) = TestApp::with_user().await;
    let root = test.admin("root").await;
    let (anna_id, root_id) = (anna.user_id().await, root.user_id().await);
    assert_eq!(set_role(&anna, &root_id, "USER").await.code(), "FORBIDDEN");
    let made = set_role(&root, &anna_id, "ADMIN").await;
    let shown = json!({ "id": anna_id, "username": "anna", "email": "anna@example.org" });
    assert_eq!(made.data()["setUserRole"], json!({ "user": shown, "userErrors": [] }));
    assert_eq!(role_of(&anna).await, "ADMIN");
    let users = anna.run("{ user(username: \"root\") { email } }").await;
    assert_eq!(users.data()["user"]["email"], "root@example.org");

    assert_eq!(set_role(&anna, &root_id, "USER").await.data()["setUserRole"]["userErrors"], json!([]));
    assert_eq!(role_of(&root).await, "USER", "the session lives on");
    for mutation in ["suspendUser", "reinstateUser"] {
        assert_eq!(on(&root, mutation, &anna_id, "").await.code(), "FORBIDDEN");
    }
    assert_eq!(root.run("{ user(username: \"anna\") { email } }").await.data()["user"]["email"], Value::Null);
    test.restart().await;
    let root = test.bearer(root.token.as_deref());
    assert_eq!(set_role(&root, &root_id, "ADMIN").await.code(), "FORBIDDEN");
    assert_eq!(role_of(&test.bearer(anna.token.as_deref())).await, "ADMIN");
}

#[tokio::test]
async fn a_suspension_ends_everything_at_once_and_its_end_allows_a_new_beginning() {
    let (mut test, anna) = TestApp::with_user().await;
    let root = test.admin("root").await;
    let (phone, key) = (test.sign_in("anna").await, test.key_of(&anna, "scopes: [COUNTERS_READ]").await);
    let id = anna.user_id().await;
    let credentials = format!("identifier: \"anna\", password: \"{PASSWORD}\"");
    let login = format!("mutation {{ login(input: {{ {credentials} }}) {{ tokens {{ refreshToken }} }} }}");
    let refresh = test.anonymous().run(&login).await.at("/data/login/tokens/refreshToken").clone();
    let refresh = format!(
        "mutation {{ refreshTokens(input: {{ refreshToken: {refresh} }}) {{ tokens {{ tokenType }} userErrors {{ code }} }} }}"
    );

    let suspended = on(&root, "suspendUser", &id, "").await;
    assert_eq!(suspended.data()["suspendUser"]["user"]["id"], json!(id));
    for caller in [&anna, &phone, &key] {
        assert!(caller.is_refused().await);
    }
    assert_eq!(test.anonymous().run(&login).await.code(), "FORBIDDEN", "who knows the password is told");
    let wrong = login.replace(PASSWORD, "another password");
    assert_eq!(test.anonymous().run(&wrong).await.user_errors("login"), [""; 0], "no user errors are asked for");
    assert_eq!(test.anonymous().run(&refresh).await.at("/data/refreshTokens/tokens"), &Value::Null);
    assert_eq!(on(&root, "suspendUser", &id, "").await.data()["suspendUser"]["userErrors"], json!([]), "twice is once");
    test.restart().await;
    assert!(test.bearer(anna.token.as_deref()).is_refused().await);

    let root = test.bearer(root.token.as_deref());
    on(&root, "reinstateUser", &id, "").await.data();
    assert!(test.bearer(anna.token.as_deref()).is_refused().await, "sessions that have ended do not begin again");
    assert!(!test.bearer(key.token.as_deref()).is_refused().await, "an API key works again");
    assert_eq!(test.sign_in("anna").await.next().await, 1);
}

#[tokio::test]
async fn what_is_done_is_written_down_with_who_did_it_and_what_changes_nothing_is_not() {
    let (test, anna) = TestApp::with_user().await;
    let root = test.admin("root").await;
    let (id, root_id) = (anna.user_id().await, root.user_id().await);
    set_role(&root, &id, "USER").await.data();
    on(&root, "reinstateUser", &id, "").await.data();
    assert_eq!(events(&test, &id).await, []);
    for (mutation, more) in [
        ("setUserRole", "role: ADMIN"),
        ("setUserRole", "role: ADMIN"),
        ("suspendUser", ""),
        ("suspendUser", ""),
        ("reinstateUser", ""),
        ("setUserRole", "role: USER"),
    ] {
        assert_eq!(on(&root, mutation, &id, more).await.data()[mutation]["userErrors"], json!([]));
    }
    let by = |kind: &str| (kind.to_owned(), Some(root_id.clone()));
    let expected = [by("ROLE_CHANGED"), by("SUSPENDED"), by("REINSTATED"), by("ROLE_CHANGED")];
    assert_eq!(events(&test, &id).await, expected);
    assert_eq!(events(&test, &root_id).await, [("ROLE_CHANGED".to_owned(), None)], "the operator is nobody");
}

#[tokio::test]
async fn whom_nobody_knows_is_not_found() {
    let (test, anna) = TestApp::with_user().await;
    let root = test.admin("root").await;
    let reply = anna.run("{ viewer { session { id } counter { id } } }").await;
    let session = reply.at("/data/viewer/session/id").as_str().expect("an id");
    let counter = reply.at("/data/viewer/counter/id").as_str().expect("an id");
    for id in ["", "anna", "usr_00000000000070008000000000000000", session, counter] {
        for (mutation, more) in [("setUserRole", "role: ADMIN"), ("suspendUser", ""), ("reinstateUser", "")] {
            let reply = on(&root, mutation, id, more).await;
            assert_eq!(reply.user_errors(mutation), ["NOT_FOUND input.userId"], "{id}: {}", reply.body);
            assert_eq!(reply.data()[mutation]["user"], Value::Null);
        }
    }
    assert!(!anna.is_refused().await);
}

/// An operator sees also those who have left, and brings them back; an administrator does not.
#[tokio::test]
async fn an_operator_brings_back_who_has_left_within_the_time_of_grace() {
    let (test, anna) = TestApp::with_user().await;
    let (id, key) = (anna.user_id().await, test.key_of(&anna, "scopes: [COUNTERS_NEXT]").await);
    let leave = format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ deletedUserId }} }}");
    anna.run(&leave).await.data();
    let operator = cloakroom::caller::Caller::operator();
    let user = UserId::parse(&id).expect("an id");
    let still = test.app.accounts.reinstate(&operator, Some(user)).await.expect("nothing holds them but the deletion");
    assert!(still.deleted_at.is_some());
    let back = test.app.accounts.restore(&operator, user).await.expect("they are back");
    assert_eq!((back.deleted_at, back.role), (None, user::Role::User));
    assert!(anna.is_refused().await);
    assert_eq!((test.sign_in("anna").await.next().await, key.next().await), (1, 2));
    test.clock.advance(30 * 86_400);
    assert!(test.app.accounts.sweep().await.is_ok());
    assert_eq!(test.sign_in("anna").await.next().await, 3, "the sweep leaves them alone");
}
