//! The body of a request, read within its limits and charged to the memory budget as it arrives.

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::error::{Error, ErrorCode};
use crate::http::Server;
use crate::http::media_type::JsonType;
use crate::http::memory_budget::{Charge, FREE_BYTES, Overdrawn};
use crate::http::multipart::Lingering;
use crate::http::pace::{Pace, TooSlow};
use crate::http::paced_body::PacedBody;
use crate::http::response::{error_response, refuse};

/// The reason why a body is not read to its end.
enum Unread {
    TooLarge,
    TooSlow(TooSlow),
    EndedEarly,
    Overdrawn,
}

impl From<Overdrawn> for Unread {
    fn from(_: Overdrawn) -> Self {
        Self::Overdrawn
    }
}

/// Reads a body of at most `http.max_body_bytes` within `http.body_seconds`.
///
/// # Errors
/// The response for a body that is too large, too slow, incomplete, or more than the memory budget has room for.
pub(super) async fn read(
    server: &Server,
    error_type: JsonType,
    headers: &HeaderMap,
    body: Body,
    charge: &mut Charge,
) -> Result<Bytes, Box<Response>> {
    let limit = server.settings.max_body_bytes;
    let too_large = || {
        let message = format!("The body of a request has at most {limit} bytes.");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        error_response(error_type, status, ErrorCode::PayloadTooLarge, &message)
    };
    // A client that waits for `100 Continue` is spared sending it.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > limit) {
        return Err(Box::new(too_large()));
    }
    let paced = PacedBody::new(body, Pace::of_bodies(&server.settings));
    let mut body = Limited::new(Body::new(paced), limit);
    let time = server.settings.body_timeout();
    let response = match tokio::time::timeout(time, collect(&mut body, charge)).await {
        Ok(Ok(body)) => return Ok(body),
        Ok(Err(Unread::TooLarge)) => too_large(),
        Ok(Err(Unread::Overdrawn)) => {
            charge.release();
            drop(Lingering::new(Body::new(body), headers, time));
            closing(refuse(error_type, Error::from(Overdrawn)))
        }
        Ok(Err(Unread::EndedEarly)) => {
            let message = "The body ended early.";
            error_response(error_type, StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
        }
        Ok(Err(Unread::TooSlow(slow))) => timed_out(error_type, &slow.message()),
        Err(_) => timed_out(error_type, "The body took too long to arrive."),
    };
    Err(Box::new(response))
}

fn timed_out(error_type: JsonType, message: &str) -> Response {
    closing(error_response(error_type, StatusCode::REQUEST_TIMEOUT, ErrorCode::BadUserInput, message))
}

/// The rest of the body is not wanted, so the connection cannot carry another request.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn collect(body: &mut Limited<Body>, charge: &mut Charge) -> Result<Bytes, Unread> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match TooSlow::find(&*error) {
            _ if error.is::<LengthLimitError>() => Unread::TooLarge,
            Some(slow) => Unread::TooSlow(slow),
            None => Unread::EndedEarly,
        })?;
        let Ok(chunk) = frame.into_data() else { continue };
        if whole.is_empty() && body.is_end_stream() {
            // A body of one chunk, as most are, need not be copied.
            charge.grow(chunk.len(), FREE_BYTES)?;
            return Ok(chunk);
        }
        append(&mut whole, &chunk, charge)?;
    }
    Ok(whole.into())
}

/// Appends a chunk to a buffer that grows with the bytes that have arrived, never with an announced
/// length.
///
/// # Errors
/// [`Overdrawn`] if the memory budget has no room for a larger buffer.
pub(super) fn append(buffer: &mut Vec<u8>, chunk: &[u8], charge: &mut Charge) -> Result<(), Overdrawn> {
    let length = buffer.len().saturating_add(chunk.len());
    if length > buffer.capacity() {
        let capacity = length.max(buffer.capacity().saturating_mul(2));
        charge.grow(capacity, FREE_BYTES)?;
        buffer.reserve_exact(capacity.saturating_sub(buffer.len()));
    }
    buffer.extend_from_slice(chunk);
    Ok(())
}
