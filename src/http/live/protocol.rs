//! The messages of `graphql-transport-ws` (the PROTOCOL.md of enisdenjo/graphql-ws), and why a socket is closed.

use std::borrow::Cow;

use async_graphql::ServerError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorCode};
use crate::http::live::frames::{MAX_INIT_BYTES, RefusedFrame};
use crate::http::parameters::{self, InvalidParameters, Parameters};
use crate::http::response;

/// The WebSocket subprotocol.
pub(super) const NAME: &str = "graphql-transport-ws";
/// Bytes of an operation's id.
const MAX_ID_BYTES: usize = 256;

/// What a client sends.
pub(super) enum FromClient<'t> {
    ConnectionInit {
        payload: Map<String, Value>,
    },
    Ping {
        payload: Option<&'t RawValue>,
    },
    Pong,
    Subscribe {
        id: String,
        /// Or the message for the client that sends too many values.
        payload: Result<Parameters, String>,
    },
    Complete {
        id: String,
    },
}

/// A message of any type. The payload stays text until the type is known, so that a junk payload is
/// never built.
#[derive(Deserialize)]
struct Envelope<'t> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'t, str>,
    #[serde(borrow)]
    id: Option<&'t RawValue>,
    #[serde(borrow)]
    payload: Option<&'t RawValue>,
}

impl<'t> FromClient<'t> {
    /// Reads a message.
    pub(super) fn parse(text: &'t str) -> Result<Self, Ending> {
        let Envelope { kind, id, payload } =
            serde_json::from_str(parameters::without_byte_order_mark(text)).map_err(|_| Ending::NO_MESSAGE)?;
        let id = || {
            let id: Option<String> = id.and_then(|json| serde_json::from_str(json.get()).ok());
            id.filter(|id| (1..=MAX_ID_BYTES).contains(&id.len())).ok_or(Ending::NO_ID)
        };
        match &*kind {
            "connection_init" => Ok(Self::ConnectionInit { payload: init_payload(payload)? }),
            "ping" => Ok(Self::Ping { payload: object(payload)? }),
            "pong" => object(payload).map(|_| Self::Pong),
            "subscribe" => {
                let payload = match parameters::from_json(payload.ok_or(Ending::NO_REQUEST)?.get()) {
                    Err(InvalidParameters::Malformed) => return Err(Ending::NO_REQUEST),
                    Err(InvalidParameters::TooManyValues(message)) => Err(message),
                    Ok(parameters) => Ok(parameters),
                };
                Ok(Self::Subscribe { id: id()?, payload })
            }
            "complete" => Ok(Self::Complete { id: id()? }),
            other => Err(Ending::of_type(other)),
        }
    }
}

/// A payload that is an object, or none.
fn object(payload: Option<&RawValue>) -> Result<Option<&RawValue>, Ending> {
    match payload {
        Some(json) if !json.get().starts_with('{') => Err(Ending::NO_OBJECT),
        payload => Ok(payload),
    }
}

/// The fields of `connection_init`. Only the first such message is read, which has at most 4 KiB.
fn init_payload(payload: Option<&RawValue>) -> Result<Map<String, Value>, Ending> {
    match payload {
        Some(json) if json.get().len() > MAX_INIT_BYTES => Err(Ending::TOO_MANY_INITS),
        Some(json) => serde_json::from_str(json.get()).map_err(|_| Ending::NO_OBJECT),
        None => Ok(Map::new()),
    }
}

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToClient<'m> {
    ConnectionAck {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Expiry>,
    },
    Ping {
        payload: Expiry,
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<&'m RawValue>,
    },
    Next {
        id: &'m str,
        payload: response::Envelope<'m>,
    },
    Error {
        id: &'m str,
        payload: &'m [ServerError],
    },
    Complete {
        id: &'m str,
    },
}

/// When the socket's token expires: told with the acknowledgement, and in a ping shortly before.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Expiry {
    pub(super) expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warning: Option<&'static str>,
}

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// RFC 6455, section 7.4, or the subprotocol.
    pub(super) code: u16,
    /// 123 bytes at most.
    pub(super) reason: Cow<'static, str>,
}

