//! The playground: GraphiQL, built by `playground/` and embedded, so that it works without a network.

use std::borrow::Cow;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use rust_embed::{Embed, EmbeddedFile};

use crate::error::ErrorCode;
use crate::http::NOT_FOUND;
use crate::http::media_type::JsonType;
use crate::http::response::error_response;

/// Only what the build brought along runs; GraphiQL's editor styles itself inline. Pictures are those of this server,
/// the `blob:` of a file that is about to be uploaded, and the `data:` that is drawn until a picture has arrived.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; worker-src 'self'; \
     img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

#[derive(Embed)]
#[folder = "playground/dist/"]
struct Dist;

/// The page.
pub(super) async fn index(headers: HeaderMap) -> Response {
    answer(&headers, "index.html")
}

/// What the page loads. The names come from the build: no path of a client's reaches a disk.
pub(super) async fn file(headers: HeaderMap, name: Result<Path<String>, PathRejection>) -> Response {
    // A name that is no UTF-8 is none of ours, as the empty one.
    answer(&headers, name.as_deref().map_or("", String::as_str))
}

fn answer(headers: &HeaderMap, name: &str) -> Response {
    let Some(file) = Dist::get(name) else {
        return error_response(JsonType::Legacy, StatusCode::NOT_FOUND, ErrorCode::NotFound, NOT_FOUND);
    };
    let etag = etag(&file);
    let unchanged = headers.get(header::IF_NONE_MATCH).is_some_and(|known| Some(known) == etag.as_ref());
    let mut response = if unchanged { StatusCode::NOT_MODIFIED.into_response() } else { whole(file) };
    let sent = response.headers_mut();
    sent.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    sent.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    sent.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(etag) = etag {
        sent.insert(header::ETAG, etag);
    }
    response
}

/// Never a copy: clients that ask for megabytes and do not read them cost nothing.
fn whole(file: EmbeddedFile) -> Response {
    match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes).into_response(),
        Cow::Owned(bytes) => bytes.into_response(),
    }
}

fn etag(file: &EmbeddedFile) -> Option<HeaderValue> {
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{hash}\"")).ok()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "ttf" => "font/ttf",
        "md" => "text/markdown; charset=utf-8",
        _ => "application/octet-stream",
    }
}
