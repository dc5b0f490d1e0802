//! Each reason to close a WebSocket, and its code (R1).

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::client::{PROTOCOL, Socket};
use super::{CURRENT, current, serve, sign_on, token};
use crate::support::{Listening, TestApp};

#[tokio::test]
async fn what_is_no_message_of_the_protocol_ends_with_4400() {
    let (_test, server, user) = serve().await;
    let query = json!({ "query": "{ hello }" });
    for text in [
        String::new(),
        "no JSON".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        r#"{"type":"pi"#.to_owned(),
        "[".repeat(100_000),
        json!({}).to_string(),
        json!({ "type": "start", "id": "1", "payload": query }).to_string(),
        json!({ "type": "connection_ack" }).to_string(),
        json!({ "type": "connection_init", "payload": "a text" }).to_string(),
        json!({ "type": 7 }).to_string(),
        json!({ "type": "ping", "payload": "a text" }).to_string(),
        json!({ "type": "ping", "payload": [] }).to_string(),
        json!({ "type": "pong", "payload": 1 }).to_string(),
        json!({ "type": "complete" }).to_string(),
        json!({ "type": "complete", "id": "" }).to_string(),
        json!({ "type": "subscribe", "payload": query }).to_string(),
        json!({ "type": "subscribe", "id": "", "payload": query }).to_string(),
        json!({ "type": "subscribe", "id": 1, "payload": query }).to_string(),
        json!({ "type": "subscribe", "id": "x".repeat(257), "payload": query }).to_string(),
        json!({ "type": "subscribe", "id": "1" }).to_string(),
        json!({ "type": "subscribe", "id": "1", "payload": {} }).to_string(),
        json!({ "type": "subscribe", "id": "1", "payload": { "query": 1 } }).to_string(),
        json!({ "type": "subscribe", "id": "1", "payload": { "query": "{ hello }", "variables": [] } }).to_string(),
        json!({ "type": "subscribe", "id": "1", "payload": { "query": "{ hello }", "extensions": 1 } }).to_string(),
        json!({ "type": "subscribe", "id": "1", "payload": { "query": "{ hello }", "operationName": 1 } }).to_string(),
    ] {
        let mut socket = sign_on(&server, &user).await;
        socket.send(Message::text(text.clone())).await;
        let shown: String = text.chars().take(80).collect();
        assert_eq!(socket.hear().await.map_err(|(code, _)| code), Err(4400), "{shown}");
    }
    for binary in [json!({ "type": "ping" }).to_string().into_bytes(), Vec::new()] {
        let mut socket = sign_on(&server, &user).await;
        socket.send(Message::binary(binary)).await;
        assert_eq!(
            socket.hear().await,
            Err((4400, "A message is JSON in a text frame, not in a binary one".to_owned()))
        );
    }
}

