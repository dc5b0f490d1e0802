//! Whoever is suspended or has been deleted loses all access at once.

use cloakroom::caller::Caller as Asker;
use cloakroom::id::UserId;
use serde_json::json;

use super::signed_in::{SignedIn, is_welcome, log_in, login, own_id, refresh, viewer};
use crate::support::{Caller, PASSWORD, Reply, TestApp, alter};

const WRONG: &str = "wrong horse battery";

struct Anna {
    id: UserId,
    session: SignedIn,
    key: Caller,
}

async fn anna(test: &TestApp) -> Anna {
    let anna = test.sign_up("anna").await;
    let create = "mutation { createApiKey(input: { password: \"correct horse battery\", name: \"k\", scopes: [COUNTERS_READ] }) { secret } }";
    let created = anna.run(create).await;
    let key = test.bearer(created.data()["createApiKey"]["secret"].as_str());
    let session = log_in(&test.anonymous(), "anna").await;
    assert!(is_welcome(&session.user).await && is_welcome(&key).await, "both are remembered");
    let id = UserId::parse(&own_id(&session.user).await).expect("an id");
    Anna { id, session, key }
}

async fn change_password(caller: &Caller, password: &str) -> Reply {
    let mutation =
        "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { userErrors { code field } } }";
    let input = json!({ "identifier": "anna", "currentPassword": password, "newPassword": "purple tractor moonlight" });
    caller.run_with(mutation, json!({ "input": input })).await
}

async fn assert_refused(test: &TestApp, anna: &Anna) {
    assert!(!is_welcome(&anna.session.user).await);
    assert!(!is_welcome(&anna.key).await);
    let reply = refresh(&test.anonymous(), &anna.session.refresh_token).await;
    assert_eq!(reply.user_errors("refreshTokens"), ["EXPIRED input.refreshToken"]);
}

#[tokio::test]
async fn a_suspended_user_is_refused_at_once_and_told_so_for_the_right_password_alone() {
    let mut test = TestApp::start().await;
    let mut anna = anna(&test).await;
    let bert = test.sign_up("bert").await;
    assert!(test.app.accounts.suspend(&Asker::operator(), Some(anna.id)).await.is_ok());
    for moment in ["at once", "after a restart"] {
        assert_refused(&test, &anna).await;
        for identifier in ["anna", "anna@example.org"] {
            let right = login(&test.anonymous(), identifier, PASSWORD).await;
            assert_eq!((right.code(), right.status.as_u16()), ("FORBIDDEN", 200), "{moment}: {}", right.body);
            let wrong = login(&test.anonymous(), identifier, WRONG).await;
            assert_eq!(wrong.body, login(&test.anonymous(), "nobody", WRONG).await.body);
        }
        assert_eq!(change_password(&test.anonymous(), PASSWORD).await.code(), "FORBIDDEN");
        assert_eq!(
            change_password(&test.anonymous(), WRONG).await.user_errors("changePassword"),
            ["WRONG_CREDENTIALS"]
        );
        test.restart().await;
        anna.session.user = test.bearer(anna.session.user.token.as_deref());
        anna.key = test.bearer(anna.key.token.as_deref());
    }
    assert!(is_welcome(&test.bearer(bert.token.as_deref())).await, "nobody else is");

    assert!(test.app.accounts.reinstate(&Asker::operator(), Some(anna.id)).await.is_ok());
    assert!(!is_welcome(&anna.session.user).await, "a session that has ended stays so");
    assert!(is_welcome(&anna.key).await, "a key was only refused");
    let again = log_in(&test.anonymous(), "anna").await;
    let log = viewer(&again.user, "events { nodes { kind } }").await;
    let mut kinds: Vec<_> = log["events"]["nodes"].as_array().expect("a list").iter().map(|e| &e["kind"]).collect();
    kinds.retain(|kind| *kind != "LOGIN_FAILED");
    assert_eq!(kinds[..3], ["LOGGED_IN", "REINSTATED", "SUSPENDED"]);
}

