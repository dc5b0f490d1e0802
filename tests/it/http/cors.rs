//! Which other origins' pages may read an answer: none, unless the configuration names them.

use axum::body::Body;
use axum::http::Request;

use super::{get, with};
use crate::support::{Reply, TestApp};

const FRONT_END: &str = "https://app.example.org";
const OTHERS: [&str; 7] = [
    "https://evil.example",
    "null",
    "http://app.example.org",
    "https://app.example.org:8443",
    "https://app.example.org.evil.example",
    "https://evilapp.example.org",
    "https://APP.example.org",
];

async fn preflight(test: &TestApp, origin: &str) -> Reply {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let request = Request::builder().method("OPTIONS").uri("/graphql");
    test.anonymous().send(with(request, &headers, Body::empty())).await
}

async fn read(test: &TestApp, origin: &str) -> Reply {
    test.anonymous().send(get("/graphql?query=%7Bhello%7D", &[("origin", origin)])).await
}

fn allowed(reply: &Reply) -> Option<&str> {
    assert!(!reply.headers.contains_key("access-control-allow-credentials"), "{reply:?}");
    reply.headers.get("access-control-allow-origin").map(|value| value.to_str().expect("text"))
}

#[tokio::test]
async fn no_origin_is_allowed_by_default() {
    let test = TestApp::start().await;
    for origin in OTHERS.into_iter().chain([FRONT_END, "http://127.0.0.1:8000"]) {
        for reply in [preflight(&test, origin).await, read(&test, origin).await] {
            assert!(!reply.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{reply:?}");
        }
    }
    assert_eq!(preflight(&test, FRONT_END).await.status.as_u16(), 405);
}

#[tokio::test]
async fn listed_origins_are_let_in_and_no_others() {
    let listed = [FRONT_END, "http://localhost:3000"];
    let test = TestApp::with_config(|config| config.http.cors_origins = listed.map(str::to_owned).into()).await;
    for origin in listed {
        let asked = preflight(&test, origin).await;
        assert_eq!((asked.status.as_u16(), allowed(&asked)), (200, Some(origin)));
        assert!(asked.header("access-control-allow-methods").contains("POST"));
        for needed in ["authorization", "content-type"] {
            assert!(asked.header("access-control-allow-headers").contains(needed), "{asked:?}");
        }
        assert!(!asked.header("access-control-max-age").is_empty());
        let reply = read(&test, origin).await;
        assert_eq!((reply.status.as_u16(), allowed(&reply)), (200, Some(origin)));
        assert!(reply.header("vary").contains("origin"), "a cache keeps them apart: {reply:?}");
        for exposed in ["x-request-id", "retry-after"] {
            assert!(reply.header("access-control-expose-headers").contains(exposed), "{reply:?}");
        }
    }
    for origin in OTHERS {
        assert_eq!(allowed(&preflight(&test, origin).await), None, "{origin}");
        assert_eq!(allowed(&read(&test, origin).await), None, "{origin}");
    }
}

#[tokio::test]
async fn errors_too_can_be_read_by_listed_origins() {
    let test = TestApp::with_config(|config| config.http.cors_origins = vec![FRONT_END.to_owned()]).await;
    let headers = [("origin", FRONT_END), ("authorization", "Bearer nonsense")];
    let refused = test.anonymous().send(get("/graphql?query=%7Bhello%7D", &headers)).await;
    assert_eq!((refused.status.as_u16(), allowed(&refused)), (401, Some(FRONT_END)));
    assert_eq!(refused.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn any_origin_can_be_allowed_without_credentials() {
    let test = TestApp::with_config(|config| config.http.cors_origins = vec!["*".to_owned()]).await;
    for origin in OTHERS {
        assert_eq!(allowed(&preflight(&test, origin).await), Some("*"));
        assert_eq!(allowed(&read(&test, origin).await), Some("*"));
    }
}
