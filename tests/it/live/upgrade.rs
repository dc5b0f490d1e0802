//! The way into a WebSocket: who may open one from which page, and the token in its header.

use serde_json::{Value, json};

use super::client::{PROTOCOL, Socket};
use super::{CURRENT, current, serve, token};
use crate::support::{Listening, TestApp, parsed};

async fn from(server: &Listening, origin: &str) -> Result<Socket, (u16, String)> {
    Socket::open_with(server.address, &[PROTOCOL, ("origin", origin)]).await
}

#[tokio::test]
async fn a_page_of_another_site_may_not_open_a_socket() {
    let (_test, server, user) = serve().await;
    let own = format!("http://{}", server.address);
    for good in [&own, &own.replace("http:", "https:")] {
        from(&server, good).await.expect("a page of this server's may").init(user.token.as_deref()).await;
    }
    let other_port = format!("http://127.0.0.1:{}", server.address.port() ^ 1);
    from(&server, &other_port).await.expect("one of the same machine may, as in requests").init(None).await;
    let test = TestApp::with_config(|config| config.http.cors_loopback_origins = false).await;
    let server = Listening::start(&test).await;
    for bad in ["https://evil.example.org", "null", "", &other_port, &format!("{own}.evil.example.org"), "\u{fc}"] {
        let Err((status, body)) = from(&server, bad).await else { panic!("{bad} is let in") };
        assert_eq!(status, 403, "{bad}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["errors"][0]["extensions"]["code"], "FORBIDDEN");
    }
}

#[tokio::test]
async fn pages_of_known_origins_may_and_of_all_where_all_are_known() {
    for (known, good, bad) in [
        (&["https://app.example.org"][..], &["https://app.example.org"][..], &["http://app.example.org", "null"][..]),
        (&["*"], &["https://app.example.org", "null"], &[]),
    ] {
        let known = known.iter().map(|origin| parsed(origin)).collect();
        let test = TestApp::with_config(|config| config.http.cors_origins = known).await;
        let server = Listening::start(&test).await;
        for origin in good {
            from(&server, origin).await.expect("it may").init(None).await;
        }
        for origin in bad {
            assert_eq!(from(&server, origin).await.err().map(|(status, _)| status), Some(403), "{origin}");
        }
    }
}

#[tokio::test]
async fn a_bad_token_in_the_header_is_refused_before_the_upgrade() {
    let (_test, server, user) = serve().await;
    for bad in ["Bearer nonsense", "Bearer", "Basic YTpi", &format!("Bearer {}x", token(&user))] {
        let refused = Socket::open_with(server.address, &[PROTOCOL, ("authorization", bad)]).await;
        let Err((status, body)) = refused else { panic!("{bad} is let in") };
        assert_eq!(status, 401, "{bad}: {body}");
        assert!(body.contains("UNAUTHENTICATED"), "{body}");
    }
}

#[tokio::test]
async fn the_token_in_the_header_counts_where_the_beginning_has_none() {
    let (test, server, anna) = serve().await;
    let bert = test.sign_up("bert").await;
    let key = test.key_of(&anna, "scopes: [COUNTERS_READ]").await;
    assert_eq!((anna.next().await, bert.next().await, bert.next().await), (1, 1, 2));
    let credentials = |caller: &crate::support::Caller| format!("Bearer {}", token(caller));
    for (header, payload, shown) in [
        (&anna, Value::Null, Some(1)),
        (&anna, json!({}), Some(1)),
        (&anna, json!({ "authorization": null }), Some(1)),
        (&key, json!({ "x": 1 }), Some(1)),
        (&anna, json!({ "authorization": credentials(&bert) }), Some(2)),
        (&anna, json!({ "Authorization": "Bearer nonsense" }), None),
    ] {
        let headers = [PROTOCOL, ("authorization", &*credentials(header))];
        let mut socket = Socket::open_with(server.address, &headers).await.expect("the upgrade succeeds");
        socket.say(&json!({ "type": "connection_init", "payload": payload })).await;
        let Some(shown) = shown else {
            assert_eq!(socket.closed().await, 4403);
            continue;
        };
        let ack = socket.hear().await.expect("an acknowledgement");
        assert_eq!(ack["payload"].is_object(), header.token != key.token, "{ack}");
        socket.subscribe("a", CURRENT).await;
        assert_eq!(current(&socket.answer("a").await), shown, "{payload}");
    }
}

/// What an acknowledgement tells, beside that it is one.
#[tokio::test]
async fn whoever_begins_with_a_token_is_told_when_it_expires() {
    let (test, server, user) = serve().await;
    let mut socket = Socket::open(server.address).await;
    let told = socket.init(user.token.as_deref()).await;
    let settings = &test.config.accounts;
    let seconds = i64::from(settings.access_token_seconds) + i64::from(settings.token_leeway_seconds);
    let expected = cloakroom::clock::rfc3339(test.clock.now() + chrono::TimeDelta::seconds(seconds));
    assert_eq!(told, json!({ "expiresAt": expected }));
    assert_eq!(Socket::open(server.address).await.init(None).await, Value::Null);
}

#[tokio::test]
async fn what_is_no_websocket_is_answered_as_any_request_or_refused_with_a_code() {
    let (_test, server, _) = serve().await;
    let get = |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    // As `curl --http2` asks: another protocol may be ignored (RFC 9110, section 7.8).
    let h2c = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n";
    let mut wire = server.connect().await;
    wire.send(get("/graphql?query=%7Bhello%7D", h2c)).await;
    let heard = wire.hear().await.expect("an answer");
    assert_eq!((heard.status, heard.json()["data"]["hello"].is_string()), (200, true));
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (headers, status) in [
        (format!("upgrade: websocket\r\nsec-websocket-version: 13\r\n{key}"), 400),
        ("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n".to_owned(), 400),
        (format!("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 8\r\n{key}"), 400),
    ] {
        let mut wire = server.connect().await;
        wire.send(get("/graphql", &headers)).await;
        let heard = wire.hear().await.expect("an answer");
        assert_eq!(heard.status, status, "{headers}: {heard:?}");
        assert_eq!(heard.json()["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
}
