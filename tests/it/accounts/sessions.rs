//! `viewer.session`, `viewer.sessions` and `endSession`: where one is signed in, and the end of it.

use serde_json::{Value, json};

use super::signed_in::{SignedIn, is_welcome, log_in, log_in_as, refresh, refreshed, viewer};
use crate::support::{Caller, PASSWORD, Reply, TestApp};

const SESSION: &str = "id isCurrent deviceName userAgent ipAddress createdAt lastActiveAt endsAt";

async fn sessions(caller: &Caller) -> Vec<Value> {
    viewer(caller, &format!("sessions {{ {SESSION} }}")).await["sessions"].as_array().expect("a list").clone()
}

async fn own_session(caller: &Caller) -> Value {
    viewer(caller, &format!("session {{ {SESSION} }}")).await["session"].clone()
}

async fn end_session(caller: &Caller, id: &str) -> Reply {
    let mutation = "mutation ($id: ID!) { endSession(input: { sessionId: $id }) {
        session { id isCurrent deviceName } userErrors { code field message } } }";
    caller.run_with(mutation, json!({ "id": id })).await
}

async fn can_refresh(test: &TestApp, session: &SignedIn) -> bool {
    let reply = refresh(&test.anonymous(), &session.refresh_token).await;
    reply.data()["refreshTokens"]["tokens"].is_object()
}

fn id(session: &Value) -> &str {
    session["id"].as_str().expect("an id")
}

#[tokio::test]
async fn a_session_tells_with_what_and_from_where_it_was_opened() {
    let (test, _) = TestApp::with_user().await;
    let laptop = test.anonymous().at_address("203.0.113.7").with_header("user-agent", "Laptop/1.0");
    let laptop = log_in_as(&laptop, "anna", PASSWORD, Some("  My laptop ")).await;
    let phone = test.anonymous().at_address("::ffff:198.51.100.9").with_header("user-agent", &"P".repeat(300));
    let phone = log_in(&phone, "anna").await;

    let own = own_session(&laptop.user).await;
    let moment = "2026-11-20T12:00:00.000000Z";
    let expected = json!({
        "id": own["id"], "isCurrent": true, "deviceName": "My laptop", "userAgent": "Laptop/1.0", "ipAddress": "203.0.113.7",
        "createdAt": moment, "lastActiveAt": moment, "endsAt": "2026-12-20T12:00:00.000000Z",
    });
    assert_eq!(own, expected);
    let listed = sessions(&laptop.user).await;
    let current: Vec<_> = listed.iter().map(|session| session["isCurrent"] == true).collect();
    assert_eq!(current, [false, true, false], "the newest first: the phone, the laptop, the sign-up");
    assert_eq!(listed[1], own);
    assert_eq!((&listed[0]["ipAddress"], &listed[0]["deviceName"]), (&json!("198.51.100.9"), &Value::Null));
    assert_eq!(listed[0]["userAgent"], "P".repeat(256));
    assert_eq!((&listed[2]["ipAddress"], &listed[2]["userAgent"]), (&Value::Null, &Value::Null));
    assert_eq!(own_session(&phone.user).await["id"], listed[0]["id"]);
}

