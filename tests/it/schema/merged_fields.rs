//! Fields that are selected several times under one response key are executed once (GraphQL, section 6.3.2).

use serde_json::json;

use crate::support::{Caller, Statements, TestApp};

/// How many statements a query takes.
async fn count(caller: &Caller, query: &str) -> usize {
    caller.run("{ hello }").await.data();
    let statements = Statements::count();
    caller.run(query).await.data();
    statements.so_far()
}

#[tokio::test]
async fn a_field_that_several_fragments_select_is_executed_once() {
    let (_test, anna) = TestApp::with_user().await;
    anna.next().await;
    let one = "{ viewer { counters(first: 5) { totalCount nodes { id current } } } }";
    let three = "{ viewer { ...A ...B counters(first: 5) { nodes { name } } } }
                 fragment A on Viewer { counters(first: 5) { nodes { id } totalCount } }
                 fragment B on Viewer { ... { counters(first: 5) { nodes { current ...C } } } }
                 fragment C on Counter { id current }";
    assert_eq!(count(&anna, three).await, count(&anna, one).await);
    let viewer = anna.run(three).await.data()["viewer"].clone();
    let id = viewer["counters"]["nodes"][0]["id"].clone();
    let nodes = json!([{ "id": id, "current": 1, "name": "default" }]);
    assert_eq!(viewer.to_string(), json!({ "counters": { "nodes": nodes, "totalCount": 1 } }).to_string());
}

#[tokio::test]
async fn a_mutation_that_is_selected_twice_is_executed_once() {
    let (_test, anna) = TestApp::with_user().await;
    let query = "mutation { next { first ...F } ... on Mutation { next { last } } again: next { first } }
                 fragment F on NextPayload { last counter { current } }";
    let data = anna.run(query).await.data().clone();
    let expected = json!({
        "next": { "first": 1, "last": 1, "counter": { "current": 1 } },
        "again": { "first": 2 },
    });
    assert_eq!(data.to_string(), expected.to_string());
}

#[tokio::test]
async fn an_error_is_told_once_however_often_its_field_is_selected() {
    let (_test, anna) = TestApp::with_user().await;
    let query = "{ hello current(counter: \"none\") ...F ... { current(counter: \"none\") } }
                 fragment F on Query { current(counter: \"none\") }";
    let reply = anna.run(query).await;
    assert_eq!(reply.at("/errors").as_array().map(Vec::len), Some(1), "{}", reply.body);
    assert_eq!((reply.at("/errors/0/path"), reply.at("/data/hello").is_string()), (&json!(["current"]), true));
}

#[tokio::test]
async fn conditions_decide_which_selections_are_merged() {
    let (_test, anna) = TestApp::with_user().await;
    let query = "query ($a: Boolean!, $b: Boolean = true) {
                   viewer { user { id } }
                   viewer @skip(if: $a) { user { username } }
                   ...F @include(if: $b)
                 }
                 fragment F on Query { viewer { role user { displayName @skip(if: $a) createdAt @include(if: false) } } }";
    for (variables, keys, role) in [
        (json!({ "a": true }), vec!["id"], true),
        (json!({ "a": false }), vec!["id", "username", "displayName"], true),
        (json!({ "a": false, "b": false }), vec!["id", "username"], false),
        (json!({ "a": true, "b": false }), vec!["id"], false),
    ] {
        let reply = anna.run_with(query, variables.clone()).await;
        let viewer = reply.data()["viewer"].as_object().expect("the viewer").clone();
        let user = viewer["user"].as_object().expect("the user");
        assert_eq!(user.keys().collect::<Vec<_>>(), keys, "{variables}");
        assert_eq!(viewer.contains_key("role"), role, "{variables}");
    }
}

#[tokio::test]
async fn fragments_on_an_interface_merge_for_each_type() {
    let (_test, anna) = TestApp::with_user().await;
    anna.next().await;
    let ids = anna.run("{ viewer { id user { id } counters(first: 1) { nodes { id } } } }").await.data().clone();
    let ids = [&ids["viewer"]["user"]["id"], &ids["viewer"]["counters"]["nodes"][0]["id"], &ids["viewer"]["id"]];
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) {
                   ... on Viewer { user { id } }
                   ... on Counter { current }
                   __typename
                   ...F
                   ... on Viewer { user { username } }
                 } }
                 fragment F on Node { id ... on User { username } ... on Counter { current name } }";
    let reply = anna.run_with(query, json!({ "ids": ids })).await;
    let expected = json!([
        { "__typename": "User", "id": ids[0], "username": "anna" },
        { "current": 1, "__typename": "Counter", "id": ids[1], "name": "default" },
        { "user": { "id": ids[0], "username": "anna" }, "__typename": "Viewer", "id": ids[2] },
    ]);
    assert_eq!(reply.data()["nodes"].to_string(), expected.to_string());
}

#[tokio::test]
async fn a_null_where_a_default_stands_for_what_is_absent_is_refused_before_anything_runs() {
    let (_test, anna) = TestApp::with_user().await;
    let query = "mutation ($count: Int) { a: next { first } b: next(input: { count: $count }) { first } }";
    let reply = anna.run_with(query, json!({ "count": null })).await;
    assert_eq!((reply.at("/data").is_null(), reply.code()), (true, "BAD_USER_INPUT"), "{}", reply.body);
    assert_eq!(
        reply.at("/errors/0/message"),
        "Variable \"$count\" must not be null where the type \"Int!\" is expected."
    );
    let data = anna.run_with(query, json!({})).await.data().clone();
    assert_eq!(data, json!({ "a": { "first": 1 }, "b": { "first": 2 } }));
}
