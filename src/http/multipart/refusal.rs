//! Why a form was refused, and what its sender hears.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::error::{Error, ErrorCode};
use crate::http::media_type::JsonType;
use crate::http::memory_budget::Overdrawn;
use crate::http::response::{error_response, refuse};

/// A form that is not executed.
#[derive(Debug)]
pub(in crate::http) enum Refusal {
    /// It may come from a page of another site.
    Unasked,
    /// It is not what the specification describes; the text says where.
    Malformed(String),
    /// It is beyond a limit, which the text names.
    TooLarge(String),
    /// It did not arrive in time; the text says which limit it missed.
    TooSlow(String),
    /// Its sender may send none, there are too many, or the disk fails.
    Error(Error),
}

impl Refusal {
    pub(in crate::http) fn malformed(message: impl Into<String>) -> Self {
        Self::Malformed(message.into())
    }

    /// The code that the client gets.
    pub(in crate::http) fn code(&self) -> ErrorCode {
        match self {
            Self::Unasked => ErrorCode::Forbidden,
            Self::Malformed(_) | Self::TooSlow(_) => ErrorCode::BadUserInput,
            Self::TooLarge(_) => ErrorCode::PayloadTooLarge,
            Self::Error(error) => error.code(),
        }
    }

    /// The response, in the media type that the client accepts.
    pub(in crate::http) fn into_response(self, media_type: JsonType) -> Response {
        let code = self.code();
        match self {
            Self::Unasked => {
                let message = "A request with files needs the header `Authorization`, `Apollo-Require-Preflight`, \
                               `X-Apollo-Operation-Name` or `GraphQL-Preflight`: a page of another site cannot send \
                               these without asking first.";
                error_response(media_type, StatusCode::FORBIDDEN, code, message)
            }
            Self::Malformed(message) => error_response(media_type, StatusCode::BAD_REQUEST, code, &message),
            Self::TooLarge(message) => error_response(media_type, StatusCode::PAYLOAD_TOO_LARGE, code, &message),
            Self::TooSlow(message) => {
                let mut response = error_response(media_type, StatusCode::REQUEST_TIMEOUT, code, &message);
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                response
            }
            Self::Error(error) => refuse(media_type, error),
        }
    }
}

impl From<Overdrawn> for Refusal {
    fn from(overdrawn: Overdrawn) -> Self {
        Self::Error(overdrawn.into())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
