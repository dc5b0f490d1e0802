//! What a document may ask for: each limit refuses with its code and its value, in few words.

use std::time::Instant;

use serde_json::json;

use crate::support::{Caller, PATIENCE, TestApp};

/// Runs a document that is beyond a limit; the message must say the limit.
async fn refused(caller: &Caller, document: &str, what: &str, limit: u32) {
    let reply = caller.run(document).await;
    assert_eq!(reply.code(), "QUERY_TOO_COMPLEX", "{what}: {}", reply.body);
    let message = reply.at("/errors/0/message").as_str().unwrap_or_default();
    assert!(message.contains(what) && message.contains(&limit.to_string()), "{message}");
    assert!(reply.body.get("data").is_none(), "{what}: nothing may run");
    assert!(reply.body.to_string().len() < 10_000, "{what}");
}

#[tokio::test]
async fn each_limit_lets_its_value_through_and_refuses_one_more() {
    let adapt = |config: &mut cloakroom::config::Config| {
        config.graphql.max_depth = 5;
        config.graphql.max_complexity = 12;
        config.graphql.max_aliases = 3;
        config.graphql.max_directives = 4;
        config.graphql.max_tokens = 60;
    };
    let test = TestApp::with_config(adapt).await;
    let caller = test.anonymous();
    let deep = |levels: usize| {
        format!("{{__schema{{queryType{}{{name}}{}", "{ofType".repeat(levels - 3), "}".repeat(levels - 1))
    };
    let directives = |count: usize| format!("{{ hello {} }}", "@include(if:true) ".repeat(count).trim());
    for (what, limit, within, beyond) in [
        ("depth", 5, deep(5), deep(6)),
        ("complexity", 12, format!("{{ {} }}", "hello ".repeat(12)), format!("{{ {} }}", "hello ".repeat(13))),
        ("aliases", 3, "{ a: hello b: hello c: hello }".into(), "{ a: hello b: hello c: hello d: hello }".into()),
        (
            "aliases",
            3,
            "{ a: __typename }".into(),
            "{ a: __typename b: __typename c: __typename d: __typename }".into(),
        ),
        ("directives", 4, spread_directives(4), spread_directives(5)),
        ("tokens", 60, format!("query({}) {{ hello }} # unused", "$a: Int ".repeat(13)), directives(10)),
    ] {
        let reply = caller.run(&within).await;
        let refusal = reply.body.to_string().contains("QUERY_TOO_COMPLEX");
        assert!(!refusal, "{what} of {limit} is allowed: {within} {}", reply.body);
        refused(&caller, &beyond, what, limit).await;
    }
}

/// Fields with one directive each: repeating one on a field is invalid for another reason.
fn spread_directives(count: usize) -> String {
    format!("{{ {} }}", "hello @skip(if:false) ".repeat(count))
}

#[tokio::test]
async fn the_limits_shown_are_those_in_force() {
    let query = "{ server { limits { depth complexity aliases directives tokens requestBytes } } }";
    let test = TestApp::start().await;
    let limits = &test.config.graphql;
    let shown = json!({ "depth": limits.max_depth, "complexity": limits.max_complexity, "aliases": limits.max_aliases,
        "directives": limits.max_directives, "tokens": limits.max_tokens, "requestBytes": test.config.http.max_body_bytes });
    assert_eq!(test.anonymous().run(query).await.data()["server"]["limits"], shown);
    let fixed = test.anonymous().run("{ server { limits { nesting nameBytes nodes introspectionLists } } }").await;
    let expected = json!({ "nesting": 64, "nameBytes": 256, "nodes": 100, "introspectionLists": 3 });
    assert_eq!(fixed.data()["server"]["limits"], expected);

    let adapt = |config: &mut cloakroom::config::Config| {
        config.graphql.max_depth = 3;
        config.graphql.max_complexity = 11;
        config.graphql.max_aliases = 1;
        config.graphql.max_directives = 2;
        config.graphql.max_tokens = 33;
        config.http.max_body_bytes = 4444;
    };
    let test = TestApp::with_config(adapt).await;
    let shown =
        json!({ "depth": 3, "complexity": 11, "aliases": 1, "directives": 2, "tokens": 33, "requestBytes": 4444 });
    assert_eq!(test.anonymous().run(query).await.data()["server"]["limits"], shown);
    refused(&test.anonymous(), "{ server { limits { depth { x } } } }", "depth", 3).await;
    refused(&test.anonymous(), "{ a: hello b: hello }", "aliases", 1).await;
    let reply = test.anonymous().run(&format!("{{ hello }} # {}", "x".repeat(4444))).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (413, "PAYLOAD_TOO_LARGE"));
    assert!(reply.at("/errors/0/message").as_str().is_some_and(|message| message.contains("4444")));
}

