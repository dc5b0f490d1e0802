//! `node` and `nodes`: what is found, what is hidden, and how often the database is asked.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{introspect, list, text};
use crate::support::{Caller, Statements, TestApp};

const NODES: &str =
    "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on User { username } ... on Counter { name } } }";

/// The caller's own user id and counter id.
async fn ids(caller: &Caller) -> (Value, Value) {
    let reply = caller.run("{ viewer { user { id } counter { id } } }").await;
    let viewer = &reply.data()["viewer"];
    (viewer["user"]["id"].clone(), viewer["counter"]["id"].clone())
}

#[tokio::test]
async fn users_and_own_counters_are_found_by_id() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let ((anna_id, counter_id), (bert_id, _)) = (ids(&anna).await, ids(&bert).await);
    let node = "query ($id: ID!) { node(id: $id) { __typename id ... on User { username email } ... on Counter { current } } }";
    let user = anna.run_with(node, json!({ "id": anna_id })).await;
    let expected = json!({ "__typename": "User", "id": anna_id, "username": "anna", "email": "anna@example.org" });
    assert_eq!(user.data()["node"], expected);
    let counter = anna.run_with(node, json!({ "id": counter_id })).await;
    assert_eq!(counter.data()["node"], json!({ "__typename": "Counter", "id": counter_id, "current": 0 }));
    let other = anna.run_with(node, json!({ "id": bert_id })).await;
    assert_eq!((&other.data()["node"]["username"], &other.data()["node"]["email"]), (&json!("bert"), &Value::Null));
}

/// GraphQL allows such fields beside each other only under aliases (section 5.3.2, SameResponseShape()).
#[tokio::test]
async fn no_two_nodes_have_fields_of_one_name_and_different_types() {
    let schema = introspect(&TestApp::start().await.anonymous()).await;
    let is_node = |kind: &&Value| list(kind, "interfaces").any(|interface| text(interface, "name") == "Node");
    let mut shapes: BTreeMap<&str, (&str, String)> = BTreeMap::new();
    for node in list(&schema, "types").filter(is_node) {
        for field in list(node, "fields") {
            let (name, shape) = (text(field, "name"), shape(&field["type"]));
            let (first, known) = shapes.entry(name).or_insert_with(|| (text(node, "name"), shape.clone()));
            assert_eq!(*known, shape, "{first}.{name} and {}.{name}", text(node, "name"));
        }
    }
    assert!(shapes.len() > 20, "{shapes:?}");
}

/// A type as written, with one word for all types that have selections.
fn shape(kind: &Value) -> String {
    match text(kind, "kind") {
        "NON_NULL" => format!("{}!", shape(&kind["ofType"])),
        "LIST" => format!("[{}]", shape(&kind["ofType"])),
        "OBJECT" | "INTERFACE" | "UNION" => "an object".to_owned(),
        _ => text(kind, "name").to_owned(),
    }
}

#[tokio::test]
async fn the_viewer_is_a_node_of_its_own() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    let both = "{ viewer { __typename id user { __typename id } } }";
    let viewer = anna.run(both).await.data()["viewer"].clone();
    assert!(viewer["id"].as_str().is_some_and(|id| id.starts_with("vwr_")), "{viewer}");
    assert_ne!(viewer["id"], viewer["user"]["id"], "a store that is keyed by id alone would mix them up");
    assert_eq!(anna.run(both).await.data()["viewer"], viewer, "it stays the same");
    assert_ne!(bert.run("{ viewer { id } }").await.data()["viewer"]["id"], viewer["id"]);

    let refetch = "query ($id: ID!) { node(id: $id) { __typename id ... on Viewer { role user { username } } }
        nodes(ids: [$id]) { id } }";
    let found = anna.run_with(refetch, json!({ "id": viewer["id"] })).await;
    let node = json!({ "__typename": "Viewer", "id": viewer["id"], "role": "USER", "user": { "username": "anna" } });
    assert_eq!(found.data(), &json!({ "node": node, "nodes": [{ "id": viewer["id"] }] }));
    let hidden = bert.run_with(refetch, json!({ "id": viewer["id"] })).await;
    assert_eq!(hidden.data(), &json!({ "node": null, "nodes": [null] }), "as if there were none");
    let key = test.key_of(&anna, "scopes: [COUNTERS_NEXT]").await;
    let by_key = key.run_with("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": viewer["id"] })).await;
    assert_eq!(by_key.data()["node"]["id"], viewer["id"]);
}

