//! The accept loop. axum's own has no time limits for slow or idle clients, so this is hyper's, with a timer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutWriter;
use tower::ServiceExt as _;

use crate::config::Config;
use crate::error::ErrorCode;
use crate::http::host;
use crate::http::listener::{Listeners, Stream};
use crate::http::media_type::Accepted;
use crate::http::origin::Peer;
use crate::http::response::error_response;

/// Bytes that are read from a connection at once, at most.
const BUFFER_BYTES: usize = 16 * 1024;

/// The connection that a request came over; an extension of each request.
#[derive(Clone)]
pub(super) struct Connection {
    /// Its place among `server.max_connections`: a WebSocket keeps it.
    _place: Arc<OwnedSemaphorePermit>,
    /// Whether the server stops.
    pub(super) stopping: Stopping,
}

/// Tells when the server stops.
#[derive(Clone)]
pub(super) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    pub(super) async fn wait(&mut self) {
        drop(self.0.wait_for(|stopping| *stopping).await);
    }
}

/// Serves `router` on `listeners` until `shutdown` resolves, then finishes what was accepted.
///
/// HTTP/1.1 only: HTTP/2 is the reverse proxy's to speak. A client gets `http.header_seconds` for the head of
/// a request, which also bounds how long a connection may be idle, and `http.answer_seconds` to take more of an
/// answer.
pub async fn serve(
    listeners: impl Into<Listeners>,
    router: Router,
    config: &Config,
    shutdown: impl Future<Output = ()>,
) {
    let listeners = listeners.into();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(config.http.header_seconds))
        .max_header_size(config.http.max_header_bytes)
        // hyper's default keeps up to 400 KiB for each connection that has sent a body.
        .max_buf_size(config.http.max_header_bytes.max(BUFFER_BYTES));
    let answer_timeout = Duration::from_secs(config.http.answer_seconds);
    let most = u32::try_from(config.server.max_connections).unwrap_or(u32::MAX);
    let connections = Arc::new(Semaphore::new(most as usize));
    let (stop, stopping) = watch::channel(false);
    let stopping = Stopping(stopping);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listeners, &connections) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        let connection = Connection { _place: Arc::new(place), stopping: stopping.clone() };
        let served = Served { http: http.clone(), router: router.clone(), peer, connection, answer_timeout };
        match stream {
            Stream::Tcp(stream) => drop(tokio::spawn(served.run(stream))),
            Stream::Unix(stream) => drop(tokio::spawn(served.run(stream))),
        }
    }
    drop(listeners);
    stop.send_replace(true);
    let limit = Duration::from_secs(config.server.shutdown_seconds);
    // Each connection that is open has a place.
    if tokio::time::timeout(limit, connections.acquire_many(most)).await.is_err() {
        tracing::warn!(seconds = limit.as_secs(), "requests were still running when the time to finish them was over");
    }
}

/// What serving one connection needs.
struct Served {
    http: http1::Builder,
    router: Router,
    peer: Peer,
    connection: Connection,
    answer_timeout: Duration,
}

impl Served {
    /// Serves the connection to its end.
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Send + 'static) {
        let Self { http, router, peer, connection, answer_timeout } = self;
        let mut stopping = connection.stopping.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let router = router.clone();
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(connection.clone());
            async move {
                match host::is_named(&request) {
                    true => router.oneshot(request).await,
                    false => Ok(without_host(&request)),
                }
            }
        });
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(answer_timeout));
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service).with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = stopping.wait() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

fn without_host(request: &Request<Incoming>) -> Response {
    let message = "A request has one valid Host header.";
    let media_type = Accepted::of(request.headers()).error;
    let mut response = error_response(media_type, StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The next connection, once there is a place for it.
async fn accept(listeners: &Listeners, connections: &Arc<Semaphore>) -> Option<(Stream, Peer, OwnedSemaphorePermit)> {
    let place = Arc::clone(connections).acquire_owned().await.ok()?;
    match listeners.accept().await {
        Ok((stream, peer)) => {
            // Answers are small and written whole: there is nothing to wait for.
            if let Stream::Tcp(stream) = &stream
                && let Err(error) = stream.set_nodelay(true)
            {
                tracing::debug!(%error, "TCP_NODELAY was refused");
            }
            Some((stream, peer, place))
        }
        Err(error) => {
            // Out of file descriptors, most likely: one second for others to end.
            tracing::error!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_secs(1)).await;
            None
        }
    }
}
