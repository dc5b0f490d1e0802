//! What can go wrong, told apart by who can put it right.
//!
//! * A person, by typing something else: [`UserError`], data in a payload's `userErrors`.
//! * The client, the caller's rights or the server: [`Error`], an entry of `errors` whose
//!   `extensions.code` is an [`ErrorCode`].
//!
//! **Invariant:** [`Error`] has no `Display`, so that async-graphql's blanket conversion can neither
//! leak its text nor lose its code. Messages are safe constants; the cause of a bug goes to the log alone.

mod cause;
mod disk;

use std::io;
use std::sync::Arc;

use async_graphql::resolver_utils::EnumType as _;
use async_graphql::{Enum, ErrorExtensionValues, SimpleObject};

pub use cause::{Cause, chain, one_line};

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
    /// Too many requests. Nothing was done: retry after the seconds in `Retry-After` or
    /// `extensions.retryAfterSeconds`.
    RateLimited,
    /// The request is larger than the server accepts.
    PayloadTooLarge,
    /// Too busy. Nothing was done: retry after the seconds in `Retry-After` or
    /// `extensions.retryAfterSeconds`. Without either, the request took too long and may have taken effect.
    Unavailable,
    /// The document is not GraphQL.
    GraphqlParseFailed,
    /// The document does not fit the schema.
    GraphqlValidationFailed,
    /// The document exceeds one of the limits listed under `server { limits }`.
    QueryTooComplex,
    /// The persisted query is not known: send the whole document.
    PersistedQueryNotFound,
    /// A fault in the server: the request may have taken effect. `extensions.requestId` finds it in the server's log.
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

/// Seconds after which it is worth trying again when the disk is full.
pub const RETRY_AFTER_FULL_SECONDS: u32 = 30;

/// The message of a bug.
pub const INTERNAL: &str = "Internal error.";
/// The message for an effect that may have happened.
pub const OUTCOME_UNKNOWN: &str = "The database did not confirm this: it may have been done. Retry with the same \
                                   idempotency key, or check before you repeat it.";

/// Something that the server stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// The SQL database.
    Database,
    /// The disk of the database or of the data directory.
    Disk,
    /// The files with the signing keys.
    Keys,
    /// The storage of photos.
    Storage,
}

impl Dependency {
    fn sentence(self) -> &'static str {
        match self {
            Self::Database => "The database is unavailable",
            Self::Disk => "The server's disk is full, or cannot be read or written",
            Self::Keys => "The server cannot read its signing keys",
            Self::Storage => "The photo storage is unavailable",
        }
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
    /// Something that the server stands on does not work; nothing was done.
    DependencyUnavailable {
        /// The part that failed.
        dependency: Dependency,
        /// Seconds after which it is worth trying again.
        retry_after_seconds: u32,
        /// The reason, for the log.
        cause: Cause,
    },
    /// The connection to the database was lost while it committed: the effect may have happened or not.
    OutcomeUnknown(Cause),
    /// The input was refused; becomes the payload's `userErrors`.
    Invalid(Vec<UserError>),
    /// A fault of ours or of what we stand on.
    Internal(Cause),
}

impl Error {
    /// A fault of ours: its text goes to the log, never to the client.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::Internal(Cause::new(cause))
    }

    /// An error of the file system, before anything was done: a bug, unless the disk or the limit
    /// of open files is the cause.
    #[must_use]
    pub fn from_disk(error: io::Error) -> Self {
        match disk::is_of_disk(&error) {
            true => Self::dependency_unavailable(Dependency::Disk, RETRY_AFTER_FULL_SECONDS, error),
            false => Self::internal(error),
        }
    }

    /// The same error of the object `name` inside the argument `input`: its fields are those of that
    /// object.
    #[must_use]
    pub fn within(self, name: &str) -> Self {
        let Self::Invalid(mut faults) = self else { return self };
        for path in faults.iter_mut().filter_map(|fault| fault.field.as_mut()) {
            path.insert(1.min(path.len()), name.to_owned());
        }
        Self::Invalid(faults)
    }

    /// Nothing was done, because `dependency` does not work.
    pub fn dependency_unavailable(
        dependency: Dependency,
        retry_after_seconds: u32,
        cause: impl Into<anyhow::Error>,
    ) -> Self {
        Self::DependencyUnavailable { dependency, retry_after_seconds, cause: Cause::new(cause) }
    }

    /// The effect may have happened.
    pub fn outcome_unknown(cause: impl Into<anyhow::Error>) -> Self {
        Self::OutcomeUnknown(Cause::new(cause))
    }

    /// The reason for the log, where there is more to say than the client gets.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Internal(cause) | Self::OutcomeUnknown(cause) | Self::DependencyUnavailable { cause, .. } => {
                Some(cause)
            }
            _ => None,
        }
    }

    /// The reason for the log: the cause, or else the message for the client.
    #[must_use]
    pub fn reason(&self) -> String {
        self.cause().map_or_else(|| self.message(), Cause::to_string)
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
            | Self::Unavailable { retry_after_seconds }
            | Self::DependencyUnavailable { retry_after_seconds, .. } => Some(*retry_after_seconds),
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
            Self::Unavailable { .. } | Self::DependencyUnavailable { .. } => ErrorCode::Unavailable,
            Self::Internal(_) | Self::OutcomeUnknown(_) => ErrorCode::InternalServerError,
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
            Self::DependencyUnavailable { dependency, retry_after_seconds, .. } => {
                format!("{}: this was not done. Try again in {retry_after_seconds} s.", dependency.sentence())
            }
            Self::OutcomeUnknown(_) => OUTCOME_UNKNOWN.to_owned(),
            Self::Invalid(errors) => errors.iter().map(|e| e.message.as_str()).collect::<Vec<_>>().join(" "),
            Self::Internal(_) => INTERNAL.to_owned(),
        }
    }
}

impl From<UserError> for Error {
    fn from(error: UserError) -> Self {
        Self::Invalid(vec![error])
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
            source: error.cause().map(|cause| Arc::new(cause.clone()) as _),
        }
    }
}