#[tokio::test]
async fn what_is_unknown_and_what_is_not_yours_look_the_same() {
    let (test, anna) = TestApp::with_user().await;
    let (_, others_counter) = ids(&test.sign_up("bert").await).await;
    let node = "query ($id: ID!) { node(id: $id) { id } }";
    let hidden = anna.run_with(node, json!({ "id": others_counter })).await;
    let unknown = anna.run_with(node, json!({ "id": "ctr_00000000000070008000000000000000" })).await;
    assert_eq!((&hidden.body, hidden.data()), (&unknown.body, &json!({ "node": null })));
    let user = anna.run_with(node, json!({ "id": "usr_00000000000070008000000000000000" })).await;
    assert_eq!(user.data()["node"], Value::Null);
}

#[tokio::test]
async fn what_is_no_id_is_bad_input() {
    let (_test, anna) = TestApp::with_user().await;
    let (id, _) = ids(&anna).await;
    let id = id.as_str().expect("an id");
    let shouted = id.to_uppercase();
    for bad in
        ["", "1", "nonsense", "abc_00000000000070008000000000000000", &id[..id.len() - 1], &shouted, &format!("{id} ")]
    {
        let node = anna.run_with("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": bad })).await;
        assert_eq!((node.code(), node.at("/data/node")), ("BAD_USER_INPUT", &Value::Null), "{bad:?}");
    }
    let reply = anna.run_with(NODES, json!({ "ids": ["nonsense", id] })).await;
    assert_eq!(reply.code(), "BAD_USER_INPUT");
    assert_eq!(reply.at("/errors/0/path"), &json!(["nodes", 0]));
    assert_eq!(reply.at("/data/nodes/1/username"), "anna", "the others are answered");
}

#[tokio::test]
async fn nodes_come_in_the_order_of_their_ids() {
    let (test, anna) = TestApp::with_user().await;
    let (anna_id, counter_id) = ids(&anna).await;
    let (bert_id, hidden) = ids(&test.sign_up("bert").await).await;
    let order = [&counter_id, &bert_id, &hidden, &anna_id, &bert_id, &counter_id];
    let reply = anna.run_with(NODES, json!({ "ids": order })).await;
    let found: Vec<&Value> = reply.data()["nodes"].as_array().expect("a list").iter().map(|node| &node["id"]).collect();
    assert_eq!(found, [&counter_id, &bert_id, &Value::Null, &anna_id, &bert_id, &counter_id]);
}

#[tokio::test]
async fn nobody_sees_nodes_without_signing_in() {
    let (test, anna) = TestApp::with_user().await;
    let (anna_id, counter_id) = ids(&anna).await;
    let reply = test.anonymous().run_with(NODES, json!({ "ids": [anna_id, counter_id] })).await;
    assert_eq!((reply.code(), reply.has_no_result()), ("UNAUTHENTICATED", true));
}

#[tokio::test]
async fn each_type_costs_one_statement_however_many_ids_there_are() {
    let (test, anna) = TestApp::with_user().await;
    let (anna_id, counter_id) = ids(&anna).await;
    let mut wanted = vec![anna_id.clone(), counter_id.clone()];
    for name in ["bert", "carl", "dora", "emil"] {
        let (user, counter) = ids(&test.sign_up(name).await).await;
        wanted.extend([user, counter]);
    }
    let count = async |query: &str, variables: Value| {
        let statements = Statements::count();
        anna.run_with(query, variables).await.data();
        statements.so_far()
    };
    assert_eq!(count("{ hello }", json!({})).await, 0, "the caller is remembered");
    assert_eq!(count("{ current }", json!({})).await, 1, "the counting works");
    assert_eq!(count(NODES, json!({ "ids": wanted })).await, 2, "one for users, one for counters");
    let aliased: String =
        wanted.iter().enumerate().map(|(number, id)| format!("n{number}: node(id: {id}) {{ id }} ")).collect();
    assert_eq!(count(&format!("{{ {aliased} }}"), json!({})).await, 2, "fields side by side share them");
    let same = json!({ "ids": vec![anna_id; 50] });
    assert_eq!(count(NODES, same).await, 1);
}
