//! What a page of another site can make a browser send without asking first changes nothing (CSRF).

use serde_json::json;

use super::{get, post};
use crate::support::{Caller, TestApp};

/// The types that a form or a script sends without a preflight, those that servers were found to read as
/// JSON, and none at all. `multipart/form-data` is in `multipart/rights.rs`.
const FOREIGN: [Option<&str>; 7] = [
    Some("text/plain"),
    Some("text/plain; charset=utf-8; application/json"),
    Some("application/x-www-form-urlencoded"),
    Some("image/png"),
    Some("application/graphql"),
    Some("application/jsonx"),
    None,
];

async fn assert_untouched(user: &Caller) {
    assert_eq!(user.run("{ current }").await.data()["current"], 0, "nothing was executed");
}

#[tokio::test]
async fn only_json_is_read() {
    let (_test, user) = TestApp::with_user().await;
    for content_type in FOREIGN {
        let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        for query in ["{ current }", "mutation { next { value } }"] {
            let reply = user.send(post(&headers, json!({ "query": query }).to_string())).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (415, "BAD_USER_INPUT"), "{content_type:?}: {query}");
            assert!(reply.body.get("data").is_none(), "{}", reply.body);
        }
    }
    assert_untouched(&user).await;
}

#[tokio::test]
async fn mutations_in_the_url_are_refused_whatever_else_is_said() {
    let (_test, user) = TestApp::with_user().await;
    let path = "/graphql?query=mutation%7Bnext%7Bvalue%7D%7D";
    for content_type in FOREIGN.into_iter().chain([Some("application/json")]) {
        let mut headers = vec![("x-http-method-override", "POST"), ("x-http-method", "POST")];
        headers.extend(content_type.map(|value| ("content-type", value)));
        let reply = user.send(get(path, &headers)).await;
        assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, "POST"), "{content_type:?}");
        assert_eq!(reply.code(), "BAD_USER_INPUT");
    }
    let named = "/graphql?query=query%20Read%7Bcurrent%7D%20mutation%20Write%7Bnext%7Bvalue%7D%7D&operationName=";
    assert_eq!(user.send(get(&format!("{named}Write"), &[])).await.status.as_u16(), 405);
    assert_eq!(user.send(get(&format!("{named}Read"), &[])).await.data()["current"], 0);
    assert_untouched(&user).await;
}

#[tokio::test]
async fn a_query_in_the_url_is_not_mixed_with_a_body() {
    let (_test, user) = TestApp::with_user().await;
    let headers = [("content-type", "application/json")];
    let body = json!({ "query": "mutation { next { value } }" }).to_string();
    let mut request = get("/graphql?query=%7Bcurrent%7D", &headers);
    *request.body_mut() = body.clone().into();
    assert_eq!(user.send(request).await.data()["current"], 0, "the body of a GET means nothing");

    let mut request = post(&headers, json!({ "query": "{ hello }" }).to_string());
    *request.uri_mut() = "/graphql?query=mutation%7Bnext%7Bvalue%7D%7D".parse().expect("a path");
    assert!(user.send(request).await.data()["hello"].is_string(), "the URL of a POST means nothing");
    assert_untouched(&user).await;
}

#[tokio::test]
async fn tokens_count_in_the_authorization_header_alone() {
    let (test, user) = TestApp::with_user().await;
    let token = user.token.clone().expect("a token");
    let anonymous = test.anonymous();
    let cookie = format!("access_token={token}; Authorization=Bearer {token}");
    let in_url = format!("/graphql?query=%7Bcurrent%7D&access_token={token}");
    for request in [
        get("/graphql?query=%7Bcurrent%7D", &[("cookie", &cookie)]),
        get(&in_url, &[]),
        get("/graphql?query=%7Bcurrent%7D", &[("x-access-token", &token), ("proxy-authorization", &token)]),
    ] {
        assert_eq!(anonymous.send(request).await.code(), "UNAUTHENTICATED");
    }
    let twice = [("authorization", format!("Bearer {token}")), ("authorization", format!("Bearer {token}"))];
    let twice: Vec<_> = twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(anonymous.send(get("/graphql?query=%7Bcurrent%7D", &twice)).await.status.as_u16(), 401);
}
