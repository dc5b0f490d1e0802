//! The opening handshake of a WebSocket (RFC 6455, section 4.2).

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, header};
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tungstenite::handshake::server::create_response;
use tungstenite::protocol::{Role, WebSocketConfig};

use crate::http::live::frames::{Frames, PIECE_BYTES};
use crate::http::live::protocol;
use crate::http::memory_budget::Charge;

/// Bytes that the library reads ahead, and those that it gathers before it writes: they are kept
/// for as long as the socket is open.
const READ_BUFFER_BYTES: usize = 512;
const WRITE_BUFFER_BYTES: usize = 2048;

/// A connection that has become a WebSocket.
pub(super) type Connected = WebSocketStream<Frames<TokioIo<Upgraded>>>;

/// A handshake that has been accepted.
pub(super) struct Handshake {
    /// The connection, once the response has been sent.
    pub(super) upgrade: OnUpgrade,
    /// The response that completes it.
    pub(super) response: Response,
    /// True if the client offers the subprotocol that is spoken here.
    pub(super) is_offered: bool,
}

/// Accepts the handshake in this request.
///
/// # Errors
/// The reason why it is none, for the client.
pub(super) fn accept(mut parts: Parts) -> Result<Handshake, String> {
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or("the connection cannot be upgraded")?;
    let is_offered = offers_protocol(&parts);
    let request = Request::from_parts(parts, ());
    let mut response = create_response(&request).map_err(|error| error.to_string())?.map(|()| Body::empty());
    if is_offered {
        let name = HeaderValue::from_static(protocol::NAME);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    Ok(Handshake { upgrade, response, is_offered })
}

fn offers_protocol(parts: &Parts) -> bool {
    let lines = parts.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().map(HeaderValue::as_bytes);
    let names = lines.flat_map(|line| line.split(|byte| *byte == b','));
    names.map(<[u8]>::trim_ascii).any(|name| name == protocol::NAME.as_bytes())
}

/// The WebSocket, once the response to its handshake has been sent. Its messages have at most
/// `max_message_bytes`.
pub(super) async fn connect(upgrade: OnUpgrade, max_message_bytes: usize, charge: Charge) -> hyper::Result<Connected> {
    let connection = TokioIo::new(upgrade.await?);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_frame_size(Some(PIECE_BYTES))
        .max_message_size(Some(max_message_bytes));
    Ok(WebSocketStream::from_raw_socket(Frames::new(connection, charge), Role::Server, Some(config)).await)
}
