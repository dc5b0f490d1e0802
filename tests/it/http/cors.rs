//! Pages of other origins: those that may call the API and read its responses, errors included.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{get, post, with};
use crate::support::{BOUNDARY, Caller, Hold, Process, Reply, TestApp, form_request, parsed};

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
const LOOPBACK: [&str; 7] = [
    "http://localhost:5173",
    "https://localhost",
    "http://localhost",
    "http://127.0.0.1:3000",
    "http://127.0.0.1:8000",
    "http://[::1]:8080",
    "http://[::1]",
];
/// They only look like origins of this machine.
const NOT_LOOPBACK: [&str; 14] = [
    "http://localhost.evil.example",
    "http://evil.example:localhost",
    "http://localhost:5173.evil.example",
    "http://evil@localhost:5173",
    "http://localhost@evil.example",
    "http://127.0.0.1.evil.example",
    "http://128.0.0.1",
    "http://[::2]",
    "http://[::1]evil",
    "http://localhost:99999",
    "http://localhost:+80",
    "http://localhost/",
    "ftp://localhost",
    "localhost",
];

async fn preflight_with(test: &TestApp, origin: &str, further: &[(&str, &str)]) -> Reply {
    let mut headers = vec![("origin", origin), ("access-control-request-method", "POST")];
    headers.extend(further);
    test.anonymous().send(with(Request::builder().method("OPTIONS").uri("/graphql"), &headers, Body::empty())).await
}

async fn preflight(test: &TestApp, origin: &str) -> Reply {
    preflight_with(test, origin, &[("access-control-request-headers", "authorization,content-type")]).await
}

async fn read(test: &TestApp, origin: &str) -> Reply {
    test.anonymous().send(get("/graphql?query=%7Bhello%7D", &[("origin", origin)])).await
}

fn allowed(reply: &Reply) -> Option<&str> {
    reply.headers.get("access-control-allow-origin").map(|value| value.to_str().expect("text"))
}

fn allows_credentials(reply: &Reply) -> bool {
    reply.headers.contains_key("access-control-allow-credentials")
}

fn assert_refused(origin: &str, reply: &Reply) {
    let grants = |name: &axum::http::HeaderName| name.as_str().starts_with("access-control-");
    assert!(!reply.headers.keys().any(grants), "{origin}: {reply:?}");
    assert!(reply.header("vary").contains("origin"), "a cache must not keep the refusal for others: {reply:?}");
}

async fn assert_refuses(test: &TestApp, origin: &str) {
    let asked = preflight(test, origin).await;
    assert_eq!(asked.status.as_u16(), 405, "{origin}");
    assert_refused(origin, &asked);
    assert_refused(origin, &read(test, origin).await);
}

#[tokio::test]
async fn loopback_origins_are_allowed_by_default_and_no_others() {
    let test = TestApp::start().await;
    for origin in LOOPBACK {
        for reply in [preflight(&test, origin).await, read(&test, origin).await] {
            assert_eq!((reply.status.as_u16(), allowed(&reply)), (200, Some(origin)));
            assert!(!allows_credentials(&reply), "nobody has named it: {reply:?}");
        }
    }
    for origin in OTHERS.into_iter().chain(NOT_LOOPBACK).chain([FRONT_END]) {
        assert_refuses(&test, origin).await;
    }
}

#[tokio::test]
async fn loopback_origins_are_refused_where_the_setting_or_the_address_says_so() {
    let off = TestApp::with_config(|config| config.http.cors_loopback_origins = false).await;
    let mut tests = vec![off];
    for listen in ["0.0.0.0:8000", ":8000", "[::]:8000", "192.0.2.7:8000", "unix:/run/cloakroom.sock"] {
        tests.push(TestApp::with_config(|config| config.server.listen = listen.parse().expect(listen)).await);
    }
    for test in tests {
        for origin in LOOPBACK {
            assert_refuses(&test, origin).await;
        }
    }
    for listen in ["localhost:8000", "[::1]:8000", "8000", "127.0.0.2:8000"] {
        let test = TestApp::with_config(|config| config.server.listen = listen.parse().expect(listen)).await;
        assert_eq!(allowed(&read(&test, LOOPBACK[0]).await), Some(LOOPBACK[0]), "{listen}");
    }
}

#[tokio::test]
async fn pages_of_this_server_need_no_permission() {
    let test = TestApp::with_config(|config| {
        config.server.listen = "0.0.0.0:8000".parse().expect("an address");
        config.server.public_url = Some(parsed("https://cloakroom.example.org/"));
    })
    .await;
    for (origin, host) in
        [("https://cloakroom.example.org", "backend:8000"), ("http://192.0.2.7:8000", "192.0.2.7:8000")]
    {
        let own = test.anonymous().send(get("/graphql?query=%7Bhello%7D", &[("origin", origin), ("host", host)])).await;
        assert_eq!(own.status.as_u16(), 200);
        let form = form_from(&test.anonymous().with_header("host", host), origin).await;
        assert_eq!((form.status.as_u16(), form.code()), (401, "UNAUTHENTICATED"), "not refused by its origin");
    }
}

