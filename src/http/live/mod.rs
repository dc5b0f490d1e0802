//! Connections that stay open: WebSockets (`graphql-transport-ws`, `socket.rs`) and event streams (`graphql-sse`, one a
//! connection, `event_stream.rs`). Both run every kind of operation.
//!
//! **Invariant:** such a connection ends when its session does: it holds a [`Standing`](crate::accounts::Standing).
//! **Invariant:** nothing piles up for who does not read: an answer is made when the one before is on its way.
//! **Invariant:** each caller has so many of them, and each of them so many operations.

mod acting;
mod event_stream;
mod frames;
mod handshake;
mod operations;
mod protocol;
mod socket;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use chrono::{DateTime, Utc};

use crate::config::{self, Config};
use crate::error::{Error, ErrorCode};
use crate::http::Server;
use crate::http::authorization::{authenticate, bearer};
use crate::http::callers::Callers;
use crate::http::edge::RequestContext;
use crate::http::memory_budget::Owner;
use crate::http::origin::Peer;
use crate::http::response::{error_response, refuse};
use crate::http::serve::Connection;

pub(super) use event_stream::{Asked, event_stream, only_answer};

use crate::http::cors::REFUSED_ORIGIN;

use handshake::Handshake;
use operations::Operations;
use socket::Socket;

/// What all of these connections share.
pub(super) struct Live {
    callers: Callers,
    /// Those with sockets that wait for `connection_init`.
    waiting: Callers,
    settings: config::Subscriptions,
}

impl Live {
    pub(super) fn new(config: &Config) -> Self {
        let settings = config.subscriptions.clone();
        let callers = || Callers::new(settings.max_per_caller);
        Self { callers: callers(), waiting: callers(), settings }
    }
}

/// Turns a request into a WebSocket.
pub(super) async fn upgrade(
    server: Arc<Server>,
    parts: Parts,
    context: RequestContext,
    peer: Option<Peer>,
    connection: Option<Connection>,
) -> Response {
    let error_type = context.accepted.error;
    // A browser lets every page open a WebSocket anywhere, without asking first.
    if !server.cors.decide(&parts.headers).is_welcome() {
        return error_response(error_type, StatusCode::FORBIDDEN, ErrorCode::Forbidden, REFUSED_ORIGIN);
    }
    let caller = match authenticate(&server, &parts.headers, server.origin(&parts.headers, peer)).await {
        Ok(caller) if caller.is_rejected() => return refuse(error_type, Error::InvalidToken),
        Ok(caller) => caller,
        Err(error) => return refuse(error_type, error),
    };
    // A client may never send `connection_init`. Refused here, and not by a close: clients try again after this.
    let waiting = match server.live.waiting.enter(&caller) {
        Ok(waiting) => waiting,
        Err(error) => return refuse(error_type, error),
    };
    let token = bearer(&parts.headers).ok().flatten().map(str::to_owned);
    let Handshake { upgrade, response, is_offered } = match handshake::accept(parts) {
        Ok(handshake) => handshake,
        Err(reason) => {
            let message = format!("This is no WebSocket handshake: {reason}.");
            return error_response(error_type, StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, &message);
        }
    };
    let charge = server.memory.open(Owner::of_caller(&caller));
    let max_bytes = server.settings.max_body_bytes;
    let socket = async move {
        match handshake::connect(upgrade, max_bytes, charge).await {
            Ok(socket) => {
                let socket = Socket::new(server, socket, caller.origin, token, (connection, waiting));
                socket.serve(is_offered).await;
            }
            Err(error) => tracing::debug!(%error, "a connection ended before it became a WebSocket"),
        }
    };
    tokio::spawn(Box::pin(socket));
    response
}

/// When the moment comes at which a token expires.
fn instant_of(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Instant {
    let in_a_year = Duration::from_secs(365 * 86_400);
    Instant::now() + (expires_at - now).to_std().unwrap_or_default().min(in_a_year)
}

/// Waits for this moment; for ever if there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// Waits for the server to stop.
async fn stopping(connection: &mut Option<Connection>) {
    match connection {
        Some(connection) => connection.stopping.wait().await,
        None => std::future::pending().await,
    }
}

/// Waits for the end of a standing; who acts as nobody has none.
async fn over(standing: Option<&mut crate::accounts::Standing>) {
    match standing {
        Some(standing) => standing.over().await,
        None => std::future::pending().await,
    }
}