impl Ending {
    pub(super) const NORMAL: Self = Self::of(1000, "");
    pub(super) const STOPPING: Self = Self::of(1001, "The server stops: connect again");
    pub(super) const SILENT: Self = Self::of(1001, "No sign of life");
    pub(super) const BROKEN: Self = Self::of(1002, "This is no WebSocket message");
    pub(super) const NO_TEXT: Self = Self::of(1007, "The text is not UTF-8");
    pub(super) const TOO_LARGE: Self = Self::of(1009, "The message is too large: it exceeds http.max_body_bytes");
    pub(super) const TOO_LARGE_BEFORE_INIT: Self =
        Self::of(1009, "The message is too large: before connection_init it has at most 4096 bytes");
    pub(super) const BUSY: Self = Self::of(1013, "The server is too busy: try again later");
    pub(super) const BINARY: Self = Self::of(4400, "A message is JSON in a text frame, not in a binary one");
    const NO_MESSAGE: Self = Self::of(4400, "A message is a JSON object with a text as its `type`");
    const NO_ID: Self = Self::of(4400, "The `id` of an operation is a text of 1 to 256 bytes");
    const NO_REQUEST: Self = Self::of(
        4400,
        "The `payload` of `subscribe` has `query`, and may have `operationName`, `variables`, `extensions`",
    );
    const NO_OBJECT: Self = Self::of(4400, "A `payload` is a JSON object");
    pub(super) const UNAUTHORIZED: Self = Self::of(4401, "Unauthorized: send connection_init first");
    pub(super) const FORBIDDEN: Self = Self::of(4403, "Forbidden: the token is not valid");
    pub(super) const ENDED: Self = Self::of(4403, "Forbidden: the session has ended");
    pub(super) const EXPIRED: Self = Self::of(4403, "Forbidden: the token has expired");
    pub(super) const NO_SUBPROTOCOL: Self = Self::of(4406, "Subprotocol not acceptable: graphql-transport-ws is");
    pub(super) const INIT_TIMEOUT: Self = Self::of(4408, "Connection initialisation timeout");
    pub(super) const TOO_MANY_INITS: Self = Self::of(4429, "Too many initialisation requests");
    pub(super) const TOO_MANY_SOCKETS: Self = Self::of(4429, "Too many connections of this caller");
    pub(super) const FAULT: Self = Self::of(4500, "Internal server error");

    const fn of(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// Why a socket is closed on which a message of another type came.
    fn of_type(kind: &str) -> Self {
        // A reason has 123 bytes at most.
        let kind: String =
            kind.chars().take(20).map(|character| if character.is_ascii_graphic() { character } else { '?' }).collect();
        let reason = match kind.as_str() {
            "start" | "stop" | "connection_terminate" => {
                format!("`{kind}` is the message of an older protocol (subscriptions-transport-ws); use {NAME}")
            }
            "connection_ack" | "next" | "error" => format!("`{kind}` is a message that only the server sends"),
            _ => format!("`{kind}` is no message of {NAME}"),
        };
        Self { code: 4400, reason: Cow::Owned(reason) }
    }

    /// Why a socket is closed that cannot be read any more.
    pub(super) fn unreadable(error: &tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Capacity(_) => Self::TOO_LARGE,
            tungstenite::Error::Utf8(_) => Self::NO_TEXT,
            tungstenite::Error::Io(error) => {
                match error.get_ref().and_then(|error| error.downcast_ref::<RefusedFrame>()) {
                    Some(RefusedFrame::TooLarge) => Self::TOO_LARGE,
                    Some(RefusedFrame::TooLargeBeforeInit) => Self::TOO_LARGE_BEFORE_INIT,
                    Some(RefusedFrame::Overdrawn) => Self::BUSY,
                    Some(RefusedFrame::Malformed) | None => Self::BROKEN,
                }
            }
            _ => Self::BROKEN,
        }
    }

    /// The id is the client's own, and cut: a reason has 123 bytes at most.
    pub(super) fn duplicate(id: &str) -> Self {
        let id: String = id.chars().take(20).collect();
        Self { code: 4409, reason: Cow::Owned(format!("Subscriber for {id} already exists")) }
    }

    /// Why a socket is closed when its caller is refused.
    pub(super) fn of_error(error: Error) -> Self {
        let ending = match error.code() {
            ErrorCode::Unauthenticated => Self::FORBIDDEN,
            ErrorCode::RateLimited => Self::TOO_MANY_SOCKETS,
            ErrorCode::Unavailable => Self::BUSY,
            _ => Self::FAULT,
        };
        if let Error::Internal(cause) | Error::OutcomeUnknown(cause) | Error::DependencyUnavailable { cause, .. } =
            error
        {
            tracing::error!(error = %cause, "a socket is closed");
        }
        ending
    }
}