#[tokio::test]
async fn the_reason_of_4400_names_the_fault() {
    let (_test, server, user) = serve().await;
    for (message, reason) in [
        ("no JSON", "A message is a JSON object with a text as its `type`"),
        (
            r#"{"type":"start","id":"1","payload":{"query":"{ hello }"}}"#,
            "`start` is the message of an older protocol (subscriptions-transport-ws); use graphql-transport-ws",
        ),
        (
            r#"{"type":"connection_terminate"}"#,
            "`connection_terminate` is the message of an older protocol (subscriptions-transport-ws); use \
             graphql-transport-ws",
        ),
        (r#"{"type":"next","id":"1"}"#, "`next` is a message that only the server sends"),
        (r#"{"type":"öffne"}"#, "`?ffne` is no message of graphql-transport-ws"),
        (
            r#"{"type":"subscribe","id":7,"payload":{"query":"{ hello }"}}"#,
            "The `id` of an operation is a text of 1 to 256 bytes",
        ),
        (
            r#"{"type":"subscribe","id":"1","payload":{}}"#,
            "The `payload` of `subscribe` has `query`, and may have `operationName`, `variables`, `extensions`",
        ),
        (r#"{"type":"ping","payload":[]}"#, "A `payload` is a JSON object"),
    ] {
        let mut socket = sign_on(&server, &user).await;
        socket.send(Message::text(message)).await;
        assert_eq!(socket.hear().await, Err((4400, reason.to_owned())), "{message}");
    }
    let mut socket = sign_on(&server, &user).await;
    socket.send(Message::text("\u{feff}{\"type\":\"ping\"}")).await;
    assert_eq!(socket.hear().await.expect("a message")["type"], "pong");
}

#[tokio::test]
async fn who_has_not_begun_may_not_subscribe_4401() {
    let (_test, server, _) = serve().await;
    let mut socket = Socket::open(server.address).await;
    socket.subscribe("1", "{ hello }").await;
    assert_eq!(socket.hear().await.map_err(|(code, _)| code), Err(4401));
    // Also not one after the other.
    let mut socket = Socket::open(server.address).await;
    socket.subscribe("1", "{ hello }").await;
    socket.ask_to_begin(None).await;
    assert_eq!(socket.hear().await.map_err(|(code, _)| code), Err(4401));
}

#[tokio::test]
async fn who_is_not_who_they_say_is_sent_away_with_4403() {
    let (test, server, user) = serve().await;
    let token = token(&user);
    for credentials in [
        json!("Bearer nonsense"),
        json!(format!("Bearer {token}x")),
        json!(format!("Basic {token}")),
        json!(token),
        json!("Bearer"),
        json!("Bearer "),
        json!(""),
        json!(7),
        json!({ "token": token }),
        json!("Bearer crk_000000000000000000000000000000000000000000000000"),
    ] {
        for name in ["Authorization", "authorization"] {
            let mut socket = Socket::open(server.address).await;
            socket.say(&json!({ "type": "connection_init", "payload": { (name): credentials } })).await;
            assert_eq!(socket.hear().await.map_err(|(code, _)| code), Err(4403), "{credentials}");
        }
    }
    user.run("mutation { logout { endedSessions } }").await.data();
    let mut socket = Socket::open(server.address).await;
    socket.ask_to_begin(Some(token)).await;
    assert_eq!(socket.closed().await, 4403, "the session has ended");
    let late = test.sign_up("late").await;
    let settings = &test.config.accounts;
    test.clock.advance(i64::from(settings.access_token_seconds) + i64::from(settings.token_leeway_seconds));
    let mut socket = Socket::open(server.address).await;
    socket.ask_to_begin(late.token.as_deref()).await;
    assert_eq!(socket.closed().await, 4403, "the token has expired");
}

#[tokio::test]
async fn no_other_subprotocol_is_spoken_4406() {
    let (_test, server, user) = serve().await;
    for headers in [&[][..], &[("sec-websocket-protocol", "graphql-ws")], &[("sec-websocket-protocol", "soap, wamp")]] {
        // What the client of these tests does by itself, browsers do too: they hang up when their subprotocol is not
        // chosen. So the socket is opened by hand.
        let mut wire = server.connect().await;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        wire.send(format!(
            "GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        ))
        .await;
        assert_eq!(wire.close_code().await, Some(4406), "{headers}");
    }
    let several = [("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")];
    let mut socket = Socket::open_with(server.address, &several).await.expect("one of them is spoken");
    socket.init(user.token.as_deref()).await;
}

#[tokio::test]
async fn who_does_not_begin_in_time_is_sent_away_with_4408() {
    let test = TestApp::with_config(|config| config.subscriptions.init_seconds = 1).await;
    let server = Listening::start(&test).await;
    let mut begun = Socket::open(server.address).await;
    begun.init(None).await;
    let mut silent = Socket::open(server.address).await;
    let mut talkative = Socket::open(server.address).await;
    talkative.is_quiet().await;
    assert_eq!(silent.hear().await, Err((4408, "Connection initialisation timeout".to_owned())));
    assert_eq!(talkative.closed().await, 4408, "pings are no beginning");
    begun.is_quiet().await;
}

#[tokio::test]
async fn an_id_in_use_is_refused_with_4409_and_free_again_after_its_end() {
    let (_test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    assert_eq!(socket.run("a", "{ hello }").await["errors"], Value::Null);
    assert_eq!(socket.run("a", "{ hello }").await["errors"], Value::Null, "after its end by the server");
    socket.subscribe("a", "{ nothing }").await;
    socket.error("a").await;
    for _ in 0..100 {
        socket.subscribe("a", CURRENT).await;
        assert_eq!(current(&socket.answer("a").await), 0);
        socket.complete("a").await;
    }
    socket.is_quiet().await;
    socket.subscribe("a", CURRENT).await;
    socket.answer("a").await;
    socket.subscribe("a", "{ hello }").await;
    assert_eq!(socket.hear().await, Err((4409, "Subscriber for a already exists".to_owned())));

    let mut socket = sign_on(&server, &user).await;
    let long = "ß".repeat(128);
    socket.subscribe(&long, CURRENT).await;
    socket.answer(&long).await;
    socket.subscribe(&long, CURRENT).await;
    assert_eq!(socket.closed().await, 4409, "a reason has 123 bytes at most");
}

#[tokio::test]
async fn whoever_begins_twice_is_sent_away_with_4429() {
    let (_test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    socket.ask_to_begin(user.token.as_deref()).await;
    assert_eq!(socket.hear().await.map_err(|(code, _)| code), Err(4429));
}

#[tokio::test]
async fn strangers_in_one_ipv6_network_of_64_bits_are_one() {
    let test = TestApp::with_config(|config| config.subscriptions.max_per_caller = 1).await;
    let server = Listening::start(&test).await;
    let mut held = Vec::new();
    for (address, heard) in
        [("2001:db8:1:2::1", Ok(())), ("2001:db8:1:2:ffff::", Err(4429)), ("2001:db8:1:3::1", Ok(()))]
    {
        let headers = [PROTOCOL, ("x-forwarded-for", address)];
        let mut socket = Socket::open_with(server.address, &headers).await.expect("the upgrade succeeds");
        socket.ask_to_begin(None).await;
        assert_eq!(socket.hear().await.map(drop).map_err(|(code, _)| code), heard, "{address}");
        held.push(socket);
    }
}

#[tokio::test]
async fn each_user_has_so_many_sockets_and_one_more_gets_4429() {
    let test = TestApp::with_config(|config| config.subscriptions.max_per_caller = 2).await;
    let server = Listening::start(&test).await;
    let (anna, bert) = (test.sign_up("anna").await, test.sign_up("bert").await);
    let mut first = sign_on(&server, &anna).await;
    let mut second = sign_on(&server, &test.key_of(&anna, "scopes: [COUNTERS_READ]").await).await;
    for caller in [&anna, &test.sign_in("anna").await] {
        let mut third = Socket::open(server.address).await;
        third.ask_to_begin(caller.token.as_deref()).await;
        assert_eq!(third.hear().await.map_err(|(code, _)| code), Err(4429));
    }
    // Strangers are told apart by their addresses.
    for (caller, address) in [(bert, "192.0.2.1"), (test.anonymous(), "192.0.2.1"), (test.anonymous(), "192.0.2.2")] {
        let headers = [PROTOCOL, ("x-forwarded-for", address)];
        let mut held = Vec::new();
        for allowed in [true, true, false] {
            let mut socket = Socket::open_with(server.address, &headers).await.expect("the upgrade succeeds");
            socket.ask_to_begin(caller.token.as_deref()).await;
            assert_eq!(
                socket.hear().await.map(drop).map_err(|(code, _)| code),
                if allowed { Ok(()) } else { Err(4429) }
            );
            held.push(socket);
        }
    }
    first.is_quiet().await;
    second.is_quiet().await;
    drop(first);
    // The server hears of it a moment later.
    for _ in 0..1000 {
        let mut another = Socket::open(server.address).await;
        another.ask_to_begin(anna.token.as_deref()).await;
        if another.hear().await.is_ok() {
            return;
        }
    }
    panic!("the place of a socket that has gone is given away");
}

#[tokio::test]
async fn too_large_a_message_ends_with_1009_however_it_comes() {
    let test = TestApp::with_config(|config| config.http.max_body_bytes = 10_000).await;
    let server = Listening::start(&test).await;
    let anyone = test.anonymous();
    let ping = |bytes: usize| {
        let around = r#"{"type":"ping","payload":{"x":""}}"#.len();
        json!({ "type": "ping", "payload": { "x": "x".repeat(bytes - around) } }).to_string()
    };
    let mut socket = sign_on(&server, &anyone).await;
    socket.send(Message::text(ping(10_000))).await;
    assert_eq!(socket.hear().await.expect("a pong")["type"], "pong");
    for bytes in [10_001, 20_000, 20_001, 100_000, 5_000_000] {
        let mut socket = sign_on(&server, &anyone).await;
        socket.send(Message::text(ping(bytes))).await;
        assert_eq!(socket.hear().await.map_err(|(code, _)| code), Err(1009), "{bytes}");
    }
}

#[tokio::test]
async fn what_is_no_utf_8_or_no_websocket_ends_with_the_codes_of_rfc_6455() {
    let (_test, server, _) = serve().await;
    for (bytes, code) in [
        // A masked text frame whose one byte is no character.
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff][..], 1007),
        // Reserved bits, a reserved opcode, no mask, a ping of more than 125 bytes.
        (&[0xf1, 0x80, 0, 0, 0, 0], 1002),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        (&[0x81, 0x02, b'{', b'}'], 1002),
        (&[&[0x89, 0xfe, 0, 126][..], &[0; 130]].concat(), 1002),
    ] {
        let mut wire = server.connect().await;
        wire.send(
            "GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n",
        )
        .await;
        wire.send(bytes).await;
        assert_eq!(wire.close_code().await, Some(code), "{bytes:?}");
    }
}

#[tokio::test]
async fn the_servers_end_is_told_with_1001() {
    let (_test, mut server, user) = serve().await;
    let (mut begun, mut fresh) = (sign_on(&server, &user).await, Socket::open(server.address).await);
    begun.subscribe("a", CURRENT).await;
    begun.answer("a").await;
    fresh.is_quiet().await;
    server.shut_down();
    assert_eq!(begun.hear().await, Err((1001, "The server stops: connect again".to_owned())));
    assert_eq!(fresh.closed().await, 1001);
    server.ended().await;
}
