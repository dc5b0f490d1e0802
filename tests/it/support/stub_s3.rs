//! A storage of a test's own that speaks as much of S3 as the server asks for, and fails as the
//! test says.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cloakroom::config::Storage;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::tls::certify;
use super::{KeptMarker, read_request, s3_settings};

/// The answers of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It keeps its identity, accepts every object, and forgets it.
    Fine,
    /// This status and code of S3 to every request.
    All(u16, &'static str),
    /// This status and code of S3 to writes.
    Writes(u16, &'static str),
    /// None.
    Silence,
}

/// A storage; gone when dropped.
pub struct StubS3 {
    /// The host and the port.
    pub address: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    /// The authority of its certificate, if it speaks TLS.
    authority: Option<TempDir>,
}

struct Shared {
    answers: Mutex<Answers>,
    marker: KeptMarker,
    marker_reads: AtomicUsize,
    probes: AtomicUsize,
}

impl StubS3 {
    /// Speaks HTTP.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// Speaks HTTPS, with a certificate for `localhost` by an authority of its own.
    pub async fn start_tls() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(encrypts: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (authority, acceptor) = certify(&["localhost"]);
        let shared = Arc::new(Shared {
            answers: Mutex::new(Answers::Fine),
            marker: KeptMarker::default(),
            marker_reads: AtomicUsize::new(0),
            probes: AtomicUsize::new(0),
        });
        let rules = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, rules) = (acceptor.clone(), Arc::clone(&rules));
                connections.spawn(async move {
                    match encrypts {
                        false => serve(stream, &rules).await,
                        true => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &rules).await;
                            }
                        }
                    }
                });
            }
        });
        let authority = encrypts.then(|| {
            let folder = tempfile::tempdir().expect("a folder");
            std::fs::write(folder.path().join("ca.pem"), authority).expect("it is written");
            folder
        });
        let host = if encrypts { "localhost" } else { "127.0.0.1" };
        Self { address: format!("{host}:{port}"), shared, accepting, authority }
    }

    /// Fails so from now on.
    pub fn answer(&self, answers: Answers) {
        *self.shared.answers.lock().expect("no panic") = answers;
    }

    /// Settings for it. Those with TLS trust no authority of its own.
    pub fn settings(&self, storage: &mut Storage) {
        s3_settings(storage, &self.address);
        if self.authority.is_some() {
            storage.s3_endpoint = format!("https://{}", self.address);
        }
    }

    /// For `storage.s3_ca_file`.
    pub fn ca_file(&self) -> PathBuf {
        self.authority.as_ref().expect("it speaks TLS").path().join("ca.pem")
    }

    /// The number of times that its identity was read.
    pub fn marker_reads(&self) -> usize {
        self.shared.marker_reads.load(Ordering::SeqCst)
    }

    /// The number of probes that were written.
    pub fn probes(&self) -> usize {
        self.shared.probes.load(Ordering::SeqCst)
    }

    /// Closes the port and its connections.
    pub async fn stop(&mut self) {
        self.accepting.abort();
        drop((&mut self.accepting).await);
    }
}

impl Drop for StubS3 {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, rules: &Shared) {
    let mut stream = BufReader::new(stream);
    while let Some((first, body)) = read_request(&mut stream).await {
        match rules.answer(&first, &body) {
            None => std::future::pending().await,
            Some(answer) if stream.write_all(answer.as_bytes()).await.is_err() => return,
            Some(_) => {}
        }
        if stream.flush().await.is_err() {
            return;
        }
    }
}

impl Shared {
    fn answer(&self, first: &str, body: &[u8]) -> Option<String> {
        let is_marker = first.contains("/cloakroom-storage.json ");
        if is_marker && first.starts_with("get ") {
            self.marker_reads.fetch_add(1, Ordering::SeqCst);
        }
        if first.contains("/cloakroom-probe ") {
            self.probes.fetch_add(1, Ordering::SeqCst);
        }
        let is_write = !first.starts_with("get ") && !first.starts_with("head ");
        match &*self.answers.lock().expect("no panic") {
            Answers::Silence => None,
            Answers::All(status, code) => Some(refusal(first, *status, code)),
            Answers::Writes(status, code) if is_write => Some(refusal(first, *status, code)),
            Answers::Fine | Answers::Writes(..) => Some(self.marker.answer(first, body).unwrap_or_else(|| {
                let status = if is_write { "200 OK\r\netag: \"x\"" } else { "404 Not Found" };
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")
            })),
        }
    }
}

/// An error as S3 answers it: HEAD has no body.
fn refusal(first: &str, status: u16, code: &str) -> String {
    let body = match first.starts_with("head ") {
        true => String::new(),
        false => format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>No.</Message></Error>"),
    };
    format!("HTTP/1.1 {status} No\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
