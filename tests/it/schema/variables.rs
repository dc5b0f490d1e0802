//! Variables are coerced once, with their defaults, before anything runs (GraphQL, section 6.1.2); so are literals
//! checked.

use serde_json::{Value, json};

use crate::support::{Caller, TestApp};

/// Asserts that nothing of the mutation was executed: each takes a number first.
async fn refused(user: &Caller, query: &str, variables: Value, code: &str) {
    let reply = user.run_with(query, variables.clone()).await;
    assert_eq!(reply.code(), code, "{query} {variables}: {}", reply.body);
    assert!(reply.body.get("data").is_none(), "{query} {variables}: {}", reply.body);
    assert_eq!(user.run("{ current }").await.data()["current"], 0, "{query} {variables}: nothing was executed");
}

#[tokio::test]
async fn conditions_see_the_defaults_of_their_variables() {
    let test = TestApp::start().await;
    let caller = test.anonymous();
    let hello = json!({ "hello": "Hello from Cloakroom" });
    for (query, variables, expected) in [
        ("query Q($a: Boolean! = true) { hello @include(if: $a) }", json!({}), &hello),
        ("query Q($a: Boolean = true) { hello @include(if: $a) }", json!({}), &hello),
        ("query Q($a: Boolean! = true) { hello @include(if: $a) }", json!({ "a": false }), &json!({})),
        ("query Q($a: Boolean! = true) { hello @skip(if: $a) }", json!({}), &json!({})),
        ("query Q($a: Boolean! = false) { hello @skip(if: $a) }", json!({}), &hello),
        ("query Q($a: Boolean! = true) { ... @include(if: $a) { hello } }", json!({}), &hello),
        ("query Q($a: Boolean! = true) { ...F @skip(if: $a) } fragment F on Query { hello }", json!({}), &json!({})),
        ("query Q($a: Boolean! = true) { ...F } fragment F on Query { hello @skip(if: $a) }", json!({}), &json!({})),
    ] {
        // The second time, the document is known.
        for _ in 0..2 {
            assert_eq!(caller.run_with(query, variables.clone()).await.data(), expected, "{query} {variables}");
        }
    }
    let null = caller.run_with("query Q($a: Boolean = true) { hello @include(if: $a) }", json!({ "a": null })).await;
    assert_eq!((null.code(), null.body.get("data")), ("BAD_USER_INPUT", None), "{}", null.body);
}

