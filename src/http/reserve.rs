//! Connections that have no place: each is answered one request, in a small reserve.
//!
//! Health checks are served, so that a full server is known to be alive. Every other request is refused, which
//! tells its client more than a connection that is not accepted, and costs others nothing.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use tokio::task::AbortHandle;

use crate::error::ErrorCode;
use crate::http::media_type::Accepted;
use crate::http::places::Full;
use crate::http::response::error_response;

/// Connections in the reserve at once.
const CONNECTIONS: usize = 64;
/// The time limit for the head of the request.
pub(super) const HEADER_TIME: Duration = Duration::from_secs(5);
/// The number of seconds after which clients may try again: other connections must end first.
const RETRY_AFTER_SECONDS: u32 = 10;

/// The connections in the reserve.
///
/// In a full reserve, a new connection replaces the oldest one of the peer that has most. So connections
/// that send nothing cannot keep a health check out.
#[derive(Default)]
pub(super) struct Reserve {
    /// In the order in which they came.
    open: Vec<(IpAddr, AbortHandle)>,
}

impl Reserve {
    /// Adds a connection of this peer.
    pub(super) fn add(&mut self, peer: IpAddr, connection: AbortHandle) {
        self.open.retain(|(_, connection)| !connection.is_finished());
        if self.open.len() >= CONNECTIONS
            && let Some(at) = self.most_expendable()
        {
            self.open.remove(at).1.abort();
        }
        self.open.push((peer, connection));
    }

    fn most_expendable(&self) -> Option<usize> {
        let count = |peer: IpAddr| self.open.iter().filter(|(other, _)| *other == peer).count();
        let counted = self.open.iter().enumerate().map(|(at, (peer, _))| (count(*peer), std::cmp::Reverse(at)));
        counted.max().map(|(_, std::cmp::Reverse(at))| at)
    }
}

/// Returns true for a health check, which needs no place.
pub(super) fn is_health_check<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    is_read && (matches!(path, "/healthz" | "/readyz" | "/health") || path.starts_with("/readyz/"))
}

/// Refuses a request for which there is no place.
pub(super) fn refusal(headers: &HeaderMap, full: Full) -> Response {
    let (status, code, message) = match full {
        Full::Server => (
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable,
            "The server has as many connections as it may have; try again later.",
        ),
        Full::Peer => (
            StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::RateLimited,
            "Your address has as many connections as it may have; close some, or try again later.",
        ),
    };
    let mut response = error_response(Accepted::of(headers).error, status, code, message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, number])
    }

    fn idle() -> AbortHandle {
        tokio::spawn(std::future::pending::<()>()).abort_handle()
    }

    #[tokio::test]
    async fn a_new_connection_replaces_the_oldest_of_the_peer_that_has_most() {
        let mut reserve = Reserve::default();
        let first: Vec<AbortHandle> = (0..20).map(|_| idle()).collect();
        let checks: Vec<AbortHandle> = (0..10).map(|_| idle()).collect();
        first.iter().for_each(|connection| reserve.add(peer(1), connection.clone()));
        checks.iter().for_each(|connection| reserve.add(peer(2), connection.clone()));
        for _ in 0..100 {
            reserve.add(peer(3), idle());
            tokio::task::yield_now().await;
        }
        assert_eq!(reserve.open.len(), CONNECTIONS);
        assert!(first.iter().chain(&checks).all(|connection| !connection.is_finished()), "only its own");
        reserve.add(peer(4), idle());
        assert!(reserve.open.iter().any(|(from, _)| *from == peer(4)));
    }
}
