//! The media type of errors: the JSON that the client accepts, whatever went wrong.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{get, post, with};
use crate::support::{BOUNDARY, Caller, Hold, Listening, Reply, TestApp, alter, form_request};

const JSON: &str = "application/json; charset=utf-8";
const GRAPHQL: &str = "application/graphql-response+json; charset=utf-8";

/// Values of `Accept`, and the media type of an error.
const ACCEPTED: [(&str, &str); 9] = [
    ("application/json", JSON),
    ("application/graphql-response+json", GRAPHQL),
    ("application/graphql-response+json,application/json;q=0.9", GRAPHQL),
    ("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", GRAPHQL),
    ("application/json, application/graphql-response+json;q=0.9", JSON),
    ("*/*", JSON),
    ("text/event-stream", JSON),
    ("text/event-stream, application/graphql-response+json;q=0.5", GRAPHQL),
    ("application/graphql-response+json, text/event-stream;q=0.5", GRAPHQL),
];

fn assert_error(reply: &Reply, status: u16, media_type: &str, accept: &str) {
    let seen = (reply.status.as_u16(), reply.header("content-type"));
    assert_eq!(seen, (status, media_type), "{accept}: {}", reply.body);
    assert!(!reply.code().is_empty(), "{accept}: {}", reply.body);
    assert!(reply.at("/errors/0/message").is_string(), "{accept}: {}", reply.body);
}

/// The refusals that need nothing but a request.
async fn refusals(user: &Caller, anonymous: &Caller) -> Vec<(u16, Reply)> {
    let json_type = [("content-type", "application/json")];
    let body = |query: &str| json!({ "query": query }).to_string();
    let form = |content: &str| form_request(Body::from(content.to_owned()));
    let socket = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "8")];
    vec![
        (400, user.send(post(&json_type, "nonsense")).await),
        (400, user.send(post(&json_type, "[]")).await),
        (400, user.send(post(&json_type, json!({ "query": 1 }).to_string())).await),
        (400, user.send(post(&json_type, "{\"query\": \"\u{ff}")).await),
        (400, user.get("/graphql").await),
        (400, user.get("/graphql?query=%7Bhello%7D&variables=nonsense").await),
        (400, user.send(get("/graphql", &socket)).await),
        (401, user.with_token(Some("nonsense")).run("{ current }").await),
        (403, anonymous.send(form("x")).await),
        (403, user.with_header("origin", "https://evil.example").send(form("x")).await),
        (404, user.get("/graphql/").await),
        (404, user.get("/graphql/nothing").await),
        (405, user.send(with(Request::put("/graphql"), &[], Body::empty())).await),
        (405, user.send(with(Request::options("/graphql"), &[], Body::empty())).await),
        (405, user.get("/graphql?query=mutation%7Bnext%7Bvalue%7D%7D").await),
        (413, user.run(&" ".repeat(20_000)).await),
        (415, user.send(post(&[("content-type", "text/plain")], body("{ hello }"))).await),
        (415, user.send(post(&[("content-type", "application/json"), ("content-encoding", "gzip")], "x")).await),
    ]
}

