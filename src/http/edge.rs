//! What surrounds every request: an id, a time limit, headers for the browser, a clean end of a panic.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use crate::error::{ErrorCode, error_response};
use crate::http::Server;

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

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", *PROCESS, self.0)
    }
}

/// Runs the rest within the time limit and completes the response's headers.
pub(super) async fn around(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let id = RequestId(REQUESTS.fetch_add(1, Ordering::Relaxed));
    request.extensions_mut().insert(id);
    let limit = Duration::from_secs(server.settings.request_seconds);
    let mut response = match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => too_slow(limit),
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(HeaderName::from_static(REQUEST_ID), id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

fn too_slow(limit: Duration) -> Response {
    let message =
        format!("The request took longer than {} s and was given up; it may have taken effect.", limit.as_secs());
    let mut response = error_response(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, &message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// One clean error for a bug; what it was goes to the log.
#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text =
        panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    tracing::error!(panic = text.unwrap_or_default(), "internal error");
    error_response(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::InternalServerError, "Internal error.")
}
