//! The request itself: a JSON object with the parameters of the specification, or the same in the URL.

use serde_json::json;

use super::{get, post_json};
use crate::support::TestApp;

#[tokio::test]
async fn a_body_that_is_no_request_is_400() {
    let (_test, user) = TestApp::with_user().await;
    let next = r#""query": "mutation { next { value } }""#;
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "true",
        "1",
        "\"{ hello }\"",
        "{}",
        "{",
        "}",
        "{]",
        "nonsense",
        // Batches are not accepted, whatever is in them.
        "[]",
        "[null]",
        r#"[{"query": "mutation { next { value } }"}]"#,
        "  [",
        r#"["{ hello }"]"#,
        // `query` alone is needed, and is text.
        r#"{"query": null}"#,
        r#"{"query": 1}"#,
        r#"{"query": {}}"#,
        r#"{"query": []}"#,
        r#"{"query": true}"#,
        r#"{"operationName": "Q", "variables": {}}"#,
    ]
    .map(|body| body.as_bytes().to_vec())
    .into();
    for value in ["1", "true", "[]", "\"x\"", "[{}]"] {
        bodies.push(format!(r#"{{{next}, "variables": {value}}}"#).into());
        bodies.push(format!(r#"{{{next}, "extensions": {value}}}"#).into());
    }
    for value in ["1", "true", "[]", "{}"] {
        bodies.push(format!(r#"{{{next}, "operationName": {value}}}"#).into());
    }
    bodies.extend([
        // Said twice, so that another reader may have understood something else.
        format!(r#"{{{next}, {next}}}"#).into(),
        format!(r#"{{{next}, "variables": {{}}, "variables": {{}}}}"#).into(),
        format!(r#"{{{next}}} {{{next}}}"#).into(),
        format!(r#"{{{next},}}"#).into(),
        format!(r#"{{{next}, "x": NaN}}"#).into(),
        format!("\u{feff}\u{feff}{{{next}}}").into(),
        format!("{{{next}, \"x\": \"\u{0}\"}}").into(),
        [format!("{{{next}, \"x\": \"").as_bytes(), b"\xff\xfe\"}"].concat(),
        br#"{"query": "{ hello }\ud800"}"#.to_vec(),
        // Deep enough to overflow the stack of a careless parser.
        format!(r#"{{{next}, "variables": {{"x": {}"#, "[".repeat(200_000)).into(),
        format!(r#"{{{next}, "variables": {}"#, r#"{"x":"#.repeat(200_000)).into(),
    ]);
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(100)]).into_owned();
        let reply = user.send(post_json(body)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "BAD_USER_INPUT"), "{shown}");
        assert!(reply.body.get("data").is_none(), "{shown}");
        assert!(reply.body.to_string().len() < 1000, "the refusal is short: {shown}");
    }
    assert_eq!(user.next().await, 1, "nothing was executed");
}

#[tokio::test]
async fn what_may_be_left_out_may_be_null() {
    let test = TestApp::start().await;
    for body in [
        json!({ "query": "{ hello }" }),
        json!({ "query": "{ hello }", "operationName": null, "variables": null, "extensions": null }),
        json!({ "query": "{ hello }", "operationName": "", "variables": {}, "extensions": {} }),
        json!({ "query": "query Q { hello }", "operationName": "Q", "extensions": { "a": { "b": [1] } } }),
        json!({ "query": "{ hello }", "id": "another parameter", "doc_id": 1 }),
    ] {
        let reply = test.anonymous().send(post_json(body.to_string())).await;
        assert!(reply.data()["hello"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn the_operation_is_chosen_by_its_name() {
    let (_test, user) = TestApp::with_user().await;
    let query = "query Read { current } mutation Write { next { value } } query Greet { hello }";
    let run = async |name: Option<&str>| {
        user.send(post_json(json!({ "query": query, "operationName": name }).to_string())).await
    };
    assert_eq!(run(Some("Read")).await.data(), &json!({ "current": 0 }));
    assert_eq!(run(Some("Write")).await.data(), &json!({ "next": { "value": 1 } }));
    for unknown in [None, Some("Nothing"), Some("read"), Some("Read "), Some("\u{0}"), Some("__proto__")] {
        let reply = run(unknown).await;
        assert_eq!(reply.code(), "GRAPHQL_VALIDATION_FAILED", "{unknown:?}");
        assert!(reply.body.get("data").is_none());
    }
    assert_eq!(user.next().await, 2);
}

#[tokio::test]
async fn a_query_may_come_in_the_url() {
    let (_test, user) = TestApp::with_user().await;
    let data = async |path: &str| user.send(get(path, &[])).await.data().clone();
    assert_eq!(data("/graphql?query=%7Bcurrent%7D").await, json!({ "current": 0 }));
    assert_eq!(data("/graphql?query={current}&variables=&operationName=&extensions=").await, json!({ "current": 0 }));
    let variables = "query=query+Q($u:String!){user(username:$u){username}}&variables=%7B%22u%22:%22anna%22%7D";
    let named = format!("/graphql?{variables}&operationName=Q&extensions=%7B%7D");
    assert_eq!(data(&named).await, json!({ "user": { "username": "anna" } }));
    for wrong in [
        "",
        "?",
        "?query",
        "?query=",
        "?variables=%7B%7D",
        "?query={hello}&query={current}",
        "?query={hello}&variables=1",
        "?query={hello}&variables=%5B%5D",
        "?query={hello}&variables=nonsense",
        "?query={hello}&extensions=1",
        "?query={hello}&extensions=%22x%22",
    ] {
        let reply = user.send(get(&format!("/graphql{wrong}"), &[])).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "BAD_USER_INPUT"), "{wrong}");
        assert!(reply.body.get("data").is_none(), "{wrong}");
    }
    for no_graphql in ["%ff%fe", "%7Bhello%7D%00", "%7Bhello%7D%"] {
        let reply = user.send(get(&format!("/graphql?query={no_graphql}"), &[])).await;
        assert_eq!(reply.code(), "GRAPHQL_PARSE_FAILED", "{no_graphql}");
    }
}

#[tokio::test]
async fn a_required_variable_without_a_value_is_refused_before_anything_runs() {
    let (_test, user) = TestApp::with_user().await;
    let query = "mutation M($to: SafeInt!) { next { value } setCurrent(input: { current: $to }) { previous } }";
    for variables in [json!({}), json!({ "to": null }), json!({ "other": 1 })] {
        // The second time, the document may be known already.
        for _ in 0..2 {
            let reply = user.run_with(query, variables.clone()).await;
            assert_eq!(reply.code(), "BAD_USER_INPUT", "{variables}: {}", reply.body);
            assert!(reply.body.get("data").is_none(), "{variables}: {}", reply.body);
        }
    }
    assert_eq!(user.run_with(query, json!({ "to": 7 })).await.data()["setCurrent"]["previous"], 1);
    assert_eq!(user.run_with(query, json!({})).await.code(), "BAD_USER_INPUT", "now it is known");
    assert_eq!(user.next().await, 8);
}

#[tokio::test]
async fn a_refusal_is_short_however_long_the_document() {
    let test = TestApp::start().await;
    let long = "x".repeat(500_000);
    for query in [
        format!("{{ hello(x: \"{long}\") ?"),
        format!("{{ {long} }}"),
        format!("{{ hello(x: \"{long}\") }}"),
        format!("{{ user(username: {long}) {{ id }} }}"),
        format!("query({long}: Int) {{ hello }}"),
        format!("query($x: {long}) {{ hello }}"),
        format!("{{ ...{long} }}"),
        format!("fragment {long} on Query {{ hello }} query {{ hello }}"),
        format!("{{ hello @{long} }}"),
        format!("{{ ... on {long} {{ hello }} }}"),
        format!("{{ {long}: hello hello {long}: server {{ version }} }}"),
        format!("{{ {} }}", (0..400).map(|n| format!("nothing{n} ")).collect::<String>()),
    ] {
        let reply = test.anonymous().run(&query).await;
        let length = reply.body.to_string().len();
        assert!(reply.at("/errors/0/message").is_string() && length < 10_000, "{length} bytes for {}", &query[..40]);
    }
    let named = json!({ "query": "{ hello }", "operationName": long });
    let reply = test.anonymous().send(post_json(named.to_string())).await;
    assert!(reply.body.to_string().len() < 10_000);
}
