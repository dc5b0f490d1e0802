//! A storage that takes nothing before the test lets it: what an upload does meanwhile can be looked at.

use std::sync::Arc;

use cloakroom::config::Storage;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{KeptMarker, PATIENCE, s3_settings};

/// Speaks as much of S3 as storing takes, and forgets everything but its identity.
pub struct Gate {
    address: String,
    knocking: Arc<Semaphore>,
    passes: Arc<Semaphore>,
}

impl Gate {
    /// A storage that is closed.
    pub async fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (knocking, passes) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (knocks, gate, marker) = (Arc::clone(&knocking), Arc::clone(&passes), KeptMarker::default());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&knocks), Arc::clone(&gate), marker.clone()));
            }
        });
        Self { address, knocking, passes }
    }

    /// Settings for it.
    pub fn settings(&self, storage: &mut Storage) {
        s3_settings(storage, &self.address);
    }

    /// Waits until one more content is to be stored.
    pub async fn knocked(&self) {
        let knock = tokio::time::timeout(PATIENCE, self.knocking.acquire()).await;
        knock.expect("somebody comes in time").expect("the gate is there").forget();
    }

    /// Takes everything from now on.
    pub fn open(&self) {
        self.passes.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

/// One connection, for as long as it lasts.
async fn answer(stream: TcpStream, knocks: Arc<Semaphore>, gate: Arc<Semaphore>, marker: KeptMarker) {
    let mut stream = BufStream::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line).await {
                Ok(1..) => {}
                _ => return,
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(bytes) = line.strip_prefix("content-length:") {
                length = bytes.trim().parse().expect("a length");
            }
            if line.is_empty() {
                break;
            }
            if first.is_empty() {
                first = line;
            }
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let about_marker = marker.answer(&first, &body);
        if about_marker.is_none() && first.starts_with("put ") {
            knocks.add_permits(1);
            gate.acquire().await.expect("the gate is there").forget();
        }
        let empty = "HTTP/1.1 200 OK\r\netag: \"x\"\r\ncontent-length: 0\r\n\r\n".to_owned();
        let answered = stream.write_all(about_marker.unwrap_or(empty).as_bytes()).await;
        if answered.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}
