//! Responses in JSON: the result of an operation, and HTTP errors in the media type that the client accepts.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::error::{Error, ErrorCode};
use crate::http::media_type::JsonType;
use crate::http::memory_budget::{Charge, FREE_BYTES, Overdrawn};
use crate::schema::Answer;

/// The challenge for a request without a credential (RFC 6750, section 3).
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"cloakroom\"");
/// The challenge for a request whose credential was rejected.
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer realm=\"cloakroom\", error=\"invalid_token\"");
/// Headers of a response: its own, and those that `edge` and `cors` add.
const HEADERS: usize = 10;

/// A GraphQL response as the client receives it: errors first, `data` only if execution began (GraphQL, section 7.1).
pub(super) struct Envelope<'a>(pub(super) &'a Answer);

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Answer { response, refused, .. } = self.0;
        let errors = (!response.errors.is_empty()).then_some(&response.errors);
        let mut envelope = serializer.serialize_struct("Envelope", 2)?;
        if let Some(errors) = errors {
            envelope.serialize_field("errors", errors)?;
        }
        if !refused {
            envelope.serialize_field("data", &response.data)?;
        }
        envelope.end()
    }
}

/// The response to an operation. `is_rejected`: whether a field was refused because of the request's credential.
/// `charge` is the operation's, and becomes that of the response until the client has read it.
pub(super) fn json_response(media_type: JsonType, answer: &Answer, is_rejected: bool, mut charge: Charge) -> Response {
    let status = match media_type {
        _ if is_rejected => StatusCode::UNAUTHORIZED,
        _ if answer.retry_after_seconds.is_some() => match answer.code {
            Some(ErrorCode::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        },
        JsonType::GraphqlResponse if answer.refused => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let Ok(body) = serde_json::to_vec(&Envelope(answer)) else {
        return refuse(media_type, Error::internal(anyhow::anyhow!("a response could not be written as JSON")));
    };
    let body = match body.len().saturating_sub(FREE_BYTES) {
        0 => Body::from(body),
        bytes => match charge.resize(bytes) {
            Ok(()) => Body::from(charge.attach_to(body)),
            Err(Overdrawn) => return no_memory_for_response(media_type),
        },
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // At once, so that the map never grows.
    headers.reserve(HEADERS);
    headers.insert(header::CONTENT_TYPE, media_type.header());
    if let Some(seconds) = answer.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if is_rejected {
        headers.insert(header::WWW_AUTHENTICATE, INVALID_TOKEN);
    }
    response
}

/// Without `Retry-After`, which everywhere else says that nothing was done.
fn no_memory_for_response(media_type: JsonType) -> Response {
    let message = "The server is too busy to send this response. The operation may have taken effect. Select fewer \
                   fields or shorter lists, or send a query again later.";
    error_response(media_type, StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, message)
}

/// An HTTP error: a response with one GraphQL error and no `data`, for a request that is not executed.
#[must_use]
pub(super) fn error_response(media_type: JsonType, status: StatusCode, code: ErrorCode, message: &str) -> Response {
    let body = json!({ "errors": [{ "message": message, "extensions": { "code": code.name() } }] });
    (status, [(header::CONTENT_TYPE, media_type.header())], body.to_string()).into_response()
}

/// The HTTP error for an [`Error`]. One with a cause becomes an extension of the response, for [`name_cause`].
#[must_use]
pub(super) fn refuse(media_type: JsonType, error: Error) -> Response {
    let status = match error.code() {
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut response = error_response(media_type, status, error.code(), &error.message());
    let headers = response.headers_mut();
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    match &error {
        Error::Unauthenticated => drop(headers.insert(header::WWW_AUTHENTICATE, CHALLENGE)),
        Error::InvalidToken => drop(headers.insert(header::WWW_AUTHENTICATE, INVALID_TOKEN)),
        _ => {}
    }
    if error.cause().is_some() {
        drop(response.extensions_mut().insert(error));
    }
    response
}

/// Logs the cause of an HTTP error under the request's id, and names that id in the response if it is an internal error.
pub(super) fn name_cause(media_type: JsonType, response: &mut Response, request_id: impl std::fmt::Display) {
    let Some(error) = response.extensions_mut().remove::<Error>() else { return };
    let cause = error.cause().map(|cause| format!("{cause:#}"));
    if error.code() != ErrorCode::InternalServerError {
        tracing::warn!(%request_id, error = cause, "{}", error.message());
        return;
    }
    tracing::error!(%request_id, error = cause, "internal error");
    let extensions = json!({ "code": error.code().name(), "requestId": request_id.to_string() });
    let body = json!({ "errors": [{ "message": error.message(), "extensions": extensions }] });
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, media_type.header());
    *response.body_mut() = body.to_string().into();
}
