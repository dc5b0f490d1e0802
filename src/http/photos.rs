//! Images by their signed links, as `photos/links.rs` makes them.
//!
//! A link needs no token: whoever has it sees the image, for as long as it is good. What is wrong with one that is
//! not, is not told. Small images come from memory; larger ones are read as fast as the client takes them.
//!
//! **Invariant:** nothing of a path or a name from outside reaches the storage or a header.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::TryStreamExt as _;
use serde::Deserialize;

use crate::error::{Error, ErrorCode};
use crate::http::Server;
use crate::http::conditions::{Wanted, wanted};
use crate::http::media_type::JsonType;
use crate::http::response::{error_response, refuse};
use crate::photos::serve::{Content, Served};

/// An image is shown, and does nothing, wherever it is opened.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The query of a link.
#[derive(Deserialize)]
pub(super) struct Signature {
    until: String,
    signature: String,
}

/// `GET` and `HEAD /photos/{photo}/{file}`
pub(super) async fn image(
    State(server): State<Arc<Server>>,
    method: Method,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Signature>, QueryRejection>,
) -> Response {
    let (Ok(Path((photo, file))), Ok(Query(link))) = (path, query) else { return absent() };
    match server.app.photos.find_served(&photo, &file, &link.until, &link.signature).await {
        Ok(Some(served)) => match answer(&server, &method, &headers, &served).await {
            Ok(response) => response,
            Err(error) => refuse(JsonType::Legacy, error),
        },
        Ok(None) => absent(),
        Err(error) => refuse(JsonType::Legacy, error),
    }
}

fn absent() -> Response {
    let message = "There is no such image, or its link is no longer good.";
    error_response(JsonType::Legacy, StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
}

async fn answer(server: &Server, method: &Method, headers: &HeaderMap, served: &Served) -> Result<Response, Error> {
    let etag = format!("\"{}\"", served.hash);
    let length = served.byte_size;
    let mut response = match wanted(method, headers, &etag, length) {
        Wanted::Whole => send(server, method, served, 0..length).await?,
        Wanted::Part(range) => {
            let place = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
            let mut response = send(server, method, served, range).await?;
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            response.headers_mut().insert(header::CONTENT_RANGE, value(place)?);
            response
        }
        Wanted::Nothing => StatusCode::NOT_MODIFIED.into_response(),
        Wanted::Refused => {
            let message = "The image is not the one that `If-Match` names.";
            let status = StatusCode::PRECONDITION_FAILED;
            return Ok(error_response(JsonType::Legacy, status, ErrorCode::Conflict, message));
        }
        Wanted::NoSuchPart => {
            let message = format!("The image has {length} bytes.");
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            let mut response = error_response(JsonType::Legacy, status, ErrorCode::BadUserInput, &message);
            response.headers_mut().insert(header::CONTENT_RANGE, value(format!("bytes */{length}"))?);
            return Ok(response);
        }
    };
    let sent = response.headers_mut();
    sent.insert(header::ETAG, value(etag)?);
    let cache = format!("private, max-age={}, immutable", served.good_for_seconds);
    sent.insert(header::CACHE_CONTROL, value(cache)?);
    sent.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    // Pages of other origins may show it: having the link is the permission.
    sent.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    sent.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    Ok(response)
}

/// These bytes of the image; to `HEAD`, only how many.
async fn send(server: &Server, method: &Method, served: &Served, range: Range<u64>) -> Result<Response, Error> {
    let length = range.end.saturating_sub(range.start);
    let body = match *method == Method::HEAD {
        true => Body::empty(),
        false => match server.app.photos.read_served(served, range).await? {
            Content::Whole(bytes) => Body::from(bytes),
            Content::Pieces(pieces) => Body::from_stream(pieces.map_err(broken_off)),
        },
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(served.content_type));
    headers.insert(header::CONTENT_DISPOSITION, value(format!("inline; filename=\"{}\"", served.file_name))?);
    Ok(response)
}

/// The head is sent: all that can be done is to end the connection before the promised length.
#[expect(clippy::needless_pass_by_value, reason = "a function for `map_err`")]
fn broken_off(error: Error) -> io::Error {
    tracing::error!(error = error.reason(), "an image broke off");
    io::Error::other("the image broke off")
}

fn value(text: String) -> Result<HeaderValue, Error> {
    HeaderValue::try_from(text).map_err(Error::internal)
}
