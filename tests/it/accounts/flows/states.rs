//! No dead ends: for each state of an account, under each policy, its owner has a way on. The table is that of
//! `docs/accounts-states.md`.

use cloakroom::caller::Caller as Who;
use cloakroom::config::EmailVerification::{self, Flagged, Off, Required};
use serde_json::{Value, json};

use super::{NEW_PASSWORD, delivered, id_of, login, request_reset, reset, sign_up, suspend, verify_by, with_policy};
use crate::support::{Caller, PASSWORD, Reply, TestApp, link_token};

const DOCUMENT: &str = include_str!("../../../../docs/accounts-states.md");

/// A state, the ways on that the document names for it, and whether there is one under a policy.
const TABLE: &[(&str, &[&str])] = &[
    ("signed up, mail lost", &["login sends the link again", "sign up again", "reset"]),
    ("signed up, address mistyped", &["sign up again", "change the address"]),
    ("signed up, password forgotten", &["reset"]),
    ("link expired", &["login sends the link again", "reset"]),
    ("address given by a stranger first", &["sign up", "change the address", "reset"]),
    ("address lost to who confirmed it", &["change the address", "sign in by username"]),
    ("confirmed, password forgotten", &["reset"]),
    ("suspended", &["operator"]),
    ("deleted, with an address", &["link", "password", "sign up again"]),
    ("deleted, without an address", &["password"]),
    ("deleted by an operator", &["operator"]),
];

const ME: &str = "myself@example.org";

async fn ends_signed_in(test: &TestApp, identifier: &str, password: &str) -> bool {
    login(test, identifier, password).await.at("/data/login/tokens/accessToken").is_string()
}

/// The link in the newest mail with this subject to this address.
async fn link(test: &TestApp, to: &str, subject: &str) -> Option<String> {
    let mails = delivered(test).await;
    mails.iter().rev().find(|mail| mail.to == to && mail.subject.starts_with(subject)).map(link_token)
}

async fn new_account(test: &TestApp, username: &str, email: &str) -> Reply {
    sign_up(test, json!({ "username": username, "email": email })).await
}

async fn leave(caller: &Caller) {
    let query = "mutation ($p: String!) { deleteAccount(input: { password: $p }) { deletedUserId } }";
    let reply = caller.run_with(query, json!({ "p": PASSWORD })).await;
    assert!(reply.at("/data/deleteAccount/deletedUserId").is_string(), "{}", reply.body);
}

async fn restore(test: &TestApp, input: Value) -> Vec<String> {
    let query = "mutation ($i: RestoreAccountInput!) { restoreAccount(input: $i) { userErrors { code field } } }";
    test.anonymous().run_with(query, json!({ "i": input })).await.user_errors("restoreAccount")
}

/// Signs in by a reset of this address.
async fn by_reset(test: &TestApp, email: &str) -> bool {
    request_reset(test, email).await.data();
    let Some(token) = link(test, email, "Choose").await else { return false };
    reset(&test.anonymous(), &token, NEW_PASSWORD).await.data();
    ends_signed_in(test, email, NEW_PASSWORD).await
}

/// Confirms with the link that was sent to this address, and signs in.
async fn by_link(test: &TestApp, email: &str, username: &str) -> bool {
    let Some(token) = link(test, email, "Confirm").await else { return false };
    verify_by(&test.anonymous(), &token, Some(PASSWORD)).await.data();
    ends_signed_in(test, username, PASSWORD).await
}

/// A user who may act, with the address confirmed where addresses are.
async fn settled(test: &TestApp, username: &str) -> Caller {
    let email = format!("{username}@example.org");
    new_account(test, username, &email).await.data();
    if test.config.accounts.email_verification != Off {
        assert!(by_link(test, &email, username).await, "{username}");
    }
    test.sign_in(username).await
}

async fn change_email(caller: &Caller, email: &str) {
    let query = "mutation ($e: String!, $p: String!) { changeEmail(input: { newEmail: $e, password: $p }) {
        userErrors { code } } }";
    let reply = caller.run_with(query, json!({ "e": email, "p": PASSWORD })).await;
    assert_eq!(reply.user_errors("changeEmail"), [""; 0]);
}

/// Whether this way leads on from this state; true also where the state cannot be under this policy.
async fn leads_on(policy: EmailVerification, state: &str, way: &str) -> bool {
    let test = with_policy(policy).await;
    match state {
        "signed up, mail lost" | "signed up, address mistyped" | "signed up, password forgotten" | "link expired" => {
            newcomer_leads_on(&test, policy, state, way).await
        }
        "address given by a stranger first" => after_a_stranger(&test, policy, way).await,
        "address lost to who confirmed it" => policy != Flagged || after_a_loss(&test, way).await,
        "confirmed, password forgotten" => {
            settled(&test, "myself").await;
            by_reset(&test, ME).await
        }
        "suspended" => {
            settled(&test, "myself").await;
            suspend(&test, "myself").await;
            assert_eq!(login(&test, "myself", PASSWORD).await.code(), "FORBIDDEN");
            let id = id_of(&test, "myself").await;
            test.app.accounts.reinstate(&Who::operator(), Some(id)).await.expect("an operator can");
            ends_signed_in(&test, "myself", PASSWORD).await
        }
        "deleted, with an address" => after_a_deletion(&test, policy, way).await,
        "deleted, without an address" if policy == Required => true,
        "deleted, without an address" => {
            let reply = sign_up(&test, json!({ "username": "myself" })).await;
            leave(&test.bearer(reply.at("/data/signUp/tokens/accessToken").as_str())).await;
            assert_eq!(
                restore(&test, json!({ "credentials": { "identifier": "myself", "password": PASSWORD } })).await,
                [""; 0]
            );
            ends_signed_in(&test, "myself", PASSWORD).await
        }
        "deleted by an operator" => {
            settled(&test, "myself").await;
            let id = id_of(&test, "myself").await;
            test.app.accounts.delete_user(&Who::operator(), id, false).await.expect("deleted");
            test.app.accounts.restore(&Who::operator(), id).await.expect("an operator can");
            ends_signed_in(&test, "myself", PASSWORD).await
        }
        state => panic!("no row for {state}"),
    }
}

