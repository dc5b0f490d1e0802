//! The pages behind the links in mails: to confirm an address, to choose a new password, to bring a deleted account back.
//!
//! A page is the same for everybody. The token is in the link's fragment, which no browser sends: no log of ours or
//! of a proxy's has it. The page's script takes it out of the address bar, and sends it when the button is pressed.
//!
//! **Invariant:** reading a page changes nothing: mail scanners open every link, and some run its scripts.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::error::ErrorCode;
use crate::http::NOT_FOUND;
use crate::http::media_type::JsonType;
use crate::http::response::error_response;

/// Nothing inline, nothing from elsewhere, and no form is sent by the browser itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// `GET /verify-email`
pub(super) async fn verify_email() -> Response {
    page(include_str!("links/verify-email.html"))
}

/// `GET /reset-password`. Without a token it offers to ask for a mail.
pub(super) async fn reset_password() -> Response {
    page(include_str!("links/reset-password.html"))
}

/// `GET /restore-account`. Without a token it asks for the account's name.
pub(super) async fn restore_account() -> Response {
    page(include_str!("links/restore-account.html"))
}

/// What the pages load.
pub(super) async fn file(name: Result<Path<String>, PathRejection>) -> Response {
    match name.as_deref().map_or("", String::as_str) {
        "links.css" => answer("text/css; charset=utf-8", include_str!("links/links.css")),
        "links.js" => script(include_str!("links/links.js")),
        "verify-email.js" => script(include_str!("links/verify-email.js")),
        "reset-password.js" => script(include_str!("links/reset-password.js")),
        "restore-account.js" => script(include_str!("links/restore-account.js")),
        _ => error_response(JsonType::Legacy, StatusCode::NOT_FOUND, ErrorCode::NotFound, NOT_FOUND),
    }
}

fn page(text: &'static str) -> Response {
    answer("text/html; charset=utf-8", text)
}

fn script(text: &'static str) -> Response {
    answer("text/javascript; charset=utf-8", text)
}

fn answer(content_type: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}
