//! Media types: which are read, which are answered, and what each makes of the status.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::{get, post, post_json, with};
use crate::support::{Reply, TestApp};

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";

async fn ask(test: &TestApp, accept: &str, query: &str) -> Reply {
    let headers = [("content-type", JSON), ("accept", accept)];
    test.anonymous().send(post(&headers, json!({ "query": query }).to_string())).await
}

#[tokio::test]
async fn json_is_read_in_utf_8_and_uncompressed() {
    let test = TestApp::start().await;
    let body = || json!({ "query": "{ hello }" }).to_string();
    let status = async |headers: &[(&str, &str)]| test.anonymous().send(post(headers, body())).await.status.as_u16();
    for content_type in [
        JSON,
        "application/json; charset=utf-8",
        "Application/JSON; Charset=\"UTF-8\"",
        "application/json;charset=utf8",
        "application/json; charset=UTF8",
    ] {
        assert_eq!(status(&[("content-type", content_type)]).await, 200, "{content_type}");
    }
    let with_mark = post(&[("content-type", JSON)], format!("\u{feff}{}", body()));
    assert_eq!(test.anonymous().send(with_mark).await.status.as_u16(), 200, "a byte order mark");
    for content_type in
        ["application/json; charset=utf-16", "application/json; charset=iso-8859-1", "", "json", "\u{1}"]
    {
        assert_eq!(status(&[("content-type", content_type.trim_matches('\u{1}'))]).await, 415, "{content_type}");
    }
    for encoding in ["gzip", "deflate", "br", "zstd", "identity, gzip"] {
        assert_eq!(status(&[("content-type", JSON), ("content-encoding", encoding)]).await, 415, "{encoding}");
    }
    assert_eq!(status(&[("content-type", JSON), ("content-encoding", "identity")]).await, 200);
    assert_eq!(status(&[("content-type", JSON), ("content-type", "text/plain")]).await, 415, "two types are none");
}

#[tokio::test]
async fn the_answer_has_the_type_that_is_accepted() {
    let test = TestApp::start().await;
    for (accept, answered) in [
        ("*/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL),
        ("application/json, application/graphql-response+json;q=0.9", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("*/*, application/json;q=0", GRAPHQL),
        ("application/json;q=0.5, application/*;q=0.7", GRAPHQL),
        ("application/*, application/graphql-response+json;q=0.1", JSON),
    ] {
        let reply = ask(&test, accept, "{ hello }").await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("content-type")),
            (200, &*format!("{answered}; charset=utf-8"))
        );
        assert!(reply.data()["hello"].is_string());
    }
    let silent = test.anonymous().run("{ hello }").await;
    assert_eq!(silent.header("content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn what_no_type_of_ours_can_answer_is_not_executed() {
    let (_test, user) = TestApp::with_user().await;
    for accept in
        ["text/html", "application/xml", "application/json;q=0", "application/*;q=0, */*", "*/*;q=inf", "nonsense", ""]
    {
        let headers = [("content-type", JSON), ("accept", accept)];
        let body = json!({ "query": "mutation { next { value } }" }).to_string();
        let reply = user.send(post(&headers, body)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (406, "BAD_USER_INPUT"), "{accept:?}");
        assert_eq!(user.send(get("/graphql?query=%7Bhello%7D", &[("accept", accept)])).await.status.as_u16(), 406);
    }
    assert_eq!(user.next().await, 1);
}

#[tokio::test]
async fn a_refused_document_is_400_for_those_who_know_the_media_type() {
    let test = TestApp::start().await;
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($name: String!) { user(username: $name) { id } }", "BAD_USER_INPUT"),
        ("query A { hello } query B { hello }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { current }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        for (accept, status) in [(JSON, 200), (GRAPHQL, 400)] {
            let reply = ask(&test, accept, query).await;
            assert_eq!(
                (reply.status.as_u16(), reply.at("/errors/0/extensions/code")),
                (status, &json!(code)),
                "{accept}: {query}: {}",
                reply.body
            );
            assert!(reply.body.get("data").is_none(), "nothing was executed, so there is no `data`: {}", reply.body);
        }
    }
}

#[tokio::test]
async fn what_was_executed_is_200_with_data() {
    let test = TestApp::start().await;
    for accept in [JSON, GRAPHQL] {
        let partial = ask(&test, accept, "{ hello node(id: \"nonsense\") { id } }").await;
        assert_eq!(partial.status.as_u16(), 200);
        assert!(partial.at("/data/hello").is_string(), "the rest is there: {}", partial.body);
        let nothing = ask(&test, accept, "{ current }").await;
        assert_eq!((nothing.status.as_u16(), nothing.code()), (200, "UNAUTHENTICATED"));
        assert_eq!(nothing.body.get("data"), Some(&json!({ "current": null })), "{}", nothing.body);
    }
}

#[tokio::test]
async fn being_too_busy_is_503_in_either_type() {
    let test = TestApp::with_config(|config| config.counters.queue = 1).await;
    let user = test.sign_up("anna").await;
    assert_eq!(user.next().await, 1);
    for accept in [JSON, GRAPHQL] {
        let call = |_| {
            let user = user.clone();
            tokio::spawn(async move {
                let headers = [("content-type", JSON), ("accept", accept)];
                let body = json!({ "query": "mutation { next { value } }" }).to_string();
                user.send(post(&headers, body)).await
            })
        };
        let mut refused = 0;
        for call in (0..16).map(call).collect::<Vec<_>>() {
            let reply = call.await.expect("no panic");
            if reply.status.as_u16() != 200 {
                assert_eq!((reply.status.as_u16(), reply.code()), (503, "UNAVAILABLE"));
                assert_eq!(reply.header("retry-after"), "1");
                refused += 1;
            }
        }
        assert!((1..16).contains(&refused), "{refused} of 16 were refused");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_are_allowed() {
    let (_test, user) = TestApp::with_user().await;
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = Request::builder().method(method.clone()).uri("/graphql");
        let body = json!({ "query": "mutation { next { value } }" }).to_string();
        let reply = user.send(with(request, &[("content-type", JSON)], body)).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (405, "BAD_USER_INPUT"), "{method}");
        let allowed: Vec<_> = reply.header("allow").split(',').map(str::trim).collect();
        assert!(allowed.contains(&"GET") && allowed.contains(&"POST"), "{method}: {allowed:?}");
    }
    for path in ["/healthz", "/readyz", "/health", "/.well-known/jwks.json", "/", "/playground/index.css"] {
        let reply = user.send(Request::post(path).body(Body::empty()).expect("a request")).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (405, "BAD_USER_INPUT"), "{path}");
        assert!(reply.header("allow").contains("GET"), "{path}");
    }
    assert_eq!(user.next().await, 1);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let (_test, user) = TestApp::with_user().await;
    let head = |path: &str| Request::head(path).body(Body::empty()).expect("a request");
    for (path, status) in [
        ("/healthz", 200),
        ("/", 200),
        ("/graphql?query=%7Bhello%7D", 200),
        ("/graphql?query=mutation%7Bnext%7Bvalue%7D%7D", 405),
    ] {
        let reply = user.send(head(path)).await;
        assert_eq!((reply.status.as_u16(), &reply.body), (status, &Value::String(String::new())), "{path}");
    }
    assert_eq!(user.send(post_json(json!({ "query": "{ current }" }).to_string())).await.data()["current"], 0);
}
