//! For machines: is the server alive, is it ready, and with which keys does it sign?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::http::Server;
use crate::http::media_type::JsonType;
use crate::http::response::refuse;

/// The process answers.
pub(super) async fn alive() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// Requests can be served. What stands in the way is in the log, not in the answer.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Response {
    match server.app.ready().await {
        Ok(()) => Json(json!({ "status": "ok" })).into_response(),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unavailable" }))).into_response()
        }
    }
}

/// The public halves of the signing keys, for services that check access tokens themselves (RFC 7517).
pub(super) async fn jwks(State(server): State<Arc<Server>>) -> Response {
    match server.app.accounts.jwks() {
        Ok(keys) => {
            let mut response = Json(keys).into_response();
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
            response
        }
        Err(error) => refuse(JsonType::Legacy, error),
    }
}