#[tokio::test]
async fn a_batch_of_aliased_writes_beyond_the_limit_is_refused_as_a_whole() {
    let (test, user) = TestApp::with_user().await;
    let limit = test.config.graphql.max_aliases;
    let batch = |count: u32| -> String {
        let writes: String = (0..count).map(|number| format!("a{number}: next {{ value }} ")).collect();
        format!("mutation {{ {writes} }}")
    };
    refused(&user, &batch(limit + 1), "aliases", limit).await;
    assert_eq!(user.next().await, 1, "nothing of the batch was executed");
    user.run(&batch(limit)).await.data();
    assert_eq!(user.next().await, i64::from(limit) + 2);
}

/// A search compares every row with its text, and `totalCount` counts every row.
#[tokio::test]
async fn searches_and_counts_weigh_as_much_as_many_fields() {
    let (test, user) = TestApp::with_user().await;
    let limit = test.config.graphql.max_complexity;
    let aliased = |count: usize, field: &str| {
        let fields: String = (0..count).map(|number| format!("a{number}: {field} ")).collect();
        format!("{{ {fields} }}")
    };
    let counted = "users(search: \"x\", first: 1) { totalCount }";
    refused(&user, &aliased(30, counted), "complexity", limit).await;
    for (field, allowed) in [
        (counted, 4),
        ("users(search: \"x\", first: 1) { nodes { id } }", 4),
        ("users(first: 1) { totalCount }", 23),
        ("photos(first: 1) { totalCount }", 23),
        ("viewer { photos(first: 1) { totalCount } }", 22),
    ] {
        assert!(user.run(&aliased(allowed, field)).await.data().is_object(), "{allowed} of {field}");
        refused(&user, &aliased(allowed + 1, field), "complexity", limit).await;
    }
    let spread = "fragment Counted on Query { users(search: \"x\") { totalCount } }";
    let spreads = "...Counted ".repeat(8);
    refused(&user, &format!("{{ {spreads} }} {spread}"), "complexity", limit).await;

    let variables = (0..8).map(|number| format!("a{number}: users(search: $search) {{ totalCount }} "));
    let query = format!("query ($search: String) {{ {} }}", variables.collect::<String>());
    refused(&user, &query, "complexity", limit).await;
    let none = aliased(20, "users(search: null, first: 1) { totalCount }");
    assert!(user.run(&none).await.data().is_object(), "no search");
}

#[tokio::test]
async fn a_list_argument_has_at_most_100_ids() {
    let (_test, user) = TestApp::with_user().await;
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let ids = |count: usize| json!({ "ids": vec!["usr_00000000000070008000000000000000"; count] });
    let nodes = user.run_with(query, ids(100)).await;
    assert_eq!(nodes.data()["nodes"].as_array().map(Vec::len), Some(100));
    let reply = user.run_with(query, ids(101)).await;
    assert_eq!(reply.code(), "BAD_USER_INPUT");
    assert!(reply.at("/errors/0/message").as_str().is_some_and(|message| message.contains("100")));
}

#[tokio::test]
async fn many_operations_and_variables_are_bounded_by_the_tokens() {
    let test = TestApp::start().await;
    let caller = test.anonymous();
    let limit = test.config.graphql.max_tokens;
    let operations: String = (0..1000).map(|number| format!("query Q{number} {{ hello }} ")).collect();
    refused(&caller, &operations, "tokens", limit).await;
    let variables: String = (0..1000).map(|number| format!("$v{number}: Int ")).collect();
    refused(&caller, &format!("query ({variables}) {{ hello }}"), "tokens", limit).await;
    let values =
        |count| (0..count).map(|number| (format!("v{number}"), json!(number))).collect::<serde_json::Map<_, _>>();
    caller.run_with("{ hello }", values(10_000).into()).await.data();
    assert_eq!(caller.run_with("{ hello }", values(10_001).into()).await.code(), "BAD_USER_INPUT");
}

/// Counted or parsed naively, the rest of each would be looked through once for every string: for minutes.
#[tokio::test]
async fn block_strings_without_an_end_are_refused_at_the_first() {
    // Twice as long as JSON.
    const BODY: usize = 450_000;
    let test = TestApp::start().await;
    let escaped = format!("{{ {}", "\\\"\"\"\" ".repeat(BODY / 6));
    let within_strings = format!("{{ a(x: [{}]) }} #{}", r#""\\""""" "#.repeat(600), "-".repeat(BODY));
    for document in [escaped, within_strings] {
        let began = Instant::now();
        let reply = test.anonymous().run(&document).await;
        assert_eq!(reply.code(), "GRAPHQL_PARSE_FAILED", "{}", reply.body);
        assert!(began.elapsed() < PATIENCE);
    }
}
