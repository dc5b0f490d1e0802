//! What surrounds every request: an id, a time limit, headers for the browser, a clean end of a panic.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use crate::error::{Error, ErrorCode};
use crate::http::media_type::{Accepted, JsonType};
use crate::http::response::{error_response, name_cause, refuse};
use crate::http::{Server, media_type};
use crate::supervise;

/// The response header with the request's id, which the log has too.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// What this process calls its requests: a name of its own, and their number.
static PROCESS: LazyLock<String> = LazyLock::new(|| {
    let random = Uuid::now_v7().simple().to_string();
    random.get(20..).unwrap_or_default().to_owned()
});
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// The id of a request: ours, never the client's, so that it can be trusted in the log.
#[derive(Clone, Copy)]
pub(super) struct RequestId(u64);

impl RequestId {
    /// An id that no other request of this process has.
    pub(super) fn next() -> Self {
        Self(REQUESTS.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", *PROCESS, self.0)
    }
}

/// The id of a request and the media types that its client accepts; an extension of every request.
#[derive(Clone, Copy)]
pub(super) struct RequestContext {
    pub(super) id: RequestId,
    pub(super) accepted: Accepted,
}

/// Runs the rest within the time limit and completes the response's headers.
pub(super) async fn around(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::next();
    // Parsing `Accept` takes memory, and nothing else than the API has a choice.
    let accepted = match request.uri().path().starts_with("/graphql") {
        true => Accepted::of(request.headers()),
        false => Accepted::default(),
    };
    let context = RequestContext { id, accepted };
    request.extensions_mut().insert(context);
    let mut limit = Duration::from_secs(server.settings.request_seconds);
    if request.method() == Method::POST && media_type::is_form(request.headers()) {
        limit = limit.saturating_add(server.intake.time());
    }
    let (origin, is_preflight) = (server.cors.decide(request.headers()), request.method() == Method::OPTIONS);
    let mut response = match origin.preflight(&request) {
        Some(response) => response,
        None => match tokio::time::timeout(limit, next.run(request)).await {
            Ok(response) => response,
            Err(_) => too_slow(context, limit),
        },
    };
    name_cause(context.accepted.error, &mut response, id);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(HeaderName::from_static(REQUEST_ID), id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    origin.complete(is_preflight, headers);
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

fn too_slow(context: RequestContext, limit: Duration) -> Response {
    tracing::warn!(request_id = %context.id, seconds = limit.as_secs(), "a request took too long");
    let message =
        format!("The request took longer than {} s and was given up; it may have taken effect.", limit.as_secs());
    // Without `Retry-After`, which everywhere else says that nothing was done.
    error_response(context.accepted.error, StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, &message)
}

/// A panic is a bug like any other. [`around`] sets the media type.
#[expect(clippy::needless_pass_by_value, reason = "the signature that `CatchPanicLayer` asks for")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    refuse(JsonType::Legacy, Error::internal(cause_of(&*panic)))
}

/// What a panic says, for the log.
pub(super) fn cause_of(panic: &(dyn Any + Send)) -> anyhow::Error {
    anyhow::anyhow!("panic: {}", supervise::message(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_the_client_nothing() {
        let caught = std::panic::catch_unwind(|| panic!("the secret is {}", 42)).expect_err("it panics");
        let response = panicked(caught);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let cause = response.extensions().get::<Error>().and_then(Error::cause).expect("the cause is for the log");
        assert_eq!(cause.to_string(), "panic: the secret is 42");
    }
}