async fn newcomer_leads_on(test: &TestApp, policy: EmailVerification, state: &str, way: &str) -> bool {
    let mistyped = state == "signed up, address mistyped";
    new_account(test, "myself", if mistyped { "typo@example.org" } else { ME }).await.data();
    delivered(test).await;
    if state == "link expired" {
        test.clock.advance(2 * 86_400);
    }
    match (way, policy) {
        ("login sends the link again", Required) => {
            login(test, "myself", PASSWORD).await;
            by_link(test, ME, "myself").await
        }
        ("sign up again", Required) => {
            new_account(test, "myself", ME).await.data();
            by_link(test, ME, "myself").await
        }
        ("login sends the link again", _) => ends_signed_in(test, "myself", PASSWORD).await,
        ("sign up again", _) => ends_signed_in(test, "myself", PASSWORD).await,
        ("change the address", Required) => true,
        ("change the address", _) => {
            change_email(&test.sign_in("myself").await, ME).await;
            by_link(test, ME, "myself").await && ends_signed_in(test, ME, PASSWORD).await
        }
        ("reset", _) => by_reset(test, ME).await,
        (way, _) => panic!("no way {way}"),
    }
}

async fn after_a_stranger(test: &TestApp, policy: EmailVerification, way: &str) -> bool {
    sign_up(test, json!({ "username": "eve", "email": ME, "password": "of the stranger" })).await.data();
    delivered(test).await;
    match (way, policy) {
        ("sign up" | "change the address", Off) => true,
        ("sign up", _) => {
            assert_eq!(new_account(test, "myself", ME).await.user_errors("signUp"), [""; 0]);
            by_link(test, ME, ME).await
        }
        ("change the address", _) => {
            change_email(&settled(test, "mine").await, ME).await;
            by_link(test, ME, ME).await
        }
        _ => by_reset(test, ME).await,
    }
}

async fn after_a_loss(test: &TestApp, way: &str) -> bool {
    new_account(test, "myself", ME).await.data();
    delivered(test).await;
    new_account(test, "owner", ME).await.data();
    assert!(by_link(test, ME, "owner").await);
    if way == "sign in by username" {
        return ends_signed_in(test, "myself", PASSWORD).await;
    }
    change_email(&test.sign_in("myself").await, "mine@example.org").await;
    by_link(test, "mine@example.org", "mine@example.org").await
}

async fn after_a_deletion(test: &TestApp, policy: EmailVerification, way: &str) -> bool {
    leave(&settled(test, "myself").await).await;
    match (way, policy) {
        // An address that nobody has confirmed gets no notice.
        ("link", Off) => delivered(test).await.is_empty(),
        ("link", _) => {
            let token = link(test, ME, "Your account was deleted").await.expect("a mail");
            assert_eq!(restore(test, json!({ "link": { "token": token } })).await, [""; 0]);
            ends_signed_in(test, "myself", PASSWORD).await
        }
        ("password", _) => {
            assert_eq!(
                restore(test, json!({ "credentials": { "identifier": ME, "password": PASSWORD } })).await,
                [""; 0]
            );
            ends_signed_in(test, "myself", PASSWORD).await
        }
        (_, Off) => true,
        _ => {
            delivered(test).await;
            new_account(test, "me2", ME).await.data();
            by_link(test, ME, ME).await
        }
    }
}

async fn walk(policy: EmailVerification) {
    for (state, ways) in TABLE {
        for way in *ways {
            assert!(Box::pin(leads_on(policy, state, way)).await, "{policy:?}: {state}: {way}");
        }
    }
}

#[tokio::test]
async fn every_state_has_a_way_on_where_nothing_is_confirmed() {
    walk(Off).await;
}

#[tokio::test]
async fn every_state_has_a_way_on_where_it_is_flagged_what_is_not_confirmed() {
    walk(Flagged).await;
}

#[tokio::test]
async fn every_state_has_a_way_on_where_confirmation_is_required() {
    walk(Required).await;
}

#[test]
fn the_document_has_every_state_of_the_table() {
    let rows: Vec<String> = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split(" | ").next())
        .map(str::to_lowercase)
        .collect();
    for (state, _) in TABLE {
        assert!(rows.iter().any(|row| row == state), "{state} is not in docs/accounts-states.md: {rows:?}");
    }
}
