//! `deleteAccount`: gone for everybody at once, and removed after the time of grace.

use cloakroom::accounts::{account_event, api_key, session};
use cloakroom::counters::counter;
use cloakroom::id::UserId;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::{Value, json};

use crate::support::{Caller, PASSWORD, Reply, TestApp};

async fn leave(caller: &Caller, password: &str) -> Reply {
    let mutation = "mutation ($password: String!) { deleteAccount(input: { password: $password }) {
        deletedUserId userErrors { code field message } } }";
    caller.run_with(mutation, json!({ "password": password })).await
}

/// Sessions, keys, counters and events of a user.
async fn rows_of(test: &TestApp, id: &str) -> [u64; 4] {
    let (id, reader) = (UserId::parse(id).expect("a user's id"), test.app.database.reader());
    let sessions = session::Entity::find().filter(session::Column::UserId.eq(id)).count(reader);
    let keys = api_key::Entity::find().filter(api_key::Column::UserId.eq(id)).count(reader);
    let counters = counter::Entity::find().filter(counter::Column::UserId.eq(id)).count(reader);
    let events = account_event::Entity::find().filter(account_event::Column::UserId.eq(id)).count(reader);
    [
        sessions.await.expect("sessions"),
        keys.await.expect("keys"),
        counters.await.expect("counters"),
        events.await.expect("events"),
    ]
}

#[tokio::test]
async fn a_wrong_password_deletes_nothing() {
    let (test, anna) = TestApp::with_user().await;
    for (password, expected) in [
        ("another password".to_owned(), "WRONG_CREDENTIALS input.password"),
        (PASSWORD.to_uppercase(), "WRONG_CREDENTIALS input.password"),
        (format!("{PASSWORD} "), "WRONG_CREDENTIALS input.password"),
        (String::new(), "REQUIRED input.password"),
        ("x".repeat(1025), "TOO_LONG input.password"),
    ] {
        let reply = leave(&anna, &password).await;
        assert_eq!(reply.user_errors("deleteAccount"), [expected], "{}", reply.body);
        assert_eq!(reply.data()["deleteAccount"]["deletedUserId"], Value::Null);
    }
    let bert = test.sign_up("bert").await;
    assert_eq!(bert.run("{ user(username: \"anna\") { username } }").await.data()["user"]["username"], "anna");
    assert_eq!(anna.next().await, 1);
}

#[tokio::test]
async fn whoever_leaves_is_gone_at_once_and_after_a_restart() {
    let (mut test, anna) = TestApp::with_user().await;
    let (bert, phone) = (test.sign_up("bert").await, test.sign_in("anna").await);
    let key = test.key_of(&anna, "scopes: [COUNTERS_READ]").await;
    let credentials = |name: &str| format!("identifier: \"{name}\", password: \"{PASSWORD}\"");
    let login = |name: &str| {
        let fields = "tokens { refreshToken } userErrors { code }";
        format!("mutation {{ login(input: {{ {} }}) {{ {fields} }} }}", credentials(name))
    };
    let refresh = test.anonymous().run(&login("anna")).await.at("/data/login/tokens/refreshToken").clone();
    let refresh = format!(
        "mutation {{ refreshTokens(input: {{ refreshToken: {refresh} }}) {{ tokens {{ tokenType }} userErrors {{ code }} }} }}"
    );
    let id = anna.user_id().await;

    let reply = leave(&anna, PASSWORD).await;
    assert_eq!(reply.data()["deleteAccount"], json!({ "deletedUserId": id, "userErrors": [] }));
    for restarted in [false, true] {
        if restarted {
            test.restart().await;
        }
        let again = |caller: &Caller| test.bearer(caller.token.as_deref());
        for caller in [&anna, &phone, &key] {
            assert!(again(caller).is_refused().await, "{restarted}");
        }
        let nobody = test.anonymous().run(&login("nobody")).await;
        for name in ["anna", "anna@example.org"] {
            assert_eq!(test.anonymous().run(&login(name)).await.body, nobody.body, "like whom nobody knows");
        }
        let refreshed = test.anonymous().run(&refresh).await;
        assert_eq!(refreshed.at("/data/refreshTokens/tokens"), &Value::Null, "{}", refreshed.body);
        let query = format!(
            "{{ user(username: \"anna\") {{ id }} node(id: \"{id}\") {{ id }} users {{ nodes {{ username }} }} }}"
        );
        let seen = again(&bert).run(&query).await;
        assert_eq!(seen.data(), &json!({ "user": null, "node": null, "users": { "nodes": [{ "username": "bert" }] } }));
    }
}

#[tokio::test]
async fn the_name_stays_taken_until_the_sweep_removes_everything_that_is_theirs() {
    let (test, anna) = TestApp::with_user().await;
    let (bert, id) = (test.sign_up("bert").await, anna.user_id().await);
    test.key_of(&anna, "scopes: [COUNTERS_NEXT], counter: \"default\"").await;
    anna.next().await;
    leave(&anna, PASSWORD).await.data();
    let sign_up = |name: &str, email: &str| {
        let input = format!("username: \"{name}\", email: \"{email}@example.org\", password: \"{PASSWORD}\"");
        format!("mutation {{ signUp(input: {{ {input} }}) {{ user {{ id }} userErrors {{ code field }} }} }}")
    };
    let taken = test.anonymous().run(&sign_up("ANNA", "new")).await;
    assert_eq!(taken.user_errors("signUp"), ["TAKEN input.username"]);

    test.clock.advance(7 * 86_400);
    assert!(test.app.accounts.sweep().await.is_ok());
    assert_eq!(rows_of(&test, &id).await[1..3], [1, 1], "on the last day everything is there");
    test.clock.advance(1);
    assert!(test.app.accounts.sweep().await.is_ok());
    assert_eq!(rows_of(&test, &id).await, [0, 0, 0, 0]);
    let rows = test.rows().await;
    assert_eq!((rows.users, rows.counters), (1, 1), "bert stays");
    let again = test.anonymous().run(&sign_up("anna", "anna")).await;
    assert_ne!(again.data()["signUp"]["user"]["id"], json!(id));
    assert_eq!(test.sign_in("anna").await.next().await, 1, "somebody new, from the beginning");
    assert!(anna.is_refused().await);
    drop(bert);
}

#[tokio::test]
async fn of_two_who_delete_the_same_account_at_once_both_are_told_so_and_nobody_fails() {
    let (test, anna) = TestApp::with_user().await;
    let phone = test.sign_in("anna").await;
    let (one, two) = futures_util::future::join(leave(&anna, PASSWORD), leave(&phone, PASSWORD)).await;
    for reply in [one, two] {
        assert!([200, 401].contains(&reply.status.as_u16()), "{}", reply.body);
        assert_ne!(reply.code(), "INTERNAL_SERVER_ERROR");
    }
    assert!(anna.is_refused().await && phone.is_refused().await);
}
