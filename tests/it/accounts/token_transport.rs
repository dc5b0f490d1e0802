//! Where an access token may come from: one `Authorization` header, and nothing else (J7, J8; RFC 6750).

use axum::body::Body;
use axum::http::{HeaderValue, Request, header};

use super::forger::{assert_refusal, assert_refused, assert_taken, token_of};
use crate::support::{Reply, TestApp};

async fn with_headers(test: &TestApp, headers: &[(header::HeaderName, &[u8])]) -> Reply {
    let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(name, HeaderValue::from_bytes(value).expect("a header value"));
    }
    let body = Body::from(r#"{ "query": "{ viewer { role } current }" }"#);
    test.anonymous().send(request.body(body).expect("a request")).await
}

async fn with_authorization(test: &TestApp, value: &[u8]) -> Reply {
    with_headers(test, &[(header::AUTHORIZATION, value)]).await
}

#[tokio::test]
async fn the_scheme_may_be_written_in_any_case() {
    let (test, user) = TestApp::with_user().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let reply = with_authorization(&test, format!("{scheme} {}", token_of(&user)).as_bytes()).await;
        assert_eq!(reply.data()["current"], 0, "{scheme}");
    }
}

#[tokio::test]
async fn another_scheme_is_refused() {
    let (test, user) = TestApp::with_user().await;
    let token = token_of(&user);
    for value in [
        "Basic YW5uYTpjb3JyZWN0IGhvcnNlIGJhdHRlcnk=".to_owned(),
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("DPoP {token}"),
        format!("Bearer{token}"),
        format!("Bearer: {token}"),
        format!("Bearer Bearer {token}"),
        token,
    ] {
        assert_refusal(&test, &with_authorization(&test, value.as_bytes()).await).await;
    }
}

#[tokio::test]
async fn a_header_without_a_token_is_refused() {
    let test = TestApp::start().await;
    for value in [&b"Bearer"[..], b"Bearer ", b"Bearer    ", b"", b" ", b"Bearer .", b"Bearer ..", b"Bearer \xff\xfe"] {
        assert_refusal(&test, &with_authorization(&test, value).await).await;
    }
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let (test, user) = TestApp::with_user().await;
    let good = format!("Bearer {}", token_of(&user));
    for (first, second) in [(good.as_str(), good.as_str()), (&good, "Basic x"), ("Basic x", &good), (&good, "")] {
        let headers = [first, second].map(|value| (header::AUTHORIZATION, value.as_bytes()));
        assert_refusal(&test, &with_headers(&test, &headers).await).await;
    }
}

#[tokio::test]
async fn a_token_in_the_url_is_ignored() {
    let (test, user) = TestApp::with_user().await;
    let token = token_of(&user);
    let query = "query=%7Bviewer%7Brole%7D%7D";
    for name in ["access_token", "token", "authorization", "Authorization", "jwt"] {
        let reply = test.anonymous().get(&format!("/graphql?{query}&{name}={token}")).await;
        assert!(reply.data()["viewer"].is_null(), "{name}: {}", reply.body);
    }
    let reply = user.get(&format!("/graphql?{query}")).await;
    assert_eq!(reply.data()["viewer"]["role"], "USER", "the same with the header");
}

#[tokio::test]
async fn a_token_in_a_cookie_the_body_or_another_header_is_ignored() {
    let (test, user) = TestApp::with_user().await;
    let token = token_of(&user);
    let bearer = format!("Bearer {token}");
    for (name, value) in [
        ("cookie", format!("token={token}; access_token={token}; Authorization={bearer}")),
        ("x-authorization", bearer.clone()),
        ("proxy-authorization", bearer),
        ("x-access-token", token.clone()),
    ] {
        let name = header::HeaderName::try_from(name).expect("a header name");
        let reply = with_headers(&test, &[(name.clone(), value.as_bytes())]).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (200, "UNAUTHENTICATED"), "{name}: {}", reply.body);
    }
    let body = format!(r#"{{ "query": "{{ viewer {{ role }} }}", "access_token": "{token}" }}"#);
    let request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json").body(Body::from(body));
    let reply = test.anonymous().send(request.expect("a request")).await;
    assert!(reply.at("/data/viewer").is_null(), "{}", reply.body);
}

/// J7.
#[tokio::test]
async fn a_token_of_1_mb_is_refused_like_any_other() {
    let (test, user) = TestApp::with_user().await;
    let token = token_of(&user);
    let million = 1 << 20;
    for long in [
        "a".repeat(million),
        ".".repeat(million),
        format!("{}.{}.{}", "a".repeat(million / 3), "b".repeat(million / 3), "c".repeat(million / 3)),
        format!("{token}{}", "A".repeat(million)),
        format!("{token}.{}", "A".repeat(million)),
    ] {
        assert_refused(&test, &long).await;
    }
    assert_taken(&test, &token).await;
}

#[tokio::test]
async fn a_bad_token_is_refused_in_the_url_form_too_and_only_where_one_is_needed() {
    let test = TestApp::start().await;
    let stranger = test.bearer(Some("garbage"));
    assert_refusal(&test, &stranger.run("{ current }").await).await;
    assert_refusal(&test, &stranger.get("/graphql?query=%7Bcurrent%7D").await).await;
    assert!(stranger.run("{ hello }").await.data()["hello"].is_string());
    assert!(stranger.get("/graphql?query=%7Bhello%7D").await.data()["hello"].is_string());
}
