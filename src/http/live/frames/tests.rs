//! Frames as clients may cut them.

use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message as Received;
use tungstenite::protocol::{Role, WebSocketConfig};

use super::*;
use crate::http::memory_budget::{MemoryBudget, Owner};

/// A client's frame, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 20, 33, 250];
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | u8::try_from(short).expect("short")),
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The messages in these bytes, which come in chunks of `step`, until the connection ends or a
/// frame is refused.
async fn read(bytes: Vec<u8>, step: usize) -> (Vec<Received>, Option<RefusedFrame>) {
    let (mut client, server) = tokio::io::duplex(64);
    let memory = MemoryBudget::new(1 << 20);
    let mut frames = Frames::new(server, memory.open(Owner::Local));
    frames.allow(100_000, memory.open(Owner::Local));
    let config = WebSocketConfig::default().max_frame_size(Some(PIECE_BYTES)).read_buffer_size(100);
    let mut socket = WebSocketStream::from_raw_socket(frames, Role::Server, Some(config)).await;
    let sent = tokio::spawn(async move {
        for chunk in bytes.chunks(step) {
            drop(client.write_all(chunk).await);
        }
    });
    let mut received = Vec::new();
    let refused = loop {
        match socket.next().await {
            Some(Ok(message)) => received.push(message),
            Some(Err(tungstenite::Error::Io(error))) => {
                break error.get_ref().and_then(|error| error.downcast_ref().copied());
            }
            _ => break None,
        }
    };
    drop(socket);
    sent.await.expect("it is sent");
    (received, refused)
}

#[tokio::test]
async fn messages_arrive_as_they_were_sent_however_they_are_cut() {
    let text: String = (0..20_000).map(|number| char::from_u32(0x61 + number % 700).unwrap_or('x')).collect();
    let (first, rest) = text.as_bytes().split_at(4999);
    let (second, third) = rest.split_at(2 * PIECE_BYTES);
    let sent = [
        frame(0x81, text.as_bytes()),
        frame(0x81, b""),
        frame(0x01, first),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x00, second),
        frame(0x80, third),
        frame(0x82, &[7; PIECE_BYTES]),
        frame(0x82, &[7; PIECE_BYTES + 1]),
    ];
    let expected = [
        Received::text(text.clone()),
        Received::text(""),
        Received::Ping("ping".into()),
        Received::text(text.clone()),
        Received::binary(vec![7; PIECE_BYTES]),
        Received::binary(vec![7; PIECE_BYTES + 1]),
    ];
    for step in [1, 7, 1000, usize::MAX] {
        assert_eq!(read(sent.concat(), step).await, (expected.to_vec(), None), "in chunks of {step}");
    }
}

#[tokio::test]
async fn what_is_announced_is_refused_before_it_arrives() {
    let head = |first: u8, length: u64| [&[first, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
    for (bytes, refused) in [
        (head(0x81, 100_001), RefusedFrame::TooLarge),
        (head(0x81, u64::MAX), RefusedFrame::TooLarge),
        ([frame(0x01, &[b'x'; 60_000]), head(0x80, 40_001)].concat(), RefusedFrame::TooLarge),
        ([frame(0x01, b"x"), head(0x80, u64::MAX)].concat(), RefusedFrame::TooLarge),
        (head(0x89, 126), RefusedFrame::Malformed),
        (head(0x8a, u64::MAX), RefusedFrame::Malformed),
        (frame(0x09, b"cut"), RefusedFrame::Malformed),
        (frame(0xc1, b"compressed"), RefusedFrame::Malformed),
        (vec![0x81, 0x01, b'x'], RefusedFrame::Malformed),
        (frame(0x83, b"reserved"), RefusedFrame::Malformed),
    ] {
        assert_eq!(read(bytes.clone(), 3).await, (Vec::new(), Some(refused)), "{bytes:x?}");
    }
}
