//! `viewer` and `user`: what callers see of themselves, of others, and when they are nobody.

use serde_json::{Value, json};

use crate::support::{Caller, TestApp};

async fn id_of(caller: &Caller) -> (String, String) {
    let reply = caller.run("{ viewer { user { id } counter { id } } }").await;
    let text = |pointer: &str| reply.at(pointer).as_str().expect("an id").to_owned();
    (text("/data/viewer/user/id"), text("/data/viewer/counter/id"))
}

#[tokio::test]
async fn signed_out_there_is_no_viewer_and_no_error() {
    let test = TestApp::start().await;
    let reply = test.anonymous().run("{ viewer { user { id } role } hello }").await;
    assert_eq!(reply.data()["viewer"], Value::Null);
}

#[tokio::test]
async fn signed_out_everything_protected_ends_in_unauthenticated_and_writes_nothing() {
    let (test, user) = TestApp::with_user().await;
    let (user_id, _) = id_of(&user).await;
    let before = test.rows().await;
    for operation in [
        "{ current }".to_owned(),
        "{ user(username: \"anna\") { id } }".to_owned(),
        "{ user(username: \"nobody\") { id } }".to_owned(),
        format!("{{ node(id: \"{user_id}\") {{ id }} }}"),
        "{ node(id: \"garbage\") { id } }".to_owned(),
        format!("{{ nodes(ids: [\"{user_id}\"]) {{ id }} }}"),
        "mutation { next { value } }".to_owned(),
        "mutation { setCurrent(input: { current: 5 }) { previous } }".to_owned(),
        "mutation { logout { endedSessions } }".to_owned(),
    ] {
        let reply = test.anonymous().run(&operation).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (200, "UNAUTHENTICATED"), "{operation}: {}", reply.body);
        assert_eq!(reply.header("www-authenticate"), "", "a token that was not sent cannot be wrong");
    }
    assert_eq!(test.rows().await, before);
    assert_eq!(user.next().await, 1);
}

#[tokio::test]
async fn an_address_is_shown_to_its_owner_alone() {
    let (test, anna) = TestApp::with_user().await;
    let berta = test.sign_up("berta").await;
    let ((anna_id, _), (berta_id, _)) = (id_of(&anna).await, id_of(&berta).await);
    let query = "query ($a: ID!, $b: ID!) { viewer { user { ...See } }
        anna: user(username: \"ANNA\") { ...See } berta: user(username: \"berta\") { ...See }
        node(id: $a) { ...See } nodes(ids: [$a, $b]) { ...See } }
        fragment See on User { username email }";
    let reply = berta.run_with(query, json!({ "a": anna_id, "b": berta_id })).await;
    let hidden = json!({ "username": "anna", "email": null });
    let own = json!({ "username": "berta", "email": "berta@example.org" });
    assert_eq!(
        reply.data(),
        &json!({ "viewer": { "user": own }, "anna": hidden, "berta": own, "node": hidden, "nodes": [hidden, own] })
    );
}

#[tokio::test]
async fn a_name_that_nobody_can_have_is_nobodys() {
    let (_test, user) = TestApp::with_user().await;
    for username in ["", "x", "nobody", "a b", "a\0b", "anna@example.org", "\u{feff}", "%", "a\u{202e}b"] {
        let reply = user.run_with("query ($u: String!) { user(username: $u) { id } }", json!({ "u": username })).await;
        assert_eq!(reply.data()["user"], Value::Null, "{username:?}");
    }
}

/// C14, Z2.
#[tokio::test]
async fn counters_belong_to_their_users_alone() {
    let (test, anna) = TestApp::with_user().await;
    let berta = test.sign_up("berta").await;
    let (_, anna_counter) = id_of(&anna).await;
    assert_eq!((anna.next().await, anna.next().await, berta.next().await), (1, 2, 1));
    berta.run("mutation { setCurrent(input: { current: 1000 }) { previous } }").await.data();
    assert_eq!((anna.next().await, berta.next().await), (3, 1001));

    let look = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }";
    let foreign = berta.run_with(look, json!({ "id": anna_counter })).await;
    assert_eq!(foreign.data(), &json!({ "node": null, "nodes": [null] }), "as if it did not exist");
    let own = anna.run_with(look, json!({ "id": anna_counter })).await;
    assert_eq!(own.data()["node"]["id"], json!(anna_counter));
}
