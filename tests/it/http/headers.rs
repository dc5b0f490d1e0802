//! What every answer carries, and what no answer tells.

use super::{get, post_json};
use crate::support::{Reply, TestApp};

const PATHS: [&str; 14] = [
    "/",
    "/playground/index.css",
    "/graphql?query=%7Bhello%7D",
    "/graphql",
    "/verify-email",
    "/reset-password",
    "/restore-account",
    "/links/links.js",
    "/healthz",
    "/readyz",
    "/health",
    "/.well-known/jwks.json",
    "/nothing",
    "/playground/nothing",
];

#[tokio::test]
async fn every_answer_is_hardened() {
    let test = TestApp::start().await;
    let mut ids = std::collections::HashSet::new();
    for path in PATHS {
        let reply = test.anonymous().get(path).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        let policy = reply.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!reply.header("cache-control").is_empty(), "{path}");
        for telling in ["server", "x-powered-by", "via", "set-cookie"] {
            assert!(!reply.headers.contains_key(telling), "{path} has {telling}");
        }
        assert!(ids.insert(reply.header("x-request-id").to_owned()), "{path}: every request has an id of its own");
        assert!(!reply.header("x-request-id").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn answers_of_the_api_are_never_stored() {
    let (_test, user) = TestApp::with_user().await;
    let body = |query: &str| serde_json::json!({ "query": query }).to_string();
    for reply in [
        user.get("/graphql?query=%7Bcurrent%7D").await,
        user.send(post_json(body("{ viewer { user { email } } }"))).await,
        user.send(post_json(body("{"))).await,
        user.send(post_json("nonsense")).await,
        user.send(get("/graphql?query=%7Bcurrent%7D", &[("authorization", "Bearer nonsense")])).await,
    ] {
        assert_eq!(reply.header("cache-control"), "no-store", "{}", reply.body);
    }
}

#[tokio::test]
async fn what_does_not_exist_is_404_in_json() {
    let test = TestApp::start().await;
    for path in [
        "/nothing",
        "/graphql/",
        "//graphql",
        "/GraphQL",
        "/graphql%00",
        "/graphql;x",
        "/healthz/",
        "/metrics",
        "/debug/pprof",
        "/admin",
        "/.env",
        "/.git/config",
        "/.well-known/",
        "/data/cloakroom.db",
        "/cloakroom.db",
        "/playground",
        "/playground/",
        "/playground/.env",
        "/playground/..",
        "/playground/../Cargo.toml",
        "/playground/..%2fpackage.json",
        "/playground/..%2f..%2fCargo.toml",
        "/playground/%2e%2e%2f%2e%2e%2fCargo.toml",
        "/playground/..%5c..%5cCargo.toml",
        "/playground/%2fetc%2fpasswd",
        "/playground//etc/passwd",
        "/playground/index.html%00.js",
        "/playground/%ff",
        "/playground/..%c0%af..%c0%afCargo.toml",
        "/playground/nested/playground.js",
        "/%2e%2e/Cargo.toml",
        "/../Cargo.toml",
    ] {
        let reply = test.anonymous().get(path).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (404, "NOT_FOUND"), "{path}: {}", reply.body);
        assert_eq!(reply.at("/errors/0/message"), "There is nothing here.", "{path}");
    }
}

#[tokio::test]
async fn what_a_client_says_of_hosts_and_addresses_is_not_repeated() {
    let test = TestApp::start().await;
    let marker = "elsewhere.example";
    let tells = |reply: &Reply| format!("{:?} {}", reply.headers, reply.body).contains(marker);
    let headers = [
        ("host", marker),
        ("x-forwarded-host", marker),
        ("x-forwarded-for", marker),
        ("x-forwarded-proto", marker),
        ("x-forwarded-prefix", "/elsewhere.example"),
        ("forwarded", "host=elsewhere.example;for=elsewhere.example"),
        ("x-original-url", "/elsewhere.example"),
        ("x-rewrite-url", "/elsewhere.example"),
        ("x-request-id", marker),
        ("origin", "https://elsewhere.example"),
        ("referer", "https://elsewhere.example/"),
        ("user-agent", marker),
    ];
    for path in PATHS {
        let plain = test.anonymous().get(path).await;
        let reply = test.anonymous().send(get(path, &headers)).await;
        assert!(!tells(&reply), "{path}: {reply:?}");
        assert_eq!(reply.status, plain.status, "{path} is answered as without them");
    }
}
