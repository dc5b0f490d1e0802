//! Root fields: a field that fails is null and leaves the other fields alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{introspect, list, text};
use crate::support::{Caller, Reply, TestApp, alter};

/// Root fields of Query that are non-null, and the reason why they cannot fail. A resolver that returns
/// a `Result` or takes arguments does not belong here: its type is `Option<Result<T, Error>>`.
const INFALLIBLE: [(&str, &str); 2] = [("hello", "returns a constant"), ("server", "reads the settings and the clock")];

/// Requests that fail in one root field of Query, for a signed-in user.
const FAILING_QUERIES: [(&str, &str, &str); 10] = [
    ("current", "current(counter: \"nope\")", "NOT_FOUND"),
    ("user", "user(username: \"anna\") { id }", "INTERNAL_SERVER_ERROR"),
    ("users", "users(first: -1) { totalCount }", "BAD_USER_INPUT"),
    ("users", "users(after: \"nonsense\") { totalCount }", "BAD_USER_INPUT"),
    ("users", "users { totalCount }", "INTERNAL_SERVER_ERROR"),
    ("node", "node(id: \"nonsense\") { id }", "BAD_USER_INPUT"),
    ("nodes", "nodes(ids: [\"usr_00000000000070008000000000000000\"]) { id }", "INTERNAL_SERVER_ERROR"),
    ("photo", "photo(id: \"nonsense\") { id }", "BAD_USER_INPUT"),
    ("photos", "photos(last: 101) { totalCount }", "BAD_USER_INPUT"),
    ("viewer", "viewer { user { id } }", "INTERNAL_SERVER_ERROR"),
];

/// Name and type of each field of this root.
fn fields(schema: &Value, root: &str) -> BTreeMap<String, Value> {
    let root = list(schema, "types").find(|kind| text(kind, "name") == root).expect("the root type");
    list(root, "fields").map(|field| (text(field, "name").to_owned(), field["type"].clone())).collect()
}

fn non_null(schema: &Value, root: &str) -> Vec<String> {
    let fields = fields(schema, root).into_iter();
    fields.filter(|(_, kind)| text(kind, "kind") == "NON_NULL").map(|(name, _)| name).collect()
}

/// Checks that `field` alone is null, with an error of this code at its path.
#[track_caller]
fn assert_only_fails(reply: &Reply, field: &str, code: &str) {
    assert_eq!((reply.status.as_u16(), reply.code()), (200, code), "{}", reply.body);
    assert_eq!(reply.at("/errors/0/path/0"), field, "{}", reply.body);
    assert!(!reply.headers.contains_key("retry-after"), "{}", reply.body);
    let data = reply.at("/data").as_object().unwrap_or_else(|| panic!("data in {}", reply.body));
    for (name, value) in data {
        assert_eq!(value.is_null(), name == field, "{name} in {}", reply.body);
    }
}

#[tokio::test]
async fn every_root_field_that_can_fail_is_nullable() {
    let test = TestApp::start().await;
    let schema = introspect(&test.anonymous()).await;
    let infallible: Vec<&str> = INFALLIBLE.iter().map(|(name, _)| *name).collect();
    let advice = "return `Option<Result<T, Error>>`, so that the field's error does not discard the results of others";
    assert_eq!(non_null(&schema, "Query"), infallible, "{advice}; list it in INFALLIBLE only if it cannot fail");
    assert_eq!(non_null(&schema, "Mutation"), [""; 0], "{advice}");
    // A subscription has one root field: there is nothing beside it to lose.
    let subscriptions: Vec<String> = fields(&schema, "Subscription").into_keys().collect();
    assert_eq!(non_null(&schema, "Subscription"), subscriptions);
}

#[tokio::test]
async fn a_root_field_that_is_not_nullable_needs_neither_arguments_nor_a_database_nor_a_caller() {
    let test = TestApp::start().await;
    let schema = introspect(&test.anonymous()).await;
    let query = list(&schema, "types").find(|kind| text(kind, "name") == "Query").expect("the root type");
    for field in list(query, "fields").filter(|field| text(&field["type"], "kind") == "NON_NULL") {
        assert_eq!(list(field, "args").count(), 0, "{}: an argument can be refused", text(field, "name"));
    }
    test.app.stop().await;
    let reply = test.anonymous().run("{ hello server { version time limits { depth requestBytes } } }").await;
    assert!(reply.data()["hello"].is_string() && reply.data()["server"]["limits"]["depth"].is_number());
}

