//! What can go wrong, told apart by who can put it right.
//!
//! * A person, by typing something else: [`UserError`], data in a payload's `userErrors`.
//! * The client, the caller's rights or the server: [`Error`], an entry of `errors` whose
//!   `extensions.code` is an [`ErrorCode`].
//!
//! **Invariant:** [`Error`] has no `Display`, so that async-graphql's blanket conversion can neither
//! leak its text nor lose its code. Messages are safe constants; the cause of a bug goes to the log alone.

use std::sync::Arc;

use async_graphql::resolver_utils::EnumType as _;
use async_graphql::{Enum, ErrorExtensionValues, SimpleObject};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sea_orm::{ConnAcquireErr, DbErr};

/// `extensions.code` of an entry in the response's `errors`: the request, the caller's rights or the server
/// is at fault. What a person can correct by typing something else comes in a payload's `userErrors`.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// Nobody is signed in, or the access token is malformed, expired or of an ended session.
    Unauthenticated,
    /// The caller is known, and may not do this.
    Forbidden,
    /// What the request names does not exist, or is not the caller's.
    NotFound,
    /// An argument or variable has a value that it cannot have.
    BadUserInput,
    /// The request contradicts the present state, or an earlier request.
    Conflict,
    /// The counter has reached its upper bound: no integer was taken.
    CounterExhausted,
    /// Too many requests: try again after the time in the `Retry-After` header.
    RateLimited,
    /// The request is larger than the server accepts.
    PayloadTooLarge,
    /// Too busy, and nothing was done: see `Retry-After`. Without that header, too slow: it may have been done.
    Unavailable,
    /// The document is not GraphQL.
    GraphqlParseFailed,
    /// The document does not fit the schema.
    GraphqlValidationFailed,
    /// The document exceeds one of the limits listed under `server { limits }`.
    QueryTooComplex,
    /// The persisted query is not known: send the whole document.
    PersistedQueryNotFound,
    /// A fault in the server. The request's id finds it in the server's log.
    InternalServerError,
}

impl ErrorCode {
    /// The code as `extensions.code` carries it: the schema's own name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::items().iter().find(|item| item.value == self).map_or("", |item| item.name)
    }

    /// The code of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::items().iter().find(|item| item.name == name).map(|item| item.value)
    }
}

/// Why the input was refused, in a payload's `userErrors`.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserErrorCode {
    /// The field is empty or missing.
    Required,
    /// The field does not have the form that its message describes.
    Invalid,
    /// Somebody else has it already.
    Taken,
    /// Shorter than the limit that the message states.
    TooShort,
    /// Longer than the limit that the message states.
    TooLong,
    /// Too easy to guess.
    TooWeak,
    /// No account has this identifier with this password.
    WrongCredentials,
    /// It was valid once, and no longer is.
    Expired,
    /// What the input names does not exist, or is not the caller's.
    NotFound,
    /// The present state is not the one that the input expects.
    Conflict,
    /// The account has as many of these as it may have.
    LimitReached,
    /// The file's type is not accepted.
    UnsupportedMedia,
    /// The file is larger than the limit that the message states.
    TooLarge,
}

impl UserErrorCode {
    /// The code as a payload carries it: the schema's own name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::items().iter().find(|item| item.value == self).map_or("", |item| item.name)
    }
}

/// Something in the input that a person can correct.
#[derive(SimpleObject, Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    /// The reason, for the client's code.
    pub code: UserErrorCode,
    /// Where in the input, such as `["input", "password"]`. Null when no single field is at fault.
    pub field: Option<Vec<String>>,
    /// The reason, for a person, with the limit where there is one.
    pub message: String,
}

impl UserError {
    /// A fault of the field `name` of the argument `input`.
    pub fn of(name: &str, code: UserErrorCode, message: impl Into<String>) -> Self {
        let field = Some(vec!["input".to_owned(), name.to_owned()]);
        Self { code, field, message: message.into() }
    }
}

/// Why a verb did not do what it was asked.
#[derive(Clone, Debug)]
pub enum Error {
    /// Nobody is signed in.
    Unauthenticated,
    /// The access token is malformed, not ours, expired, or of an ended session. Which, is not told.
    InvalidToken,
    /// The caller is known and may not do this; the text says why.
    Forbidden(String),
    /// What is named does not exist or is not the caller's; the text names it.
    NotFound(&'static str),
    /// A value that the argument cannot have; the text says which and why.
    BadInput(String),
    /// The request contradicts an earlier one; the text says how.
    Conflict(String),
    /// The counter would go past its upper bound.
    CounterExhausted {
        /// The bound.
        max: i64,
    },
    /// Too many attempts; nothing was done.
    RateLimited {
        /// After how many seconds the next one is possible.
        retry_after_seconds: u32,
    },
    /// The user has as many idempotency records as one may have; nothing was done.
    TooManyRecords {
        /// The limit.
        max: i64,
        /// Seconds after which some may have expired.
        retry_after_seconds: u32,
    },
    /// A bounded resource is taken; nothing was done.
    Unavailable {
        /// After how many seconds it is worth trying again.
        retry_after_seconds: u32,
    },
    /// The input was refused; becomes the payload's `userErrors`.
    Invalid(Vec<UserError>),
    /// A fault of ours or of what we stand on.
    Internal(Arc<anyhow::Error>),
}

impl Error {
    /// A fault of ours: its text goes to the log, never to the client.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::Internal(Arc::new(cause.into()))
    }

