//! `viewer.events`: who did what, from where, told to the account's owner alone.

use serde_json::{Value, json};

use super::signed_in::{log_in, login, refresh, refreshed, viewer};
use crate::support::{Caller, TestApp};

/// The kinds in the log, the newest first.
async fn kinds(caller: &Caller) -> Vec<String> {
    let log = viewer(caller, "events(first: 100) { nodes { kind } }").await;
    let nodes = log["events"]["nodes"].as_array().expect("a list").clone();
    nodes.iter().map(|event| event["kind"].as_str().expect("a kind").to_owned()).collect()
}

async fn newest(caller: &Caller) -> Value {
    let log = viewer(caller, "events(first: 1) { nodes { kind ipAddress userAgent createdAt } }").await;
    log["events"]["nodes"][0].clone()
}

#[tokio::test]
async fn what_sessions_do_is_told_with_address_and_program() {
    let (test, owner) = TestApp::with_user().await;
    let there = test.anonymous().at_address("203.0.113.7").with_header("user-agent", "Agent/7");
    let told = |kind: &str| {
        let (address, agent, now) = ("203.0.113.7", "Agent/7", cloakroom::clock::rfc3339(test.clock.now()));
        json!({ "kind": kind, "ipAddress": address, "userAgent": agent, "createdAt": now })
    };
    let first = newest(&owner).await;
    let signed_up = json!({ "kind": "SIGNED_UP", "ipAddress": null, "userAgent": null, "createdAt": "2026-11-20T12:00:00.000000Z" });
    assert_eq!(first, signed_up);

    test.clock.advance(60);
    let session = log_in(&there, "anna").await;
    assert_eq!(newest(&owner).await, told("LOGGED_IN"));
    let second = refreshed(&refresh(&there, &session.refresh_token).await);
    assert_eq!(newest(&owner).await, told("TOKENS_REFRESHED"));
    refresh(&there, &session.refresh_token).await.data();
    assert_eq!(kinds(&owner).await.len(), 3, "the same answer again is no new refresh");
    let third = refreshed(&refresh(&there, &second).await);
    test.clock.advance(121);
    refresh(&there, &session.refresh_token).await.data();
    assert_eq!(newest(&owner).await, told("REFRESH_TOKEN_REUSED"));
    refresh(&there, &third).await.data();
    let all =
        ["REFRESH_TOKEN_REUSED", "SESSION_ENDED", "TOKENS_REFRESHED", "TOKENS_REFRESHED", "LOGGED_IN", "SIGNED_UP"];
    assert_eq!(kinds(&owner).await, all, "an ended session's tokens tell nothing more");

    for scope in ["ACCESS_TOKEN", "REFRESH_TOKEN", "SESSION"] {
        let session = log_in(&there, "anna").await;
        session
            .user
            .run(&format!("mutation {{ logout(input: {{ scope: {scope} }}) {{ endedSessions }} }}"))
            .await
            .data();
        assert_eq!(newest(&owner).await, told("LOGGED_OUT"), "{scope}");
    }
    let here = owner.at_address("203.0.113.7").with_header("user-agent", "Agent/7");
    let other = log_in(&there, "anna").await;
    let id = viewer(&other.user, "session { id }").await["session"]["id"].as_str().expect("an id").to_owned();
    let end = format!("mutation {{ endSession(input: {{ sessionId: \"{id}\" }}) {{ session {{ id }} }} }}");
    here.run(&end).await.data();
    assert_eq!(newest(&owner).await, told("SESSION_ENDED"));
    let before = kinds(&owner).await.len();
    here.run(&end).await.data();
    assert_eq!(kinds(&owner).await.len(), before, "what did nothing is not told");
    assert_eq!(own_end(&test, &owner).await, "LOGGED_OUT");
}

