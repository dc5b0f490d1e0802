//! A server in process behind a real socket, and a client that sends bytes as they are.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use cloakroom::config::Config;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{PATIENCE, TestApp};

/// A server that listens; gone when dropped.
pub struct Listening {
    pub address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Listening {
    pub async fn start(test: &TestApp) -> Self {
        Self::serve(test.router.clone(), test.config.clone()).await
    }

    pub async fn serve(router: Router, config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (shutdown, asked) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let asked = async { drop(asked.await) };
            cloakroom::http::serve(listener, router, &config, asked).await;
        });
        Self { address, shutdown: Some(shutdown), served }
    }

    pub async fn connect(&self) -> Wire {
        Wire::connect(self.address).await
    }

    /// A connection of a peer with this address, which must be one of the loopback network.
    pub async fn connect_from(&self, address: IpAddr) -> Wire {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(address, 0)).expect("a loopback address");
        let stream = socket.connect(self.address).await.expect("a connection");
        Wire { stream, received: Vec::new() }
    }

    /// Asks the server to stop.
    pub fn shut_down(&mut self) {
        drop(self.shutdown.take());
    }

    /// Whether it is still serving somebody.
    pub fn is_running(&self) -> bool {
        !self.served.is_finished()
    }

    /// Waits until it has stopped.
    pub async fn ended(&mut self) {
        timeout(PATIENCE, &mut self.served).await.expect("it ends in time").expect("it ends well");
    }
}

/// A connection to this address whose kernel takes little that is not read.
pub async fn slow_connection(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.connect(address).await.expect("a connection")
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// One connection.
pub struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A response as it came.
#[derive(Debug)]
pub struct Heard {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Wire {
    /// Connects to a server.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        Self { stream, received: Vec::new() }
    }

    /// Sends these bytes; a server that has hung up may not want them all.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends a GET.
    pub async fn get(&mut self, path: &str) -> Option<Heard> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        self.hear().await
    }

    /// The next response; `None` if the server hung up before it was whole.
    pub async fn hear(&mut self) -> Option<Heard> {
        timeout(PATIENCE, self.hear_in_time()).await.expect("a response or the end of the connection")
    }

    async fn hear_in_time(&mut self) -> Option<Heard> {
        let end = loop {
            match self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.receive().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.received[..end]).to_lowercase();
        let status: u16 = head.get(9..12)?.parse().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        // An interim response or 304 has no body; what has no length ends with the connection.
        let length = if status == 100 || status == 304 { Some(0) } else { length };
        while length.is_none_or(|length| self.received.len() < end + length) {
            if self.receive().await.is_none() {
                break;
            }
        }
        let whole = end + length.unwrap_or(self.received.len() - end);
        let body = String::from_utf8_lossy(self.received.get(end..whole)?).into_owned();
        self.received.drain(..whole);
        Some(Heard { status, head, body })
    }

    /// After an upgrade to a WebSocket with short messages only: the code of the close; `None` if it ends without one.
    pub async fn close_code(&mut self) -> Option<u16> {
        timeout(PATIENCE, self.close_code_in_time()).await.expect("a close or the end of the connection")
    }

    async fn close_code_in_time(&mut self) -> Option<u16> {
        let mut at = loop {
            match self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => self.receive().await?,
            }
        };
        loop {
            match self.received.get(at..).unwrap_or_default() {
                // FIN and the opcode of a close, then its length, not masked.
                [0x88, 2..=125, first, second, ..] => return Some(u16::from_be_bytes([*first, *second])),
                [0x81..=0x8a, length @ 0..=125, rest @ ..] if rest.len() >= usize::from(*length) => {
                    at += 2 + usize::from(*length);
                }
                _ => self.receive().await?,
            }
        }
    }

    /// Whether the next response begins so, in lower case; none of it is taken.
    pub async fn begins_with(&mut self, beginning: &str) -> bool {
        let received = async {
            while self.received.len() < beginning.len() {
                self.receive().await?;
            }
            Some(String::from_utf8_lossy(&self.received[..beginning.len()]).to_lowercase())
        };
        timeout(PATIENCE, received).await.expect("a response").as_deref() == Some(beginning)
    }

    /// Whether the server hangs up without another word.
    pub async fn is_hung_up(&mut self) -> bool {
        timeout(PATIENCE, self.receive()).await.expect("the end of the connection").is_none()
    }

    async fn receive(&mut self) -> Option<()> {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes).await {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.received.extend_from_slice(&bytes[..count]);
                Some(())
            }
        }
    }
}

impl Heard {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON, not {self:?}"))
    }

    /// Whether the head has this line.
    pub fn has(&self, line: &str) -> bool {
        self.head.lines().any(|found| found == line)
    }
}

/// A POST of this JSON to `/graphql`, as bytes.
pub fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
