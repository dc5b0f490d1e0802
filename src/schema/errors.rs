//! The last look at an answer's errors: each gets a code, and a bug loses its text.

use std::fmt::Display;

use async_graphql::{Response, ServerError, Value};

use crate::error::{Cause, ErrorCode, INTERNAL, OUTCOME_UNKNOWN};

/// A refused request is told this many faults at most.
const MAX_ERRORS: usize = 10;
/// Characters of a message: the framework repeats the value that it refuses, however long.
const MAX_MESSAGE_CHARS: usize = 500;

/// Whether the request was refused before any field ran: an error of a field has a path.
pub(super) fn is_refused(response: &Response) -> bool {
    !response.errors.is_empty() && response.data == Value::Null && response.errors.iter().all(|e| e.path.is_empty())
}

/// Returns true if no root field has a result.
pub(super) fn has_no_result(response: &Response) -> bool {
    match &response.data {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(|value| *value == Value::Null),
        _ => false,
    }
}

/// Returns true if one of the errors has this code.
pub(super) fn has_code(errors: &[ServerError], code: ErrorCode) -> bool {
    errors.iter().any(|error| {
        let extensions = error.extensions.as_ref();
        extensions.and_then(|extensions| extensions.get("code")).is_some_and(|name| match name {
            Value::String(name) => name == code.name(),
            _ => false,
        })
    })
}

/// Keeps the answer to a refused request short, however much is wrong with it.
pub(super) fn shorten(errors: &mut Vec<ServerError>) {
    errors.truncate(MAX_ERRORS);
}

/// After how many seconds the error says to try again.
pub(super) fn retry_after_seconds(error: &ServerError) -> Option<u32> {
    match error.extensions.as_ref()?.get("retryAfterSeconds")? {
        Value::Number(seconds) => u32::try_from(seconds.as_u64()?).ok(),
        _ => None,
    }
}

/// Sees to it that every error has a code and a bounded message, and returns the first code. Errors without one
/// come from the framework: before execution because of the document, during it because of a value.
pub(super) fn stamp(errors: &mut [ServerError], request_id: &dyn Display) -> Option<ErrorCode> {
    let mut first = None;
    for error in errors {
        let known = error.extensions.as_ref().and_then(|extensions| match extensions.get("code") {
            Some(Value::String(name)) => ErrorCode::from_name(name),
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
        let cause = error.source::<Cause>().map(Cause::to_string);
        if code != ErrorCode::InternalServerError
            && let Some(cause) = &cause
        {
            tracing::warn!(%request_id, error = cause, "{}", error.message);
        }
        if code == ErrorCode::InternalServerError {
            let cause = cause.unwrap_or_else(|| error.message.clone());
            tracing::error!(%request_id, error = cause, "internal error");
            extensions.set("requestId", request_id.to_string());
            if error.message != OUTCOME_UNKNOWN {
                INTERNAL.clone_into(&mut error.message);
            }
        }
        if let Some((end, _)) = error.message.char_indices().nth(MAX_MESSAGE_CHARS) {
            error.message.truncate(end);
            error.message.push('…');
        }
        error.extensions = Some(extensions);
        first = first.or(Some(code));
    }
    first
}