/// What is told of a logout from everywhere.
async fn own_end(test: &TestApp, owner: &Caller) -> String {
    owner.run("mutation { logout(input: { scope: ALL_SESSIONS }) { endedSessions } }").await.data();
    let again = log_in(&test.anonymous(), "anna").await;
    kinds(&again.user).await[1].clone()
}

#[tokio::test]
async fn a_failed_login_is_told_once_it_is_written_down_and_never_of_nobody() {
    let (test, owner) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let thief = test.anonymous().at_address("198.51.100.66").with_header("user-agent", "Thief/1");
    let before = test.rows().await;
    for identifier in ["anna", "anna@example.org", "nobody", "nobody@example.org", "x y", "a\u{0}b"] {
        let reply = login(&thief, identifier, "wrong horse battery").await;
        assert_eq!(reply.user_errors("login"), ["WRONG_CREDENTIALS"]);
    }
    assert_eq!(kinds(&owner).await, ["SIGNED_UP"], "it waits");
    test.clock.advance(4);
    assert!(test.app.accounts.write_notes().await.is_ok());
    assert_eq!(kinds(&owner).await, ["LOGIN_FAILED", "LOGIN_FAILED", "SIGNED_UP"]);
    let told = newest(&owner).await;
    let expected = json!({
        "kind": "LOGIN_FAILED", "ipAddress": "198.51.100.66", "userAgent": "Thief/1",
        "createdAt": "2026-11-20T12:00:00.000000Z",
    });
    assert_eq!(told, expected, "the moment is that of the attempt");
    assert_eq!(kinds(&bert).await, ["SIGNED_UP"]);
    assert!(test.app.accounts.write_notes().await.is_ok());
    assert_eq!(kinds(&owner).await.len(), 3, "written down once");
    assert_eq!(test.rows().await, before);
}

#[tokio::test]
async fn a_failure_of_somebody_who_is_gone_by_then_stops_nothing() {
    let (test, owner) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    for name in ["bert", "anna", "bert"] {
        login(&test.anonymous(), name, "wrong horse battery").await;
    }
    let id = super::signed_in::own_id(&bert).await;
    let id = cloakroom::id::UserId::parse(&id).expect("an id");
    let operator = cloakroom::caller::Caller::operator();
    assert!(test.app.accounts.delete_user(&operator, id, true).await.is_ok());
    assert!(test.app.accounts.write_notes().await.is_ok());
    assert_eq!(kinds(&owner).await, ["LOGIN_FAILED", "SIGNED_UP"]);
}

#[tokio::test]
async fn failures_before_a_login_stand_before_it() {
    let (test, owner) = TestApp::with_user().await;
    login(&test.anonymous(), "anna", "wrong horse battery").await;
    log_in(&test.anonymous(), "anna").await;
    login(&test.anonymous(), "anna", "wrong horse battery").await;
    assert!(test.app.accounts.write_notes().await.is_ok());
    assert_eq!(kinds(&owner).await, ["LOGIN_FAILED", "LOGGED_IN", "LOGIN_FAILED", "SIGNED_UP"]);
}

#[tokio::test]
async fn the_log_is_paged_from_both_ends() {
    let (test, owner) = TestApp::with_user().await;
    for _ in 0..24 {
        log_in(&test.anonymous(), "anna").await;
    }
    let all = ids(&viewer(&owner, "events(first: 100) { nodes { id } }").await["events"]["nodes"]);
    assert_eq!(all.len(), 25);
    let unasked = viewer(&owner, "events { nodes { id } pageInfo { hasNextPage } }").await["events"].clone();
    assert_eq!((ids(&unasked["nodes"]), &unasked["pageInfo"]["hasNextPage"]), (all[..20].to_vec(), &json!(true)));

    let (forward, backward) = (walk(&owner, "first", "after").await, walk(&owner, "last", "before").await);
    assert_eq!(forward, all);
    assert_eq!(backward, all);
    let log = viewer(&owner, "events(first: 3) { edges { cursor } }").await;
    let cursor = |at: usize| log["events"]["edges"][at]["cursor"].as_str().expect("a cursor").to_owned();
    let between = format!("events(after: \"{}\", before: \"{}\") {{ nodes {{ id }} }}", cursor(0), cursor(2));
    assert_eq!(ids(&viewer(&owner, &between).await["events"]["nodes"]), all[1..2]);
    assert_eq!(viewer(&owner, "events(first: 0) { nodes { id } }").await["events"]["nodes"], json!([]));
}

