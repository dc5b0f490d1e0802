//! The last look at an answer's errors: each gets a code, and a bug loses its text.

use async_graphql::{Response, ServerError, Value};

use crate::error::ErrorCode;

const ALL: [ErrorCode; 14] = [
    ErrorCode::Unauthenticated,
    ErrorCode::Forbidden,
    ErrorCode::NotFound,
    ErrorCode::BadUserInput,
    ErrorCode::Conflict,
    ErrorCode::CounterExhausted,
    ErrorCode::RateLimited,
    ErrorCode::PayloadTooLarge,
    ErrorCode::Unavailable,
    ErrorCode::GraphqlParseFailed,
    ErrorCode::GraphqlValidationFailed,
    ErrorCode::QueryTooComplex,
    ErrorCode::PersistedQueryNotFound,
    ErrorCode::InternalServerError,
];

/// The framework quotes the document in its messages, whole lines and names of any length.
const MAX_MESSAGE_CHARS: usize = 300;
/// A document can be wrong in as many places as it has fields.
const MAX_REFUSALS: usize = 10;

/// Whether the request was refused before any field ran: an error of a field has a path.
pub(super) fn is_refused(response: &Response) -> bool {
    !response.errors.is_empty() && response.data == Value::Null && response.errors.iter().all(|e| e.path.is_empty())
}

/// Keeps a refusal from being longer than the request.
pub(super) fn shorten(errors: &mut Vec<ServerError>) {
    errors.truncate(MAX_REFUSALS);
    for error in errors {
        if let Some((end, _)) = error.message.char_indices().nth(MAX_MESSAGE_CHARS) {
            error.message.truncate(end);
            error.message.push('…');
        }
    }
}

/// Sees to it that every error has a code, and returns the first. Errors without one come from the framework:
/// before execution because of the document, during it because of a value.
pub(super) fn stamp(errors: &mut [ServerError], request_id: &str) -> Option<ErrorCode> {
    let mut first = None;
    for error in errors {
        let known = error.extensions.as_ref().and_then(|extensions| match extensions.get("code") {
            Some(Value::String(name)) => ALL.into_iter().find(|code| code.name() == name),
            _ => None,
        });
        let code = match (known, &error.source) {
            (Some(code), _) => code,
            (None, Some(_)) => ErrorCode::InternalServerError,
            (None, None) if error.path.is_empty() => ErrorCode::GraphqlValidationFailed,
            (None, None) => ErrorCode::BadUserInput,
        };
        let mut extensions = error.extensions.take().unwrap_or_default();
        extensions.set("code", code.name());
        if code == ErrorCode::InternalServerError {
            let cause =
                error.source::<anyhow::Error>().map_or_else(|| error.message.clone(), |cause| format!("{cause:#}"));
            tracing::error!(request_id, error = cause, "internal error");
            extensions.set("requestId", request_id);
            "Internal error.".clone_into(&mut error.message);
        }
        error.extensions = Some(extensions);
        first = first.or(Some(code));
    }
    first
}