#[tokio::test]
async fn a_refresh_moves_the_address_and_the_program_with_it() {
    let (test, _) = TestApp::with_user().await;
    let at_home = test.anonymous().at_address("203.0.113.7").with_header("user-agent", "App/1");
    let session = log_in(&at_home, "anna").await;
    test.clock.advance(600);
    let abroad = test.anonymous().at_address("2001:db8::1").with_header("user-agent", "App/2");
    refreshed(&refresh(&abroad, &session.refresh_token).await);
    let own = own_session(&session.user).await;
    let found = [&own["ipAddress"], &own["userAgent"], &own["lastActiveAt"], &own["endsAt"]];
    let expected = ["2001:db8::1", "App/2", "2026-11-20T12:10:00.000000Z", "2026-12-20T12:10:00.000000Z"];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn the_last_use_is_known_to_the_minute_before_and_after_it_is_written_down() {
    let (mut test, _) = TestApp::with_user().await;
    let (used, looking) = (log_in(&test.anonymous(), "anna").await, log_in(&test.anonymous(), "anna").await);
    let last_use = async |test: &TestApp| {
        let listed = sessions(&test.bearer(looking.user.token.as_deref())).await;
        listed[1]["lastActiveAt"].as_str().expect("a moment").to_owned()
    };
    test.clock.advance(70);
    assert!(is_welcome(&used.user).await);
    assert_eq!(last_use(&test).await, "2026-11-20T12:01:10.000000Z", "not written down yet");
    test.clock.advance(59);
    assert!(is_welcome(&used.user).await);
    assert_eq!(last_use(&test).await, "2026-11-20T12:01:10.000000Z", "within the minute");
    assert!(test.app.accounts.write_notes().await.is_ok());
    assert_eq!(last_use(&test).await, "2026-11-20T12:01:10.000000Z", "written down");
    test.clock.advance(1);
    assert!(is_welcome(&used.user).await);
    assert_eq!(last_use(&test).await, "2026-11-20T12:02:10.000000Z");
    test.restart().await;
    assert_eq!(last_use(&test).await, "2026-11-20T12:02:10.000000Z", "a server that stops writes down what it knows");
}

#[tokio::test]
async fn an_older_note_does_not_take_the_place_of_a_later_refresh() {
    let (test, _) = TestApp::with_user().await;
    let session = log_in(&test.anonymous(), "anna").await;
    test.clock.advance(60);
    assert!(is_welcome(&session.user).await);
    test.clock.advance(30);
    refreshed(&refresh(&test.anonymous(), &session.refresh_token).await);
    assert!(test.app.accounts.write_notes().await.is_ok());
    assert_eq!(own_session(&session.user).await["lastActiveAt"], "2026-11-20T12:01:30.000000Z");
}

#[tokio::test]
async fn only_ones_own_live_sessions_are_shown() {
    let test = TestApp::with_config(|config| config.accounts.refresh_token_seconds = 1000).await;
    let (anna, bert) = (test.sign_up("anna").await, test.sign_up("bert").await);
    let short = log_in(&test.anonymous(), "anna").await;
    let ended = log_in(&test.anonymous(), "anna").await;
    assert_eq!(sessions(&anna).await.len(), 3);
    let (annas, berts) = (sessions(&anna).await, sessions(&bert).await);
    assert_eq!(berts.len(), 1);
    assert!(annas.iter().all(|session| session["id"] != berts[0]["id"]));

    ended.user.run("mutation { logout { endedSessions } }").await.data();
    assert_eq!(sessions(&anna).await.len(), 2);
    test.clock.advance(800);
    let next = refresh(&test.anonymous(), &short.refresh_token).await;
    let prolonged = test.bearer(next.at("/data/refreshTokens/tokens/accessToken").as_str());
    test.clock.advance(200);
    assert_eq!(sessions(&prolonged).await.len(), 1, "the sign-up's has expired");
    assert_eq!(sessions(&prolonged).await[0]["isCurrent"], true);
}

#[tokio::test]
async fn an_api_key_has_no_session_and_sees_its_owners_only_with_the_scope() {
    let (test, user) = TestApp::with_user().await;
    for (scope, seen) in [("ACCOUNT_READ", true), ("COUNTERS_READ", false)] {
        let create = format!(
            "mutation {{ createApiKey(input: {{ password: \"correct horse battery\", name: \"k\", scopes: [{scope}] }}) {{ secret }} }}"
        );
        let created = user.run(&create).await;
        let key = test.bearer(created.data()["createApiKey"]["secret"].as_str());
        assert_eq!(viewer(&key, "session { id }").await["session"], Value::Null, "{scope}");
        let reply = key.run("{ viewer { sessions { id isCurrent } } }").await;
        match seen {
            true => assert_eq!(reply.data()["viewer"]["sessions"][0]["isCurrent"], false),
            false => assert_eq!(reply.code(), "FORBIDDEN"),
        }
        let own = sessions(&user).await[0].clone();
        let node = key.run(&format!("{{ node(id: \"{}\") {{ id }} }}", id(&own))).await;
        assert_eq!(node.code(), if seen { "" } else { "FORBIDDEN" });
        assert_eq!(end_session(&key, id(&own)).await.code(), "FORBIDDEN", "{scope}: a key does not sign its owner out");
    }
    assert!(is_welcome(&user).await);
}

#[tokio::test]
async fn a_session_that_is_ended_from_another_is_over_at_once_and_after_a_restart() {
    let (mut test, first) = TestApp::with_user().await;
    let lost = log_in_as(&test.anonymous(), "anna", PASSWORD, Some("Lost phone")).await;
    assert!(is_welcome(&lost.user).await, "its token is remembered");
    let known = sessions(&first).await;
    assert_eq!(known[0]["deviceName"], "Lost phone");

    let reply = end_session(&first, id(&known[0])).await;
    let expected =
        json!({ "session": { "id": id(&known[0]), "isCurrent": false, "deviceName": "Lost phone" }, "userErrors": [] });
    assert_eq!(reply.data()["endSession"], expected);
    assert!(!is_welcome(&lost.user).await);
    assert!(!can_refresh(&test, &lost).await);
    assert_eq!(sessions(&first).await.len(), 1);

    test.restart().await;
    assert!(!is_welcome(&test.bearer(lost.user.token.as_deref())).await);
    assert!(!can_refresh(&test, &lost).await);
    assert!(is_welcome(&test.bearer(first.token.as_deref())).await);
}

#[tokio::test]
async fn one_can_end_the_session_one_is_in() {
    let (test, _) = TestApp::with_user().await;
    let session = log_in(&test.anonymous(), "anna").await;
    let own = own_session(&session.user).await;
    let reply = end_session(&session.user, id(&own)).await;
    assert_eq!(reply.data()["endSession"]["session"]["isCurrent"], true);
    assert!(!is_welcome(&session.user).await);
}

#[tokio::test]
async fn what_is_no_live_session_of_ones_own_is_not_found() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let (berts, annas) = (own_session(&bert).await, own_session(&anna).await);
    let gone = log_in(&test.anonymous(), "anna").await;
    let gone_id = own_session(&gone.user).await;
    gone.user.run("mutation { logout { endedSessions } }").await.data();
    let as_user = id(&annas).replace("ses_", "usr_");
    let capitals = id(&annas).to_uppercase();
    let refused = [id(&berts), id(&gone_id), "", "nonsense", "ses_", &as_user, &capitals, "\u{0}", &"x".repeat(10_000)];
    let before = test.rows().await;
    for id in refused {
        let reply = end_session(&anna, id).await;
        assert_eq!(reply.user_errors("endSession"), ["NOT_FOUND input.sessionId"], "{id:.50}: {}", reply.body);
        assert_eq!(reply.at("/data/endSession/session"), &Value::Null);
    }
    assert_eq!(test.rows().await, before);
    assert!(is_welcome(&bert).await && is_welcome(&anna).await);
    assert_eq!(end_session(&test.anonymous(), id(&annas)).await.code(), "UNAUTHENTICATED");
    assert!(is_welcome(&anna).await);
}

