//! Who may send files: only somebody who may do something with them, and no page of another site.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::{HELLO, assert_refused, one_file};
use crate::support::{BOUNDARY, Caller, Form, Reply, TestApp, form_request, parsed};

/// Sends a form of which nothing may be read.
async fn send_unread(caller: &Caller) -> Reply {
    let never = |()| -> Result<Bytes, Infallible> { panic!("the body is read") };
    caller.send(form_request(Body::from_stream(stream::once(async {}).map(never)))).await
}

#[tokio::test]
async fn who_may_send_none_is_refused_before_anything_is_read() {
    let (test, user) = TestApp::with_user().await;
    // What is thrown away afterwards is read, but nobody waits for it: that panic ends in its own task.
    let asked = test.anonymous().with_header("apollo-require-preflight", "true").with_header("expect", "100-continue");
    assert_refused(&test, &send_unread(&asked).await, 401, "UNAUTHENTICATED", "anonymous");
    let reader = test.key_of(&user, r#"name: "reader", scopes: [PHOTOS_READ, COUNTERS_WRITE]"#).await;
    let reader = reader.with_header("expect", "100-continue");
    assert_refused(&test, &send_unread(&reader).await, 403, "FORBIDDEN", "an API key without the scope");
    let forged = test.bearer(Some("nonsense")).with_header("expect", "100-continue");
    let reply = send_unread(&forged).await;
    assert_refused(&test, &reply, 401, "UNAUTHENTICATED", "no token of ours");
    assert!(reply.header("www-authenticate").contains("invalid_token"));

    let writer = test.key_of(&user, r#"name: "writer", scopes: [PHOTOS_WRITE]"#).await;
    assert!(writer.upload(one_file(b"x")).await.data()["hello"].is_string());
}

#[tokio::test]
async fn a_page_of_another_site_cannot_send_files_without_asking_first() {
    let (test, user) = TestApp::with_user().await;
    let token = user.token.clone().expect("a token");
    for caller in [
        test.anonymous().with_header("expect", "100-continue"),
        // What a page can set or a browser adds by itself.
        test.anonymous().with_header("expect", "100-continue").with_header("cookie", &format!("access_token={token}")),
        test.anonymous()
            .with_header("expect", "100-continue")
            .with_header("accept-language", "Apollo-Require-Preflight"),
    ] {
        let reply = send_unread(&caller).await;
        assert_refused(&test, &reply, 403, "FORBIDDEN", "no header that makes the browser ask");
        assert!(reply.at("/errors/0/message").to_string().contains("Apollo-Require-Preflight"), "{}", reply.body);
    }
    for name in ["apollo-require-preflight", "x-apollo-operation-name", "graphql-preflight"] {
        let asked = user.with_header(name, "1");
        assert!(asked.upload(one_file(b"x")).await.data()["hello"].is_string(), "{name}");
        let anonymous = test.anonymous().with_header(name, "1").upload(one_file(b"x")).await;
        assert_refused(&test, &anonymous, 401, "UNAUTHENTICATED", name);
    }
    // Credentials that browsers send by themselves are none.
    let basic = test.anonymous().with_header("authorization", "Basic YW5uYTpwYXNzd29yZA==");
    assert_refused(&test, &basic.upload(one_file(b"x")).await, 401, "UNAUTHENTICATED", "Basic");
}

#[tokio::test]
async fn front_ends_may_send_what_makes_the_browser_ask() {
    let origin = "https://app.example.org";
    let test = TestApp::with_config(|config| config.http.cors_origins = vec![parsed(origin)]).await;
    let request = Request::options("/graphql")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "apollo-require-preflight,authorization,content-type");
    let reply = test.anonymous().send(request.body(Body::empty()).expect("a request")).await;
    let allowed = reply.header("access-control-allow-headers");
    for name in ["authorization", "apollo-require-preflight", "x-apollo-operation-name", "graphql-preflight"] {
        assert!(allowed.split(',').any(|one| one == name), "{name} in {allowed}");
    }
}

#[tokio::test]
async fn a_form_is_answered_once() {
    let (test, user) = TestApp::with_user().await;
    let listener = user.with_header("accept", "text/event-stream");
    assert_refused(&test, &listener.upload(one_file(b"x")).await, 400, "BAD_USER_INPUT", "an event stream");
    let subscription = Form::with_map("subscription { current }", &json!({}), &json!({}));
    let reply = user.upload(subscription).await;
    assert_eq!(reply.code(), "GRAPHQL_VALIDATION_FAILED", "{}", reply.body);
    let strict = user.with_header("accept", "application/graphql-response+json");
    assert!(strict.header_of_upload().await.starts_with("application/graphql-response+json"));

    let mut get = form_request(Body::from(one_file(b"x").end()));
    *get.method_mut() = axum::http::Method::GET;
    assert_eq!(user.send(get).await.status.as_u16(), 400, "only POST has a form");
    for method in ["PUT", "PATCH", "DELETE"] {
        let mut other = form_request(Body::from(one_file(b"x").end()));
        *other.method_mut() = method.parse().expect("a method");
        assert_eq!(user.send(other).await.status.as_u16(), 405, "{method}");
    }
    let elsewhere =
        Request::post("/healthz").header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
    let elsewhere = elsewhere.body(Body::from(one_file(b"x").end())).expect("a request");
    assert_eq!(user.send(elsewhere).await.status.as_u16(), 405);
    assert_eq!(test.uploads(), 0);
}

#[tokio::test]
async fn a_key_against_repetition_works_with_files_too() {
    let (_test, user) = TestApp::with_user().await;
    let user = user.with_header("idempotency-key", "once");
    let take = || Form::of("mutation { next { value } }", &json!({ "f": null }), &[("variables.f", b"x")]);
    assert_eq!(user.upload(take()).await.data()["next"]["value"], 1);
    assert_eq!(user.upload(take()).await.data()["next"]["value"], 1);
}

impl Caller {
    async fn header_of_upload(&self) -> String {
        let reply = self.upload(Form::with_map(HELLO, &json!({}), &json!({}))).await;
        reply.header("content-type").to_owned()
    }
}