#[tokio::test]
async fn listed_origins_are_let_in_and_no_others() {
    let listed = [FRONT_END, "https://staging.example.org:8443"];
    let test = TestApp::with_config(|config| config.http.cors_origins = listed.map(parsed).into()).await;
    for origin in listed {
        let asked = preflight(&test, origin).await;
        assert_eq!((asked.status.as_u16(), allowed(&asked)), (200, Some(origin)));
        assert!(allows_credentials(&asked), "it is named");
        assert!(asked.header("access-control-allow-methods").contains("POST"));
        for needed in ["authorization", "content-type"] {
            assert!(asked.header("access-control-allow-headers").contains(needed), "{asked:?}");
        }
        assert_eq!(asked.header("access-control-max-age"), "3600");
        for varied in ["origin", "access-control-request-headers", "access-control-request-method"] {
            assert!(asked.header("vary").contains(varied), "{asked:?}");
        }
        assert!(!asked.header("x-request-id").is_empty() && !asked.header("x-content-type-options").is_empty());
        let reply = read(&test, origin).await;
        assert_eq!((reply.status.as_u16(), allowed(&reply), allows_credentials(&reply)), (200, Some(origin), true));
        assert_eq!(reply.header("vary"), "origin", "a cache keeps them apart");
        for exposed in ["x-request-id", "retry-after", "www-authenticate"] {
            assert!(reply.header("access-control-expose-headers").contains(exposed), "{reply:?}");
        }
    }
    for origin in OTHERS {
        assert_refuses(&test, origin).await;
    }
    let unasked = test.anonymous().get("/graphql?query=%7Bhello%7D").await;
    assert_eq!((allowed(&unasked), unasked.header("vary")), (None, "origin"));
    let twice = get("/graphql?query=%7Bhello%7D", &[("origin", FRONT_END), ("origin", FRONT_END)]);
    assert_eq!(allowed(&test.anonymous().send(twice).await), None, "two origins are none");
}

#[tokio::test]
async fn requested_headers_are_allowed_whatever_they_are() {
    let test = TestApp::with_config(|config| config.http.cors_origins = vec![parsed(FRONT_END)]).await;
    let asked = [
        "apollographql-client-name,apollographql-client-version,authorization,baggage,sentry-trace,traceparent",
        "X-Request-ID, X-GraphQL-Client-Name , x-requested-with",
        "content-type",
    ];
    for requested in asked {
        for origin in [FRONT_END, LOOPBACK[0]] {
            let reply = preflight_with(&test, origin, &[("access-control-request-headers", requested)]).await;
            let allowed = reply.header("access-control-allow-headers").to_lowercase();
            for name in requested.split(',').map(|name| name.trim().to_lowercase()).chain(["authorization".to_owned()])
            {
                assert!(allowed.split(',').any(|one| one == name), "{name} in {allowed}");
            }
        }
        let refused = preflight_with(&test, "null", &[("access-control-request-headers", requested)]).await;
        assert_refused("null", &refused);
    }
    let odd = preflight_with(&test, FRONT_END, &[("access-control-request-headers", "a b,,\"x\",é, x-good")]).await;
    assert!(odd.header("access-control-allow-headers").ends_with(",x-good"), "names of headers only: {odd:?}");
    let none = preflight_with(&test, FRONT_END, &[]).await;
    assert!(none.header("access-control-allow-headers").contains("authorization"), "{none:?}");
}

#[tokio::test]
async fn a_private_network_is_opened_to_origins_that_somebody_named() {
    let listed = ["*", FRONT_END].map(parsed);
    let test = TestApp::with_config(|config| config.http.cors_origins = listed.into()).await;
    let asked = [("access-control-request-private-network", "true")];
    for (origin, expected) in [(FRONT_END, "true"), (LOOPBACK[0], "true"), (OTHERS[0], "")] {
        let reply = preflight_with(&test, origin, &asked).await;
        assert_eq!(reply.header("access-control-allow-private-network"), expected, "{origin}");
        assert_eq!(preflight(&test, origin).await.header("access-control-allow-private-network"), "");
    }
}

