//! A subscriber over WebSocket (RFC 6455, `graphql-transport-ws`): a socket and a few hundred bytes.
//!
//! 10,000 of them share one thread of the machine that they measure, so each does as little as the protocols allow.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub(super) struct Subscriber {
    stream: TcpStream,
    /// What was received and not read yet.
    received: Vec<u8>,
}

/// The key and the answer to it are the standard's example: the server's arithmetic is checked, without any of ours.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The standard asks for a mask that proxies cannot foresee, and there is none on this road.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const TEXT: u8 = 0x1;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

impl Subscriber {
    /// Subscribes to the present value of the token's counter and its changes; the value comes first.
    pub(super) async fn open(address: SocketAddr, token: &str) -> anyhow::Result<(Self, u64)> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let mut subscriber = Self { stream, received: Vec::with_capacity(256) };
        subscriber.shake_hands(address).await?;
        let init = json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } });
        subscriber.send(TEXT, init.to_string().as_bytes()).await?;
        let acknowledged = subscriber.message().await?;
        ensure!(is(&acknowledged, "connection_ack"), "unexpected answer to connection_init: {acknowledged}");
        let query = json!({ "query": "subscription { current }" });
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": query });
        subscriber.send(TEXT, subscribe.to_string().as_bytes()).await?;
        let value = subscriber.value().await?;
        Ok((subscriber, value))
    }

    /// The next value that is delivered.
    pub(super) async fn value(&mut self) -> anyhow::Result<u64> {
        loop {
            let message = self.message().await?;
            if is(&message, "ping") {
                self.send(TEXT, br#"{"type":"pong"}"#).await?;
                continue;
            }
            let value = message.pointer("/payload/data/current").and_then(Value::as_u64);
            return value.with_context(|| format!("unexpected message: {message}"));
        }
    }

    async fn shake_hands(&mut self, host: SocketAddr) -> anyhow::Result<()> {
        let request = format!(
            "GET /graphql HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\
             Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes()).await?;
        let end = loop {
            let end = self.received.windows(4).position(|window| window == b"\r\n\r\n");
            match end {
                Some(end) => break end + 4,
                None => self.receive().await?,
            }
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        let head = String::from_utf8_lossy(&head);
        let agreed =
            head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT) && head.contains("graphql-transport-ws");
        ensure!(agreed, "no WebSocket there: {head}");
        Ok(())
    }

    async fn message(&mut self) -> anyhow::Result<Value> {
        loop {
            let (kind, payload) = self.frame().await?;
            match kind {
                TEXT => return Ok(serde_json::from_slice(&payload)?),
                PING => self.send(PONG, &payload).await?,
                PONG => {}
                _ => bail!("frame of kind {kind:#x}: {}", String::from_utf8_lossy(&payload)),
            }
        }
    }

    /// One whole message: short ones are not sent in pieces.
    async fn frame(&mut self) -> anyhow::Result<(u8, Vec<u8>)> {
        loop {
            let (start, length) = match self.received.as_slice() {
                [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
                [_, length @ ..=125, ..] => (2, usize::from(*length)),
                [_, 127..=255, ..] => bail!("a frame that is masked, or longer than 64 KiB"),
                _ => (2, usize::MAX - 2),
            };
            if self.received.len() >= start + length {
                let first = self.received.first().copied().unwrap_or_default();
                ensure!(first & 0x80 != 0, "a message in pieces");
                let payload = self.received.get(start..start + length).unwrap_or_default().to_vec();
                self.received.drain(..start + length);
                return Ok((first & 0x0f, payload));
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the server closed a subscription");
        Ok(())
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) -> anyhow::Result<()> {
        let mut frame = vec![0x80 | kind];
        match u8::try_from(payload.len()) {
            Ok(length @ 0..126) => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(payload.len())?.to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        Ok(self.stream.write_all(&frame).await?)
    }
}

fn is(message: &Value, kind: &str) -> bool {
    message.get("type").is_some_and(|of| of == kind)
}
