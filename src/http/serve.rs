//! The accept loop. axum's own has no time limits for slow or idle clients, so this is hyper's, with a timer.

use std::convert::Infallible;
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
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::caller;
use crate::config::Config;
use crate::error::ErrorCode;
use crate::http::counted_body::CountedBody;
use crate::http::host;
use crate::http::listener::Listeners;
use crate::http::media_type::Accepted;
use crate::http::origin::Peer;
use crate::http::pace::{Pace, PacedWriter};
use crate::http::places::{Full, Loan, Place, Places};
use crate::http::reserve::{self, Reserve};
use crate::http::response::error_response;
use crate::http::stream::Stream;

/// Bytes of an answer that wait in a connection's buffer before more is asked for, and bytes that are read at once.
/// Thousands of clients that read nothing cost so much each.
const BUFFER_BYTES: usize = 16 << 10;

/// The connection that a request came over; an extension of each request.
#[derive(Clone)]
pub(super) struct Connection {
    /// A WebSocket keeps it.
    _place: Arc<Place>,
    /// The same while it counts for the request's client instead of for a proxy.
    _loan: Option<Arc<Loan>>,
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
/// answer. Every connection is accepted at once, so that those of one peer never delay those of another.
pub async fn serve(
    listeners: impl Into<Listeners>,
    router: Router,
    config: &Config,
    shutdown: impl Future<Output = ()>,
) {
    let listeners = listeners.into();
    let (stop, stopping) = watch::channel(false);
    let server = Serving::new(router, config, Stopping(stopping));
    let (places, mut reserve) = (Places::new(config), Reserve::default());
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listeners) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, peer)) = accepted else { continue };
        match places.enter(peer) {
            Ok(place) => drop(server.spawn(stream, peer, Admission::Placed(Arc::new(place)))),
            Err(full) => {
                let connection = server.spawn(stream, peer, Admission::Reserve(full));
                reserve.add(caller::block(peer.address()), connection.abort_handle());
            }
        }
    }
    drop(listeners);
    stop.send_replace(true);
    let limit = Duration::from_secs(config.server.shutdown_seconds);
    if !places.wait_for_all(limit).await {
        tracing::warn!(seconds = limit.as_secs(), "requests were still running when the time to finish them was over");
    }
}

/// The parts that serving a connection needs.
#[derive(Clone)]
struct Serving {
    http: http1::Builder,
    router: Router,
    pace: Pace,
    stopping: Stopping,
}

/// The admission of a connection.
#[derive(Clone)]
enum Admission {
    Placed(Arc<Place>),
    /// For one request, because there is no place.
    Reserve(Full),
}

impl Serving {
    fn new(router: Router, config: &Config, stopping: Stopping) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(config.http.header_seconds))
            .max_header_size(config.http.max_header_bytes)
            .max_buf_size(config.http.max_header_bytes.max(BUFFER_BYTES));
        Self { http, router, pace: Pace::of_answers(&config.http), stopping }
    }

    fn spawn(&self, stream: Stream, peer: Peer, admission: Admission) -> JoinHandle<()> {
        let mut server = self.clone();
        if let Admission::Reserve(_) = admission {
            server.http.keep_alive(false).header_read_timeout(reserve::HEADER_TIME);
        }
        tokio::spawn(server.run(stream, peer, admission))
    }

    /// Serves the connection to its end.
    async fn run(self, stream: Stream, peer: Peer, admission: Admission) {
        let Self { http, router, pace, stopping } = self;
        let mut stopped = stopping.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            answer(router.clone(), request, admission.clone(), stopping.clone())
        });
        let stream = TokioIo::new(PacedWriter::new(stream, pace));
        let connection = http.serve_connection(stream, service).with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = stopped.wait() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

async fn answer(
    router: Router,
    mut request: Request<Incoming>,
    admission: Admission,
    stopping: Stopping,
) -> Result<Response<CountedBody>, Infallible> {
    let needs_place = !reserve::is_health_check(&request);
    let mut loan = None;
    let refused = match admission {
        _ if !host::is_named(&request) => Some(without_host(&request)),
        Admission::Reserve(full) => needs_place.then(|| reserve::refusal(request.headers(), full)),
        Admission::Placed(place) => {
            let lent = if needs_place { place.lend(request.headers()) } else { Ok(None) };
            match lent {
                Ok(lent) => {
                    loan = lent.map(Arc::new);
                    request.extensions_mut().insert(Connection { _place: place, _loan: loan.clone(), stopping });
                    None
                }
                Err(full) => Some(reserve::refusal(request.headers(), full)),
            }
        }
    };
    let response = match refused {
        Some(response) => response,
        None => router.oneshot(request).await?,
    };
    Ok(response.map(|body| CountedBody::new(body, loan)))
}

fn without_host(request: &Request<Incoming>) -> Response {
    let message = "A request has one valid Host header.";
    let media_type = Accepted::of(request.headers()).error;
    let mut response = error_response(media_type, StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The next connection; `None` if there was an error.
async fn accept(listeners: &Listeners) -> Option<(Stream, Peer)> {
    match listeners.accept().await {
        Ok((stream, peer)) => {
            stream.prepare();
            Some((stream, peer))
        }
        Err(error) => {
            // Out of file descriptors, most likely: one second for others to end.
            tracing::error!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_secs(1)).await;
            None
        }
    }
}
