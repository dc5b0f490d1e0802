//! Documents that want to break what reads them: nested, long, and wrong in many places at once.

use axum::http::Request;

use crate::support::{Caller, Reply, TestApp};

const DEEP: usize = 100_000;

async fn short_refusal(caller: &Caller, document: &str) -> Reply {
    let reply = caller.run(document).await;
    let start = document.chars().take(40).collect::<String>();
    assert!(reply.body.get("data").is_none(), "{start}: {}", reply.body);
    assert!(reply.body.to_string().len() < 10_000, "{start}: {} bytes", reply.body.to_string().len());
    reply
}

#[tokio::test]
async fn brackets_nested_100_000_deep_are_refused_before_they_are_parsed() {
    let test = TestApp::with_config(|config| config.graphql.max_tokens = 20_000).await;
    let caller = test.anonymous();
    let nested = |before: &str, open: &str, within: &str, close: &str, after: &str| {
        format!("{before}{}{within}{}{after}", open.repeat(DEEP), close.repeat(DEEP))
    };
    for document in [
        nested("", "{a", "", "}", ""),
        nested("", "{...", "{hello}", "}", ""),
        nested("{ nodes(ids: ", "[", "", "]", ") { id } }"),
        nested("mutation { setCurrent(input: ", "{current:", "1", "}", ") { previous } }"),
        nested("query ($a: ", "[", "Int", "]", ") { hello }"),
        nested("query ($a: Int = ", "[", "1", "]", ") { hello }"),
        nested("{ hello @include(if: ", "[", "true", "]", ") }"),
        "[".repeat(DEEP),
        "{".repeat(DEEP),
        "(".repeat(DEEP),
    ] {
        assert_eq!(short_refusal(&caller, &document).await.code(), "QUERY_TOO_COMPLEX");
    }
    // To the parser, an unfinished block string is an empty string and then whatever follows.
    for document in [
        format!("{{ nodes(ids: [\"\"\"\",{}", "[".repeat(DEEP)),
        format!("{{ nodes(ids: [\"\"\"a\",{}", "[".repeat(DEEP)),
        format!("{{ nodes(ids: [\"\"\"\\\"\"\" \",{}", "[".repeat(DEEP)),
    ] {
        assert_eq!(short_refusal(&caller, &document).await.code(), "GRAPHQL_PARSE_FAILED");
    }
}

#[tokio::test]
async fn brackets_nested_below_the_number_of_tokens_are_refused_as_well() {
    let test = TestApp::start().await;
    let caller = test.anonymous();
    for (open, close) in [("{...", "}"), ("{a", "}")] {
        let document = format!("{}{{hello}}{}", open.repeat(200), close.repeat(200));
        let reply = short_refusal(&caller, &document).await;
        assert_eq!(reply.code(), "QUERY_TOO_COMPLEX");
        assert!(reply.at("/errors/0/message").as_str().is_some_and(|message| message.contains("nesting")));
    }
    let inline = format!("{}{{hello}}{}", "{...".repeat(60), "}".repeat(60));
    assert_eq!(caller.run(&inline).await.data()["hello"], "Hello from Cloakroom");
}

#[tokio::test]
async fn brackets_within_strings_and_comments_are_only_text() {
    let (_test, user) = TestApp::with_user().await;
    let brackets = "[{(".repeat(1000);
    for document in [
        format!("{{ user(username: \"{brackets}\") {{ id }} }}"),
        format!("{{ user(username: \"\\\"{brackets}\") {{ id }} }}"),
        format!("{{ user(username: \"\"\"{brackets} \\\"\"\" {brackets}\"\"\") {{ id }} }}"),
        format!("# {brackets}\n{{ user(username: \"nobody\") {{ id }} }} # {brackets}"),
    ] {
        assert!(user.run(&document).await.data()["user"].is_null(), "{}", &document[..40]);
    }
}

#[tokio::test]
async fn json_nested_200_levels_deep_is_a_bad_request() {
    let test = TestApp::start().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [200, DEEP] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let body = format!("{{\"query\":\"{{hello}}\",\"variables\":{{\"a\":{deep}}}}}");
            let request = Request::post("/graphql").header("content-type", "application/json");
            let reply = test.anonymous().send(request.body(body.into()).expect("a request")).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (400, "BAD_USER_INPUT"));
            // Skipped, not read: no reason to refuse them, and none to fall over.
            let body = format!("{{\"query\":\"{{hello}}\",\"extensions\":{{\"a\":{deep}}}}}");
            let request = Request::post("/graphql").header("content-type", "application/json");
            let reply = test.anonymous().send(request.body(body.into()).expect("a request")).await;
            assert!([200, 400].contains(&reply.status.as_u16()), "{}", reply.body);
        }
    }
}

#[tokio::test]
async fn long_names_and_numbers_are_refused_and_not_repeated() {
    let test = TestApp::start().await;
    let caller = test.anonymous();
    let long = "a".repeat(400_000);
    for document in [
        format!("{{ {long} }}"),
        format!("{{ hello @{long} }}"),
        format!("{{ ...{long} }}"),
        format!("{{ {long}: hello }}"),
        format!("query {long} {{ hello }}"),
        format!("query ($a: {long}) {{ hello }}"),
        format!("query (${long}: Int) {{ hello }}"),
        format!("{{ node({long}: 1) {{ id }} }}"),
        format!("{{ node(id: {}) {{ id }} }}", "9".repeat(400_000)),
    ] {
        let reply = short_refusal(&caller, &document).await;
        assert_eq!(reply.code(), "QUERY_TOO_COMPLEX", "{}", reply.body);
        assert!(reply.at("/errors/0/message").as_str().is_some_and(|message| message.contains("256")));
    }
}

#[tokio::test]
async fn what_a_client_sent_is_not_sent_back_at_length() {
    let (_test, user) = TestApp::with_user().await;
    let long = "é".repeat(200_000);
    let query = "mutation ($input: SetCurrentInput!) { setCurrent(input: $input) { previous } }";
    let value = user.run_with(query, serde_json::json!({ "input": { "current": long } })).await;
    assert_eq!(value.code(), "BAD_USER_INPUT");
    let line = user.run(&format!("{{ user(username: \"{long}\") {{ id }} }} }}")).await;
    assert_eq!(line.code(), "GRAPHQL_PARSE_FAILED");
    let body = serde_json::json!({ "query": "{ hello }", "operationName": long }).to_string();
    let request = Request::post("/graphql").header("content-type", "application/json");
    let name = user.send(request.body(body.into()).expect("a request")).await;
    assert_eq!(name.code(), "GRAPHQL_VALIDATION_FAILED");
    for reply in [value, line, name] {
        assert!(reply.body.to_string().len() < 10_000, "{} bytes", reply.body.to_string().len());
    }
}

#[tokio::test]
async fn a_document_that_is_wrong_everywhere_is_told_so_in_few_words() {
    let test = TestApp::start().await;
    let name = "x".repeat(200);
    for document in [
        format!("{{ {} }}", format!("{name} ").repeat(499)),
        format!("query ({}) {{ hello }}", (0..300).map(|number| format!("$v{number}: Nope ")).collect::<String>()),
        format!("{{ hello {} }}", "hello: server { version } ".repeat(29)),
    ] {
        let reply = short_refusal(&test.anonymous(), &document).await;
        assert_eq!(reply.at("/errors/0/extensions/code"), "GRAPHQL_VALIDATION_FAILED");
    }
}