#[tokio::test]
async fn numbers_without_a_fraction_are_integers() {
    let (_test, user) = TestApp::with_user().await;
    let next = "mutation ($count: Int!) { next(input: { count: $count }) { last } }";
    let set = "mutation ($current: SafeInt!) { setCurrent(input: { current: $current }) { counter { current } } }";
    let send = async |query: &str, variables: &str| {
        let variables: Value = serde_json::from_str(variables).expect("JSON");
        user.run_with(query, variables).await
    };
    assert_eq!(send(next, r#"{"count": 2.0}"#).await.data()["next"]["last"], 2);
    assert_eq!(send(next, r#"{"count": 3e0}"#).await.data()["next"]["last"], 5);
    assert_eq!(send(set, r#"{"current": 7.0}"#).await.data()["setCurrent"]["counter"]["current"], 7);
    let input = "mutation ($input: NextInput!) { next(input: $input) { last } }";
    assert_eq!(send(input, r#"{"input": {"count": 1.0}}"#).await.data()["next"]["last"], 8);
}

#[tokio::test]
async fn variables_that_do_not_fit_are_refused_before_anything_runs() {
    let (_test, user) = TestApp::with_user().await;
    for (definition, argument, values) in [
        (
            "Int!",
            "next(input: { count: $x }) { value }",
            json!([4_294_967_296_i64, -2_147_483_649_i64, 1.5, "1", true, [1], null]),
        ),
        (
            "NextInput",
            "next(input: $x) { value }",
            json!([{ "count": 4_294_967_296_i64 }, { "nope": 1 }, 1, "x", [{}]]),
        ),
        (
            "SafeInt!",
            "setCurrent(input: { current: $x }) { previous }",
            json!([9_007_199_254_740_992_i64, "1", 1.5, null]),
        ),
        ("ID!", "revokeApiKey(input: { apiKeyId: $x }) { userErrors { code } }", json!([1.5, true, ["a", "b"], null])),
        (
            "[Scope!]!",
            "createApiKey(input: { name: \"a\", password: \"b\", scopes: $x }) { secret }",
            json!([["NOPE"], [1], ["ACCOUNT_READ", null], "NOPE", null]),
        ),
        (
            "DateTime",
            "createApiKey(input: { name: \"a\", password: \"b\", scopes: [], expiresAt: $x }) { secret }",
            json!(["tomorrow", "2026-02-30T00:00:00Z", 1, true, {}]),
        ),
        ("String!", "createCounter(input: { name: $x }) { counter { id } }", json!([1, true, ["a"], {}, null])),
    ] {
        let query = format!("mutation ($x: {definition}) {{ first: next {{ value }} {argument} }}");
        for value in values.as_array().expect("values") {
            refused(&user, &query, json!({ "x": value }), "BAD_USER_INPUT").await;
        }
        if definition.ends_with('!') {
            refused(&user, &query, json!({}), "BAD_USER_INPUT").await;
        }
    }
}

/// Front ends log the messages of errors.
#[tokio::test]
async fn what_may_be_a_password_is_not_repeated() {
    let test = TestApp::start().await;
    let login = "mutation ($input: LoginInput!) { login(input: $input) { userErrors { code } } }";
    for input in [
        json!({ "identifier": "anna", "password": "4815162342", "sessionName": "phone" }),
        json!({ "password": "4815162342" }),
        json!([{ "identifier": "anna", "password": "4815162342" }, 1]),
        json!({ "identifier": "anna", "password": 4_815_162_342_u64 }),
        json!({ "identifier": "anna", "password": ["4815162342"] }),
        json!({ "identifier": "anna", "password": { "is": "4815162342" } }),
    ] {
        let reply = test.anonymous().run_with(login, json!({ "input": input })).await;
        assert_eq!(reply.code(), "BAD_USER_INPUT", "{}", reply.body);
        assert!(!reply.body.to_string().contains("4815162342"), "{}", reply.body);
    }
}

#[tokio::test]
async fn literals_that_do_not_fit_are_refused_before_anything_runs() {
    let (_test, user) = TestApp::with_user().await;
    for field in [
        "next(input: { count: 4294967296 }) { value }",
        "next(input: { count: 1.0 }) { value }",
        "next(input: { count: 1, count: 2 }) { value }",
        "next(input: { nope: 1 }) { value }",
        "next(input: 1) { value }",
        "setCurrent(input: { current: 9007199254740992 }) { previous }",
        "setCurrent(input: { current: \"1\" }) { previous }",
        "setCurrent(input: {}) { previous }",
        "createCounter(input: { name: x }) { counter { id } }",
        "createApiKey(input: { name: \"a\", password: \"b\", scopes: [\"ACCOUNT_READ\"] }) { secret }",
        "createApiKey(input: { name: \"a\", password: \"b\", scopes: ACCOUNT_RED }) { secret }",
        "createApiKey(input: { name: \"a\", password: \"b\", scopes: [], expiresAt: \"tomorrow\" }) { secret }",
        "revokeApiKey(input: { apiKeyId: 1.5 }) { userErrors { code } }",
    ] {
        let query = format!("mutation {{ first: next {{ value }} {field} }}");
        refused(&user, &query, json!({}), "GRAPHQL_VALIDATION_FAILED").await;
    }
    for query in [
        "{ photos(first: 1, order: \"ASC\") { totalCount } }",
        "{ users(first: 99999999999) { totalCount } }",
        "query ($a: String) { users(first: $a) { totalCount } }",
        "query ($a: ID!) { nodes(ids: $a) { id } }",
        "query ($a: Boolean) { hello @skip(if: $a) }",
        "{ node(id: \"x\") { ... on User { n: username } ... on Counter { n: step } } }",
        "{ ...on } fragment on on Query { hello }",
        "query ($a: Int @deprecated) { users(first: $a) { totalCount } }",
        "query ($a: Int @foo = 1) { users(first: $a) { totalCount } }",
    ] {
        let reply = user.run(query).await;
        let code = if query.contains("...on}") || query.contains("on on") || query.contains("@foo") {
            "GRAPHQL_PARSE_FAILED"
        } else {
            "GRAPHQL_VALIDATION_FAILED"
        };
        assert_eq!((reply.code(), reply.body.get("data")), (code, None), "{query}: {}", reply.body);
    }
}

#[tokio::test]
async fn documents_of_the_september_2025_edition_run() {
    let test = TestApp::start().await;
    let caller = test.anonymous();
    let hello = json!({ "hello": "Hello from Cloakroom" });
    for query in [
        "\"Says hello.\" query Hi { hello }",
        "\"\"\"Says\n  hello.\"\"\" query Hi { hello }",
        "query Hi(\"Whether.\" $a: Boolean! = true) { hello @include(if: $a) }",
        "\"Some.\" fragment F on Query { hello } \"All.\" query Hi { ...F }",
        "\u{feff}{ hello }",
    ] {
        assert_eq!(caller.run(query).await.data(), &hello, "{query}");
    }
    for name in ["\\ud83d\\ude00", "\\u{1F600}", "\\u{000001f600}"] {
        let reply = caller.run(&format!("{{ __type(name: \"{name}\") {{ name }} }}")).await;
        assert_eq!(reply.data()["__type"], Value::Null, "{name}");
    }
    let reply = caller.run("{ __type(name: \"\\u{55}\\u0073er\") { name } }").await;
    assert_eq!(reply.data()["__type"]["name"], "User");
}

#[tokio::test]
async fn an_argument_whose_variable_has_no_value_keeps_its_own_default() {
    let (_test, user) = TestApp::with_user().await;
    let photos = "query ($first: Int, $order: Order) { photos(first: $first, order: $order) { totalCount } }";
    for variables in [json!({}), json!({ "first": 1 }), json!({ "order": "ASC" })] {
        user.run_with(photos, variables).await.data();
    }
    let next =
        "mutation ($count: Int, $counter: String) { next(input: { count: $count, counter: $counter }) { last } }";
    assert_eq!(user.run_with(next, json!({})).await.data()["next"]["last"], 1);
    assert_eq!(user.run_with(next, json!({ "count": 2 })).await.data()["next"]["last"], 3);
}
