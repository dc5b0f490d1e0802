//! What runs over a WebSocket, and how it is answered.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::client::Socket;
use super::{CURRENT, current, serve, sign_on};
use crate::support::{Listening, TestApp};

/// The code of these errors, which all have the same.
fn code(errors: &Value) -> &str {
    let mut codes: Vec<_> =
        errors.as_array().expect("errors").iter().map(|error| &error["extensions"]["code"]).collect();
    codes.dedup();
    assert_eq!(codes.len(), 1, "{errors}");
    codes[0].as_str().unwrap_or_default()
}

#[tokio::test]
async fn queries_and_mutations_have_one_answer_and_are_complete() {
    let (_test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    for expected in 1..=3 {
        let answer = socket.run("n", "mutation { next { value } }").await;
        assert_eq!(answer, json!({ "data": { "next": { "value": expected } } }));
    }
    let answer = socket.run("q", "{ current viewer { user { username } } }").await;
    assert_eq!(answer["data"], json!({ "current": 3, "viewer": { "user": { "username": "anna" } } }));
    let answer = socket.run("u", "mutation { setCurrent(input: { current: -1 }) { userErrors { code } } }").await;
    assert_eq!(answer["data"]["setCurrent"]["userErrors"][0]["code"], "INVALID");
    let mut nobody = Socket::open(server.address).await;
    nobody.init(None).await;
    assert_eq!(nobody.run("q", "{ viewer { role } }").await, json!({ "data": { "viewer": null } }));
}

#[tokio::test]
async fn many_operations_run_at_once_over_one_socket() {
    let (_test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    for id in 0..50 {
        socket.subscribe(&id.to_string(), "mutation { next { value } }").await;
    }
    let (mut values, mut ended) = (Vec::new(), 0);
    while ended < 50 {
        let message = socket.hear().await.expect("a message");
        match message["type"].as_str() {
            Some("next") => values.extend(message["payload"]["data"]["next"]["value"].as_i64()),
            Some("complete") => ended += 1,
            _ => panic!("{message}"),
        }
    }
    values.sort_unstable();
    assert_eq!(values, (1..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_cannot_run_is_an_error_without_a_complete() {
    let (_test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    for (query, expected) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { current(counter: 7) }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { current(name: \"x\") }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription ($counter: String!) { current(counter: $counter) }", "BAD_USER_INPUT"),
        ("query A { hello } query B { hello }", "GRAPHQL_VALIDATION_FAILED"),
        // GraphQL, section 5.2.4.1.
        ("subscription { current other: current }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription { ...Part } fragment Part on Subscription { a: current b: current }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { current __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { current @include(if: false) }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { current @skip(if: true) }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        socket.subscribe("x", query).await;
        let errors = socket.error("x").await;
        assert_eq!(code(&errors), expected, "{query}: {errors}");
        assert!(errors[0]["message"].is_string());
        // The id is free, and no `complete` is on its way.
        socket.is_quiet().await;
    }
}

#[tokio::test]
async fn the_root_field_of_a_subscription_may_be_in_a_fragment() {
    let (_test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    for query in [
        "subscription { ... { current } }",
        "subscription { ... on Subscription { current } }",
        "subscription { ...Part } fragment Part on Subscription { current }",
        "subscription { current ...Part } fragment Part on Subscription { ... { current } }",
    ] {
        socket.subscribe("x", query).await;
        assert_eq!(socket.answer("x").await["data"], json!({ "current": 0 }), "{query}");
        socket.send(Message::text(json!({ "type": "complete", "id": "x" }).to_string())).await;
    }
}

#[tokio::test]
async fn errors_of_fields_are_answers() {
    let (_test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    let answer = socket.run("a", "{ current(counter: \"none\") }").await;
    assert_eq!((code(&answer["errors"]), &answer["data"]), ("NOT_FOUND", &json!({ "current": null })));
    let answer = socket.run("b", "subscription { current(counter: \"none\") }").await;
    assert_eq!((code(&answer["errors"]), &answer["data"]), ("NOT_FOUND", &Value::Null));
    let answer = socket.run("c", "{ current users(first: -1) { totalCount } }").await;
    assert_eq!((code(&answer["errors"]), &answer["data"]), ("BAD_USER_INPUT", &json!({ "current": 0, "users": null })));
    let mutation = "mutation { a: next { value } b: next(input: { counter: \"none\" }) { value } c: next { value } }";
    let answer = socket.run("d", mutation).await;
    let taken = json!({ "a": { "value": 1 }, "b": null, "c": { "value": 2 } });
    assert_eq!((code(&answer["errors"]), &answer["data"]), ("NOT_FOUND", &taken));
}

#[tokio::test]
async fn operations_take_names_and_variables() {
    let (_test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    let document = "subscription A($counter: String) { shown: current(counter: $counter) } query B { hello }";
    let subscribe = |id: &str, name: &str, variables: Value| {
        let payload = json!({ "query": document, "operationName": name, "variables": variables, "extensions": {} });
        json!({ "id": id, "type": "subscribe", "payload": payload })
    };
    socket.say(&subscribe("a", "A", json!({ "counter": "default" }))).await;
    assert_eq!(socket.answer("a").await, json!({ "data": { "shown": 0 } }));
    socket.say(&subscribe("b", "B", json!({}))).await;
    assert!(socket.answer("b").await["data"]["hello"].is_string());
    socket.completed("b").await;
    for (variables, expected) in [
        (json!({ "counter": "none" }), "NOT_FOUND"),
        (json!({ "counter": "x".repeat(10_000) }), "NOT_FOUND"),
        (json!({ "counter": "a\u{0}b" }), "NOT_FOUND"),
    ] {
        socket.say(&subscribe("c", "A", variables)).await;
        assert_eq!(code(&socket.answer("c").await["errors"]), expected);
        socket.completed("c").await;
    }
    for variables in [json!({ "counter": 7 }), json!({ "counter": [] })] {
        socket.say(&subscribe("c", "A", variables)).await;
        code(&socket.error("c").await);
    }
    socket.say(&subscribe("c", "C", json!({}))).await;
    assert_eq!(code(&socket.error("c").await), "GRAPHQL_VALIDATION_FAILED");
    user.next().await;
    assert_eq!(socket.answer("a").await["data"]["shown"], 1, "the first one has gone on");
}

#[tokio::test]
async fn a_subscription_runs_again_from_the_memory_of_documents() {
    let (test, server, anna) = serve().await;
    let bert = test.sign_up("bert").await;
    bert.next().await;
    for (caller, shown) in [(&anna, 0), (&bert, 1), (&anna, 0)] {
        let mut socket = sign_on(&server, caller).await;
        for id in ["a", "b"] {
            socket.subscribe(id, CURRENT).await;
            assert_eq!(current(&socket.answer(id).await), shown);
        }
        socket.subscribe("c", "subscription { current(counter: \"none\") }").await;
        assert_eq!(code(&socket.answer("c").await["errors"]), "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_socket_runs_so_many_operations_at_once() {
    let test = TestApp::with_config(|config| config.subscriptions.max_operations = 3).await;
    let server = Listening::start(&test).await;
    let user = test.sign_up("anna").await;
    let mut socket = sign_on(&server, &user).await;
    for id in ["a", "b", "c"] {
        socket.subscribe(id, CURRENT).await;
        socket.answer(id).await;
    }
    for query in [CURRENT, "{ hello }"] {
        socket.subscribe("d", query).await;
        assert_eq!(code(&socket.error("d").await), "RATE_LIMITED");
    }
    socket.complete("b").await;
    socket.run("d", "{ hello }").await;
    socket.subscribe("d", CURRENT).await;
    socket.answer("d").await;
    socket.subscribe("e", CURRENT).await;
    assert_eq!(code(&socket.error("e").await), "RATE_LIMITED");
    // Another socket has as many.
    sign_on(&server, &user).await.run("e", "{ hello }").await;
}
