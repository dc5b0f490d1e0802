//! Pings and pongs of both layers.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::client::Socket;
use super::{CURRENT, serve, sign_on};
use crate::support::{Listening, TestApp};

#[tokio::test]
async fn pings_are_answered_with_what_they_carry_before_and_after_the_beginning() {
    let (_test, server, user) = serve().await;
    let mut socket = Socket::open(server.address).await;
    for begun in [false, true] {
        if begun {
            socket.init(user.token.as_deref()).await;
        }
        socket.say(&json!({ "type": "ping" })).await;
        assert_eq!(socket.hear().await, Ok(json!({ "type": "pong" })));
        socket.say(&json!({ "type": "ping", "payload": null })).await;
        assert_eq!(socket.hear().await, Ok(json!({ "type": "pong" })));
        let payload = json!({ "x": [1, 2.5, "ü", null], "y": { "z": true } });
        socket.say(&json!({ "type": "ping", "payload": payload })).await;
        assert_eq!(socket.hear().await, Ok(json!({ "type": "pong", "payload": payload })));
        socket.say(&json!({ "type": "pong" })).await;
        socket.say(&json!({ "type": "pong", "payload": { "x": 1 } })).await;
        socket.send(Message::Ping("as below".into())).await;
        assert_eq!(socket.receive().await.expect("a pong").expect("a pong"), Message::Pong("as below".into()));
        socket.complete("of nothing").await;
        socket.is_quiet().await;
    }
}

async fn impatient() -> (TestApp, Listening) {
    let test = TestApp::with_config(|config| config.subscriptions.ping_seconds = 1).await;
    let server = Listening::start(&test).await;
    (test, server)
}

#[tokio::test]
async fn a_socket_that_shows_no_sign_of_life_is_ended() {
    let (test, server) = impatient().await;
    let user = test.sign_up("anna").await;
    let mut answering = sign_on(&server, &user).await;
    let mut wire = server.connect().await;
    wire.send(
        "GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: graphql-transport-ws\r\n\r\n",
    )
    .await;
    // This one never answers anything.
    let (silent, ()) = tokio::join!(wire.close_code(), async {
        answering.subscribe("a", CURRENT).await;
        answering.answer("a").await;
        for _ in 0..4 {
            let ping = answering.receive().await.expect("a ping").expect("a ping");
            assert_eq!(ping, Message::Ping("".into()));
        }
        answering.is_quiet().await;
    });
    assert_eq!(silent, Some(1001));
}
