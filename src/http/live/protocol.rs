//! The messages of `graphql-transport-ws` (the PROTOCOL.md of enisdenjo/graphql-ws), and why a socket is closed.

use std::borrow::Cow;
use std::collections::HashMap;

use async_graphql::ServerError;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, ErrorCode};
use crate::http::parameters::Parameters;
use crate::http::response::Envelope;

/// The WebSocket subprotocol.
pub(super) const NAME: &str = "graphql-transport-ws";
/// Bytes of an operation's id.
const MAX_ID_BYTES: usize = 256;

/// What a client sends.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromClient {
    ConnectionInit {
        payload: Option<Map<String, Value>>,
    },
    Ping {
        payload: Option<Map<String, Value>>,
    },
    Pong {
        #[serde(rename = "payload")]
        _payload: Option<HashMap<String, IgnoredAny>>,
    },
    Subscribe {
        id: String,
        payload: Parameters,
    },
    Complete {
        id: String,
    },
}

impl FromClient {
    /// Reads a message.
    pub(super) fn parse(text: &str) -> Result<Self, Ending> {
        let message = serde_json::from_str(text).map_err(|_| Ending::INVALID)?;
        match &message {
            Self::Subscribe { id, .. } | Self::Complete { id } if !(1..=MAX_ID_BYTES).contains(&id.len()) => {
                Err(Ending::INVALID)
            }
            _ => Ok(message),
        }
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
        payload: Option<Map<String, Value>>,
    },
    Next {
        id: &'m str,
        payload: Envelope<'m>,
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
    pub(super) const TOO_LARGE: Self = Self::of(1009, "The message is too large");
    pub(super) const BUSY: Self = Self::of(1013, "The server is too busy: try again later");
    pub(super) const INVALID: Self = Self::of(4400, "Invalid message");
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

    /// Why a socket is closed that cannot be read any more.
    pub(super) fn unreadable(error: axum::Error) -> Self {
        match error.into_inner().downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Capacity(_)) => Self::TOO_LARGE,
            Some(tungstenite::Error::Utf8(_)) => Self::NO_TEXT,
            _ => Self::BROKEN,
        }
    }

    /// Whether the client may still be sending what nobody reads.
    pub(super) fn is_unreadable(&self) -> bool {
        [&Self::TOO_LARGE, &Self::NO_TEXT, &Self::BROKEN].contains(&self)
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