#[tokio::test]
async fn a_root_field_of_a_query_that_fails_leaves_the_others_alone() {
    let (test, user) = TestApp::with_user().await;
    user.next().await;
    let beside = async |user: &Caller, field: &str| {
        let own = if field.starts_with("current") { "own: viewer { __typename }" } else { "own: current" };
        user.run(&format!("{{ hello {field} {own} server {{ version }} }}")).await
    };
    let (broken, refused): (Vec<_>, Vec<_>) =
        FAILING_QUERIES.iter().partition(|(_, _, code)| *code == "INTERNAL_SERVER_ERROR");
    for (name, field, code) in refused {
        assert_only_fails(&beside(&user, field).await, name, code);
    }
    alter(&test, "ALTER TABLE users RENAME TO gone").await;
    for (name, field, code) in broken {
        assert_only_fails(&beside(&user, field).await, name, code);
    }
    let table: Vec<&str> = FAILING_QUERIES.iter().map(|(name, ..)| *name).collect();
    let schema = introspect(&test.anonymous()).await;
    let infallible = INFALLIBLE.map(|(name, _)| name);
    let missing: Vec<String> =
        fields(&schema, "Query").into_keys().filter(|name| !infallible.contains(&&**name)).collect();
    assert!(missing.iter().all(|name| table.contains(&&**name)), "a field that can fail belongs into the table");
}

#[tokio::test]
async fn nobody_still_gets_the_fields_that_need_no_caller() {
    let test = TestApp::start().await;
    for field in ["current", "user(username: \"a\") { id }", "users { totalCount }", "nodes(ids: []) { id }"] {
        let reply = test.anonymous().run(&format!("{{ hello failing: {field} viewer {{ role }} }}")).await;
        assert_eq!((reply.code(), reply.at("/errors/0/path")), ("UNAUTHENTICATED", &json!(["failing"])), "{field}");
        assert!(reply.at("/data/hello").is_string(), "{}", reply.body);
        assert_eq!((reply.at("/data/failing"), reply.at("/data/viewer")), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn several_root_fields_fail_each_with_its_own_error() {
    let (_test, user) = TestApp::with_user().await;
    let reply = user
        .run("{ a: current(counter: \"a\") b: users(first: -1) { totalCount } hello c: node(id: \"c\") { id } }")
        .await;
    assert_eq!(list(&reply.body, "errors").count(), 3, "{}", reply.body);
    for (path, code) in [("a", "NOT_FOUND"), ("b", "BAD_USER_INPUT"), ("c", "BAD_USER_INPUT")] {
        let error = list(&reply.body, "errors").find(|error| error["path"] == json!([path])).expect("its error");
        assert_eq!(error["extensions"]["code"], code, "{error}");
    }
    assert!(reply.at("/data/hello").is_string());
}

#[tokio::test]
async fn a_root_field_that_is_selected_twice_runs_once() {
    let (_test, user) = TestApp::with_user().await;
    for (document, taken) in [
        ("mutation { next { value } next { first } }", json!({ "value": 1, "first": 1 })),
        (
            "mutation { ...A next { first } ...B }
             fragment A on Mutation { next { value } }
             fragment B on Mutation { next { last counter { current } } }",
            json!({ "value": 2, "first": 2, "last": 2, "counter": { "current": 2 } }),
        ),
        (
            "mutation { ...A ...A ... { next { counter { name } } } }
             fragment A on Mutation { next { value counter { current } } }",
            json!({ "value": 3, "counter": { "current": 3, "name": "default" } }),
        ),
    ] {
        assert_eq!(user.run(document).await.data()["next"], taken, "{document}");
    }
    let conditions = "mutation ($a: Boolean!, $b: Boolean!) {
        next @include(if: $a) { value } next @include(if: $b) { first } }";
    for (a, b, taken) in [
        (true, true, json!({ "next": { "value": 4, "first": 4 } })),
        (true, false, json!({ "next": { "value": 5 } })),
        (false, true, json!({ "next": { "first": 6 } })),
        (false, false, json!({})),
    ] {
        assert_eq!(user.run_with(conditions, json!({ "a": a, "b": b })).await.data(), &taken);
    }
    let failing = user
        .run(
            "mutation { b: next(input: { count: 0 }) { value } b: next(input: { count: 0 }) { first }
             next { value } }",
        )
        .await;
    assert_eq!(
        (failing.code(), failing.at("/data")),
        ("BAD_USER_INPUT", &json!({ "b": null, "next": { "value": 7 } }))
    );
    let id = user.run("{ viewer { counter { id } } }").await.data()["viewer"]["counter"]["id"].clone();
    let nodes = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } ...A nodes(ids: $ids) { __typename } }
        fragment A on Query { nodes(ids: $ids) { ... on Counter { name } } }";
    let found = user.run_with(nodes, json!({ "ids": [id, "ctr_00000000000070008000000000000000"] })).await;
    let counter = json!({ "id": id, "name": "default", "__typename": "Counter" });
    assert_eq!(found.data(), &json!({ "nodes": [counter, null] }));
    let query =
        user.run("{ viewer { role } current ...A } fragment A on Query { viewer { user { username } } current }").await;
    assert_eq!(query.data(), &json!({ "viewer": { "role": "USER", "user": { "username": "anna" } }, "current": 7 }));
}