#[tokio::test]
async fn a_suspension_behind_the_servers_back_counts_for_whatever_is_looked_up() {
    let mut test = TestApp::start().await;
    let mut anna = anna(&test).await;
    // Its successor is known: this is the token whose answer may have been lost.
    let first = anna.session.refresh_token.clone();
    super::signed_in::refreshed(&refresh(&test.anonymous(), &first).await);
    alter(&test, "UPDATE users SET suspended_at = created_at").await;
    assert_eq!(login(&test.anonymous(), "anna", PASSWORD).await.code(), "FORBIDDEN");
    test.restart().await;
    anna.session.user = test.bearer(anna.session.user.token.as_deref());
    anna.key = test.bearer(anna.key.token.as_deref());
    assert_refused(&test, &anna).await;
}

#[tokio::test]
async fn a_deleted_user_is_refused_at_once_and_as_unknown() {
    let test = TestApp::start().await;
    let anna = anna(&test).await;
    let delete = format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ deletedUserId }} }}");
    anna.session.user.run(&delete).await.data();
    assert_refused(&test, &anna).await;
    let unknown = login(&test.anonymous(), "nobody", PASSWORD).await;
    for (identifier, password) in [("anna", PASSWORD), ("anna@example.org", PASSWORD), ("anna", WRONG)] {
        assert_eq!(login(&test.anonymous(), identifier, password).await.body, unknown.body, "{identifier} {password}");
    }
    assert_eq!(change_password(&test.anonymous(), PASSWORD).await.user_errors("changePassword"), ["WRONG_CREDENTIALS"]);
}

/// P6: a sign-up with an address that has an account makes one without it. What login answers must not tell which.
#[tokio::test]
async fn before_it_is_confirmed_an_address_signs_nobody_in_whether_it_was_known() {
    use cloakroom::config::EmailVerification::Required;
    let mut test = TestApp::start().await;
    let anna = test.sign_up("anna").await;
    assert!(is_welcome(&anna).await);
    test.config.accounts.email_verification = Required;
    test.restart().await;
    let mine = "purple tractor moonlight";
    let mut seen = Vec::new();
    for (username, email) in [("guess1", "anna@example.org"), ("guess2", "nobody@example.org")] {
        let mutation = "mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }";
        let input = json!({ "username": username, "email": email, "password": mine });
        test.anonymous().run_with(mutation, json!({ "input": input })).await.data();
        let (by_name, by_address) =
            (login(&test.anonymous(), username, mine).await, login(&test.anonymous(), email, mine).await);
        assert_eq!((by_name.code(), by_address.code()), ("FORBIDDEN", "FORBIDDEN"));
        seen.push((by_name.body, by_address.body));
    }
    assert_eq!(seen[0], seen[1]);
}

/// Requests of every kind while the user is shut out: what begins after the answer is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_slips_through_a_suspension() {
    let test = TestApp::start().await;
    for round in 0..10 {
        let name = format!("guest{round}");
        let user = test.sign_up(&name).await;
        let id = UserId::parse(&own_id(&user).await).expect("an id");
        let racing: Vec<_> = (0..20)
            .map(|at| {
                let (user, anonymous, name) = (user.clone(), test.anonymous(), name.clone());
                tokio::spawn(async move {
                    match at % 4 {
                        0 => drop(login(&anonymous, &name, PASSWORD).await),
                        _ => drop(user.run("{ current }").await),
                    }
                })
            })
            .collect();
        assert!(test.app.accounts.suspend(&Asker::operator(), Some(id)).await.is_ok());
        assert!(!is_welcome(&user).await);
        futures_util::future::join_all(racing).await;
        assert!(!is_welcome(&user).await);
    }
    use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
    let live = cloakroom::accounts::session::Entity::find();
    let live = live.filter(cloakroom::accounts::session::Column::EndedAt.is_null());
    assert_eq!(live.count(test.app.database.reader()).await.expect("a count"), 0, "no login slipped in between");
}
