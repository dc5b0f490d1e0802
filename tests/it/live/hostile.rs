//! Clients that announce much, and send little of it.

use std::net::SocketAddr;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::client::{PROTOCOL, Socket};
use crate::support::{Listening, Process, TestApp, Wire};

/// Hostile connections.
const SOCKETS: usize = 400;
/// What each of them may cost: its buffers, and nothing of what it announces.
const MAX_KB: u64 = 40;

/// An open WebSocket from this address, from the handshake on.
async fn handshake(server: SocketAddr, address: &str) -> Wire {
    let mut wire = Wire::connect(server).await;
    wire.send(format!(
        "GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: graphql-transport-ws\r\nx-forwarded-for: {address}\r\n\r\n"
    ))
    .await;
    wire
}

/// A frame of text, masked with zeros: this content, and so much more that is not sent.
fn frame(text: &str, more: u64) -> Vec<u8> {
    let length = text.len() as u64 + more;
    [&[0x81, 0xff][..], &length.to_be_bytes(), &[0; 4], text.as_bytes()].concat()
}

fn init() -> Vec<u8> {
    frame(r#"{"type":"connection_init"}"#, 0)
}

#[tokio::test]
async fn announced_frames_cost_no_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start(folder.path(), |command| {
        command.env("CLOAKROOM__SUBSCRIPTIONS__MAX_PER_CALLER", "100000");
        command.env("CLOAKROOM__SUBSCRIPTIONS__INIT_SECONDS", "300");
    });
    let mut prober = Socket::open(server.address).await;
    prober.init(None).await;
    prober.run("a", "{ hello }").await;
    let before = server.resident_kb();
    let mut hostile = Vec::new();
    for number in 0..SOCKETS {
        let mut wire = handshake(server.address, "192.0.2.1").await;
        match number % 4 {
            0 => drop(wire.send(frame("", 2 << 20)).await),
            1 => drop(wire.send(frame("x", 4000)).await),
            2 => drop(wire.send([init(), frame("x", 1_000_000)].concat()).await),
            // In the middle of a frame's head.
            _ => drop(wire.send([init(), vec![0x81, 0xff, 0, 0]].concat()).await),
        }
        hostile.push(wire);
    }
    prober.run("b", "{ hello }").await;
    let each = server.resident_kb().saturating_sub(before) / SOCKETS as u64;
    assert!(each < MAX_KB, "{each} kB for each");
}

#[tokio::test]
async fn before_it_begins_a_message_has_at_most_4096_bytes() {
    let test = TestApp::start().await;
    let server = Listening::start(&test).await;
    let ping = |bytes: usize| {
        let around = r#"{"type":"ping","payload":{"x":""}}"#.len();
        json!({ "type": "ping", "payload": { "x": "x".repeat(bytes - around) } }).to_string()
    };
    let mut socket = Socket::open(server.address).await;
    socket.send(Message::text(ping(4096))).await;
    assert_eq!(socket.hear().await.expect("a pong")["type"], "pong");
    socket.send(Message::text(ping(4097))).await;
    let Err((code, reason)) = socket.hear().await else { panic!("it is too large") };
    assert!(code == 1009 && reason.contains("4096"), "{code} {reason}");
    let mut begun = Socket::open(server.address).await;
    begun.init(None).await;
    begun.send(Message::text(ping(1_000_000))).await;
    assert_eq!(begun.hear().await.expect("a pong")["type"], "pong");
}

#[tokio::test]
async fn unfinished_messages_beyond_the_budget_end_with_1013_and_others_are_served() {
    let test = TestApp::with_config(|config| config.http.max_buffered_bytes = 1 << 20).await;
    let server = Listening::start(&test).await;
    let mut held = tokio::task::JoinSet::new();
    // Each takes more than half of the share.
    for _ in 0..6 {
        let mut wire = handshake(server.address, "192.0.2.1").await;
        wire.send([init(), frame(&"x".repeat(70_000), 1)].concat()).await;
        held.spawn(async move { wire.close_code().await });
    }
    for _ in 1..6 {
        let code = held.join_next().await.expect("a socket").expect("no panic");
        assert_eq!(code, Some(1013));
    }
    drop(held);
    for address in ["192.0.2.2", "192.0.2.1"] {
        // The end of a connection is noticed a moment later.
        let mut served = false;
        for _ in 0..1000 {
            let headers = [PROTOCOL, ("x-forwarded-for", address)];
            let mut socket = Socket::open_with(server.address, &headers).await.expect("the upgrade succeeds");
            socket.init(None).await;
            socket.say(&json!({ "type": "ping", "payload": { "x": "x".repeat(70_000) } })).await;
            served = socket.hear().await.is_ok_and(|message| message["type"] == "pong");
            if served {
                break;
            }
        }
        assert!(served, "{address}");
    }
}