/// Every entry, seven at a time, from the one end or the other.
async fn walk(owner: &Caller, count: &str, bound: &str) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let query = format!(
            "events({count}: 7{cursor}) {{ nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"
        );
        let page = viewer(owner, &query).await["events"].clone();
        let (nodes, info) = (ids(&page["nodes"]), &page["pageInfo"]);
        let (goes_on, edge) = match count {
            "first" => {
                found.extend(nodes);
                (info["hasNextPage"] == true, info["endCursor"].clone())
            }
            _ => {
                found.splice(0..0, nodes);
                (info["hasPreviousPage"] == true, info["startCursor"].clone())
            }
        };
        if !goes_on {
            return found;
        }
        cursor = format!(", {bound}: {edge}");
    }
}

fn ids(nodes: &Value) -> Vec<Value> {
    nodes.as_array().expect("a list").iter().map(|node| node["id"].clone()).collect()
}

#[tokio::test]
async fn pages_that_cannot_be_are_refused() {
    let (_test, owner) = TestApp::with_user().await;
    let of_another_list = cloakroom::page::cursor("users", "anna");
    for arguments in [
        "first: -1".to_owned(),
        "first: 101".to_owned(),
        "last: 101".to_owned(),
        "first: 1, last: 1".to_owned(),
        "after: \"%%%\"".to_owned(),
        format!("after: \"{of_another_list}\""),
        format!("before: \"{of_another_list}\""),
    ] {
        let reply = owner.run(&format!("{{ viewer {{ events({arguments}) {{ nodes {{ id }} }} }} }}")).await;
        assert_eq!(reply.code(), "BAD_USER_INPUT", "{arguments}: {}", reply.body);
    }
}

#[tokio::test]
async fn an_entry_is_its_owners_alone() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    log_in(&test.anonymous(), "anna").await;
    assert_eq!(kinds(&bert).await, ["SIGNED_UP"]);
    let entry = ids(&viewer(&anna, "events { nodes { id } }").await["events"]["nodes"])[0].clone();
    let query = format!("{{ node(id: {entry}) {{ __typename ... on AccountEvent {{ kind }} }} }}");
    assert_eq!(anna.run(&query).await.data()["node"], json!({ "__typename": "AccountEvent", "kind": "LOGGED_IN" }));
    assert_eq!(bert.run(&query).await.data()["node"], Value::Null);
    assert_eq!(test.anonymous().run(&query).await.code(), "UNAUTHENTICATED");
    let cursor = viewer(&anna, "events(first: 1) { edges { cursor } }").await["events"]["edges"][0]["cursor"].clone();
    let with_annas = viewer(&bert, &format!("events(before: {cursor}) {{ nodes {{ kind }} }}")).await;
    assert_eq!(with_annas["events"]["nodes"], json!([]), "a cursor gives nothing away");
}

#[tokio::test]
async fn an_api_key_reads_the_log_with_the_scope_alone() {
    let (test, user) = TestApp::with_user().await;
    for (scope, code) in [("ACCOUNT_READ", ""), ("COUNTERS_WRITE", "FORBIDDEN")] {
        let create = format!(
            "mutation {{ createApiKey(input: {{ password: \"correct horse battery\", name: \"k\", scopes: [{scope}] }}) {{ secret }} }}"
        );
        let key = test.bearer(user.run(&create).await.data()["createApiKey"]["secret"].as_str());
        assert_eq!(key.run("{ viewer { events { nodes { kind } } } }").await.code(), code, "{scope}");
    }
}