#[tokio::test]
async fn of_many_who_end_a_session_at_once_one_does() {
    let (test, anna) = TestApp::with_user().await;
    log_in(&test.anonymous(), "anna").await;
    let lost = sessions(&anna).await[0].clone();
    let ended = futures_util::future::join_all((0..20).map(|_| end_session(&anna, id(&lost)))).await;
    let did = ended.iter().filter(|reply| reply.at("/data/endSession/session").is_object()).count();
    assert_eq!(did, 1);
    let events = viewer(&anna, "events { nodes { kind } }").await;
    let told = events["events"]["nodes"].as_array().expect("a list").iter().filter(|e| e["kind"] == "SESSION_ENDED");
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn a_session_is_a_node_for_its_owner_alone() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let own = own_session(&anna).await;
    let query = format!("{{ node(id: \"{}\") {{ __typename id ... on Session {{ isCurrent }} }} }}", id(&own));
    let found = anna.run(&query).await;
    assert_eq!(found.data()["node"], json!({ "__typename": "Session", "id": id(&own), "isCurrent": true }));
    assert_eq!(bert.run(&query).await.data()["node"], Value::Null);
    assert_eq!(test.anonymous().run(&query).await.code(), "UNAUTHENTICATED");
    let other = log_in(&test.anonymous(), "anna").await;
    end_session(&other.user, id(&own)).await.data();
    assert_eq!(other.user.run(&query).await.data()["node"], Value::Null, "an ended one is none");
}