    /// What an API key for one counter gets everywhere else.
    #[must_use]
    pub fn limited_to_counter() -> Self {
        Self::Forbidden("The API key is limited to one counter.".to_owned())
    }

    /// After how many seconds it is worth trying again, where that is all it takes.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u32> {
        match self {
            Self::RateLimited { retry_after_seconds }
            | Self::TooManyRecords { retry_after_seconds, .. }
            | Self::Unavailable { retry_after_seconds } => Some(*retry_after_seconds),
            _ => None,
        }
    }

    /// The code that the client gets.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Unauthenticated | Self::InvalidToken => ErrorCode::Unauthenticated,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::BadInput(_) | Self::Invalid(_) => ErrorCode::BadUserInput,
            Self::Conflict(_) => ErrorCode::Conflict,
            Self::CounterExhausted { .. } => ErrorCode::CounterExhausted,
            Self::RateLimited { .. } | Self::TooManyRecords { .. } => ErrorCode::RateLimited,
            Self::Unavailable { .. } => ErrorCode::Unavailable,
            Self::Internal(_) => ErrorCode::InternalServerError,
        }
    }

    /// The message that the client gets.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Unauthenticated => "Sign in first: send `Authorization: Bearer <accessToken>`.".to_owned(),
            Self::InvalidToken => "The access token is malformed, expired, or of a session that has ended.".to_owned(),
            Self::NotFound(what) => format!("There is no such {what}."),
            Self::Forbidden(message) | Self::BadInput(message) | Self::Conflict(message) => message.clone(),
            Self::CounterExhausted { max } => format!("The counter cannot go past {max}."),
            Self::RateLimited { retry_after_seconds } => {
                format!("Too many attempts: this was not done. Try again in {retry_after_seconds} s.")
            }
            Self::TooManyRecords { max, .. } => {
                let limit = format!("A user has at most {max} idempotency records at a time");
                format!("{limit}, and each lives for 24 hours: this was not done. Try later, or without a key.")
            }
            Self::Unavailable { retry_after_seconds } => {
                format!("The server is too busy: this was not done. Try again in {retry_after_seconds} s.")
            }
            Self::Invalid(errors) => errors.iter().map(|e| e.message.as_str()).collect::<Vec<_>>().join(" "),
            Self::Internal(_) => "Internal error.".to_owned(),
        }
    }

    /// Splits what a person can correct from what goes to the response's `errors`.
    ///
    /// # Errors
    /// Whatever is not [`Error::Invalid`].
    pub fn user_errors<T>(result: Result<T, Self>) -> Result<Result<T, Vec<UserError>>, Self> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(Self::Invalid(errors)) => Ok(Err(errors)),
            Err(error) => Err(error),
        }
    }
}

impl From<UserError> for Error {
    fn from(error: UserError) -> Self {
        Self::Invalid(vec![error])
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Self::Unavailable { retry_after_seconds: 1 },
            error => Self::internal(error),
        }
    }
}

/// The edge towards GraphQL. A bug's cause rides along as the source, for the log.
impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code().name());
        if let Some(seconds) = error.retry_after_seconds() {
            extensions.set("retryAfterSeconds", seconds);
        }
        Self {
            message: error.message(),
            extensions: Some(extensions),
            source: match error {
                Error::Internal(cause) => Some(cause),
                _ => None,
            },
        }
    }
}

/// The edge towards HTTP, for what ends before GraphQL begins: the same shape, with a status. A bug's cause
/// rides along as an extension, for the log.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self.code() {
            ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let mut response = error_response(status, self.code(), &self.message());
        match self {
            Self::InvalidToken => {
                let challenge = HeaderValue::from_static("Bearer realm=\"cloakroom\", error=\"invalid_token\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            Self::RateLimited { retry_after_seconds } | Self::Unavailable { retry_after_seconds } => {
                response.headers_mut().insert(header::RETRY_AFTER, retry_after_seconds.into());
            }
            Self::Internal(cause) => drop(response.extensions_mut().insert(cause)),
            _ => {}
        }
        response
    }
}

/// A response with one GraphQL error and no `data`, for a request that never reached a resolver.
#[must_use]
pub fn error_response(status: StatusCode, code: ErrorCode, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [{ "message": message, "extensions": { "code": code.name() } }] });
    let media_type = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    (status, media_type, body.to_string()).into_response()
}
