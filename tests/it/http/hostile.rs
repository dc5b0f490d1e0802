//! A server under 2,000 hostile anonymous connections at once stays small, and answers others.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Process, Promptness};

/// Connections of each kind.
const EACH: usize = 400;
/// Resident memory of the server.
const MAX_RESIDENT_KB: u64 = 300 * 1024;
/// The time in which a well-behaved client is answered. An idle machine takes less than one second;
/// here, other tests run beside this one.
const PROMPT: Duration = Duration::from_secs(10);

const UPGRADE: &str = "GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    sec-websocket-protocol: graphql-transport-ws\r\n\r\n";

/// A kind of hostile client: the bytes that it sends before it neither sends nor reads any more.
#[derive(Clone, Copy)]
enum Hostile {
    /// A frame of 2 MiB is announced, and nothing of it sent.
    AnnouncedFrame,
    /// A WebSocket message that grows in fragments before `connection_init`.
    GrowingMessage,
    /// A body that stops short of its end.
    StalledBody,
    /// An operation with as much junk in its variables as fits.
    JunkVariables,
    /// Large answers that nobody reads.
    SlowReader,
}

const KINDS: [Hostile; 5] = [
    Hostile::AnnouncedFrame,
    Hostile::GrowingMessage,
    Hostile::StalledBody,
    Hostile::JunkVariables,
    Hostile::SlowReader,
];

impl Hostile {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::AnnouncedFrame => {
                let mut bytes = UPGRADE.as_bytes().to_vec();
                bytes.extend([0x81, 0x80 | 127]);
                bytes.extend((2_u64 << 20).to_be_bytes());
                bytes.extend([0; 4]);
                bytes
            }
            Self::GrowingMessage => {
                let mut bytes = UPGRADE.as_bytes().to_vec();
                for first in std::iter::once(0x01).chain(std::iter::repeat_n(0x00, 63)) {
                    bytes.extend([first, 0x80 | 126]);
                    bytes.extend(16_384_u16.to_be_bytes());
                    bytes.extend([0; 4]);
                    bytes.resize(bytes.len() + 16_384, b' ');
                }
                bytes
            }
            Self::StalledBody => {
                let mut bytes = post(1_048_576).into_bytes();
                bytes.resize(bytes.len() + 1_048_000, b' ');
                bytes
            }
            Self::JunkVariables => {
                let junk = vec![r#"{"":0}"#; 140_000].join(",");
                let body = format!(r#"{{"query":"{{ hello }}","variables":{{"x":[{junk}]}}}}"#);
                (post(body.len()) + &body).into_bytes()
            }
            Self::SlowReader => {
                let types = "__schema { types { name description fields { name description args { name description \
                             type { name } } type { name ofType { name } } } } }";
                let body =
                    serde_json::json!({ "query": format!("{{ a: {types} b: {types} c: {types} }}") }).to_string();
                (post(body.len()) + &body).repeat(4).into_bytes()
            }
        }
    }
}

fn post(length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Opens a connection from a loopback address of its own kind and sends `bytes`, as far as the server
/// takes them.
async fn attack(address: SocketAddr, number: usize, bytes: &[u8]) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket");
    // One host, or a few, as attackers have them.
    let from = format!("127.0.0.{}:0", 2 + number % 4).parse().expect("an address");
    socket.bind(from).expect("any loopback address is free");
    // Small buffers: a client that does not read must not have the answer taken by its kernel.
    socket.set_recv_buffer_size(4096).expect("a size");
    let mut stream = socket.connect(address).await.ok()?;
    // A server that closes or takes no more bytes has the better of it.
    drop(tokio::time::timeout(Duration::from_millis(500), stream.write_all(bytes)).await);
    Some(stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_connections_take_little_memory_and_keep_nobody_waiting() {
    let data_dir = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start(data_dir.path(), |command| {
        command.env("CLOAKROOM__HTTP__TRUSTED_PROXIES", "");
    });
    let (address, token) = (server.address, server.sign_up("anna").await);
    let (mut promptness, mut largest) = (Promptness::within(PROMPT), 0);
    let mut attackers = Vec::new();
    let sent = KINDS.map(Hostile::bytes);
    for round in 0..EACH / 20 {
        let attacks = sent.iter().flat_map(|bytes| std::iter::repeat_n(bytes, 20)).enumerate();
        let streams = attacks.map(|(number, bytes)| attack(address, round * 100 + number, bytes));
        attackers.extend(join_all(streams).await.into_iter().flatten());
        let asked = Instant::now();
        let answer = server.run(Some(&token), "mutation { next { value } }").await.expect("an answer");
        assert!(answer["errors"].is_null(), "{answer}");
        promptness.came(asked);
        largest = largest.max(server.resident_kb());
    }
    assert!(largest <= MAX_RESIDENT_KB, "{largest} kB");
    promptness.assert();
}