#[tokio::test]
async fn any_origin_can_be_allowed_without_credentials() {
    let test = TestApp::with_config(|config| config.http.cors_origins = vec![parsed("*")]).await;
    for origin in OTHERS {
        for reply in [preflight(&test, origin).await, read(&test, origin).await] {
            assert_eq!((allowed(&reply), allows_credentials(&reply)), (Some("*"), false), "{origin}");
        }
    }
    let both = ["*", FRONT_END].map(parsed);
    let test = TestApp::with_config(|config| config.http.cors_origins = both.into()).await;
    for (origin, expected) in [(FRONT_END, FRONT_END), (OTHERS[0], "*")] {
        let reply = read(&test, origin).await;
        assert_eq!((allowed(&reply), allows_credentials(&reply)), (Some(expected), expected == FRONT_END));
    }
}

#[tokio::test]
async fn errors_too_can_be_read_by_allowed_origins() {
    let test = TestApp::with_config(|config| {
        config.http.cors_origins = vec![parsed(FRONT_END)];
        config.http.max_body_bytes = 1000;
        config.http.request_seconds = 1;
        config.limits.sign_up_per_address = cloakroom::config::Bucket { burst: 1, per_hour: 1 };
    })
    .await;
    let user = test.sign_up("anna").await.with_header("origin", FRONT_END).at_address("198.51.100.7");
    let json = [("content-type", "application/json")];
    let body = |query: &str| json!({ "query": query }).to_string();
    let sign_up =
        "mutation { signUp(input: { username: \"bert\", password: \"correct horse battery\" }) { user { id } } }";
    let refused = [
        (400, user.send(post(&json, "nonsense")).await),
        (401, user.with_token(Some("nonsense")).run("{ current }").await),
        (404, user.get("/nothing").await),
        (404, user.get("/photos/none/thumb.jpg").await),
        (405, user.send(with(Request::put("/graphql"), &[], Body::empty())).await),
        (406, user.with_header("accept", "text/html").run("{ hello }").await),
        (413, user.run(&" ".repeat(2000)).await),
        (415, user.send(post(&[("content-type", "text/plain")], body("{ hello }"))).await),
        (429, {
            user.run(sign_up).await;
            user.run(sign_up).await
        }),
        (401, form_from(&test.anonymous(), FRONT_END).await),
        (503, {
            let hold = Hold::of_counters(&test).await;
            let reply = user.run("mutation { next { value } }").await;
            hold.release().await;
            reply
        }),
    ];
    for (status, reply) in refused {
        assert_eq!((reply.status.as_u16(), allowed(&reply)), (status, Some(FRONT_END)), "{}", reply.body);
        assert!(reply.header("vary").contains("origin") && !reply.header("x-request-id").is_empty(), "{reply:?}");
    }
}

/// The answer to a form with files from a page of this origin.
async fn form_from(caller: &Caller, origin: &str) -> Reply {
    let asked = caller.with_header("apollo-require-preflight", "1").with_header("origin", origin);
    asked.send(form_request(Body::from(format!("--{BOUNDARY}--\r\n")))).await
}

#[tokio::test]
async fn uploads_are_decided_by_the_same_origins() {
    let test = TestApp::with_config(|config| config.http.cors_origins = vec![parsed(FRONT_END)]).await;
    let user = test.sign_up("anna").await;
    for origin in OTHERS {
        let refused = form_from(&user, origin).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "FORBIDDEN"), "{origin}");
        assert!(refused.at("/errors/0/message").to_string().contains("http.cors_origins"), "{}", refused.body);
    }
    for origin in [FRONT_END, LOOPBACK[0]] {
        let read = form_from(&user, origin).await;
        assert_eq!((read.status.as_u16(), read.code()), (400, "BAD_USER_INPUT"), "{origin}: it is read");
    }
}

#[tokio::test]
async fn a_refused_origin_is_logged_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Process::start(folder.path(), |_| {});
    let ask = async |origin: &str| {
        let request = Request::get(format!("http://{}/graphql?query=%7Bhello%7D", server.address));
        let headers = [("origin", origin)];
        assert_eq!(server.send(with(request, &headers, "")).await, 200);
    };
    for _ in 0..3 {
        for origin in ["https://evil.example", "null", "http://localhost:5173", FRONT_END] {
            ask(origin).await;
        }
    }
    for number in 0..200 {
        ask(&format!("https://{number}.example")).await;
    }
    ask(&format!("https://{}.example", "x".repeat(2000))).await;
    assert!(server.end_with("TERM").success());
    let log = server.output();
    let lines =
        |text: &str| log.lines().filter(|line| line.contains("http.cors_origins") && line.contains(text)).count();
    for (origin, expected) in
        [("https://evil.example", 1), ("\"null\"", 1), (FRONT_END, 1), ("localhost", 0), ("xxx", 0)]
    {
        assert_eq!(lines(origin), expected, "{origin}");
    }
    assert!((10..100).contains(&lines("https://")), "{} lines", lines("https://"));
}