#[tokio::test]
async fn refusals_have_the_media_type_that_is_accepted() {
    let test = TestApp::with_config(|config| config.http.max_body_bytes = 10_000).await;
    let user = test.sign_up("anna").await;
    for (accept, media_type) in ACCEPTED {
        let (user, anonymous) = (user.with_header("accept", accept), test.anonymous().with_header("accept", accept));
        for (status, reply) in refusals(&user, &anonymous).await {
            assert_error(&reply, status, media_type, accept);
        }
        let form = || form_request(Body::from(format!("--{BOUNDARY}--\r\n")));
        assert_error(&user.send(form()).await, 400, media_type, accept);
        let anonymous = anonymous.with_header("apollo-require-preflight", "1").send(form()).await;
        // A form is not answered by a stream, which is said first.
        let status = if accept.starts_with("text/event-stream") { 400 } else { 401 };
        assert_error(&anonymous, status, media_type, accept);
    }
    for (status, reply) in refusals(&user, &test.anonymous()).await {
        assert_error(&reply, status, JSON, "no Accept at all");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_acceptably_is_refused_in_json() {
    let test = TestApp::start().await;
    for (accept, media_type) in [
        ("text/html", JSON),
        ("application/json;q=0", JSON),
        ("nonsense", JSON),
        ("text/event-stream;q=0, application/xml", JSON),
    ] {
        let caller = test.anonymous().with_header("accept", accept);
        assert_error(&caller.run("{ hello }").await, 406, media_type, accept);
        assert_error(&caller.get("/graphql?query=%7Bhello%7D").await, 406, media_type, accept);
    }
}

#[tokio::test]
async fn faults_and_time_limits_have_the_media_type_that_is_accepted() {
    let test = TestApp::with_config(|config| config.http.request_seconds = 1).await;
    let (user, unseen) = (test.sign_up("anna").await, test.sign_up("bert").await);
    let hold = Hold::of_counters(&test).await;
    for (accept, media_type) in [ACCEPTED[0], ACCEPTED[2]] {
        let reply = user.with_header("accept", accept).run("mutation { next { value } }").await;
        assert_error(&reply, 503, media_type, accept);
    }
    hold.release().await;
    alter(&test, "ALTER TABLE sessions RENAME TO gone").await;
    for (accept, media_type) in ACCEPTED {
        let reply = unseen.with_header("accept", accept).run("{ hello }").await;
        assert_error(&reply, 500, media_type, accept);
        assert_eq!(reply.at("/errors/0/extensions/requestId"), reply.header("x-request-id"), "{accept}");
    }
}

#[tokio::test]
async fn limits_of_streams_and_attempts_have_the_media_type_that_is_accepted() {
    let test = TestApp::with_config(|config| {
        config.subscriptions.max_per_caller = 1;
        config.limits.sign_up_per_address = cloakroom::config::Bucket { burst: 1, per_hour: 1 };
    })
    .await;
    let user = test.sign_up("anna").await;
    let listening = user.with_header("accept", "text/event-stream");
    let request = super::post_json(json!({ "query": "subscription { current }" }).to_string());
    let (mut parts, body) = request.into_parts();
    parts.headers.insert("accept", "text/event-stream".parse().expect("a value"));
    let bearer = format!("Bearer {}", user.token.as_deref().expect("a token"));
    parts.headers.insert("authorization", bearer.parse().expect("a value"));
    let router = tower::ServiceExt::oneshot(test.router.clone(), Request::from_parts(parts, body));
    let _open = router.await.expect("a stream");
    assert_error(&listening.run("subscription { current }").await, 429, JSON, "text/event-stream");

    let sign_up = "mutation { signUp(input: { username: \"a\", password: \"x\" }) { userErrors { code } } }";
    let far = test.anonymous().at_address("198.51.100.7");
    far.run(sign_up).await.data();
    for (accept, media_type) in [ACCEPTED[0], ACCEPTED[2]] {
        assert_error(&far.with_header("accept", accept).run(sign_up).await, 429, media_type, accept);
    }
}

#[tokio::test]
async fn what_is_refused_on_the_wire_has_the_media_type_that_is_accepted() {
    let test = TestApp::with_config(|config| config.http.body_seconds = 1).await;
    let server = Listening::start(&test).await;
    let head = "content-type: application/json\r\ncontent-length: 10\r\n";
    for (accept, media_type) in [ACCEPTED[0], ACCEPTED[2], ACCEPTED[7]] {
        for (host, status) in [("localhost", 408), ("user@evil", 400), ("", 400)] {
            let mut wire = server.connect().await;
            wire.send(format!("POST /graphql HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\n{head}\r\n{{")).await;
            let heard = wire.hear().await.expect("an answer");
            assert_eq!(heard.status, status, "{accept}: {heard:?}");
            assert!(heard.has(&format!("content-type: {media_type}")), "{heard:?}");
            assert_eq!(heard.json()["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        }
    }
}
