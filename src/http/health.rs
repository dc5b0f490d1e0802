//! For machines: is the server alive, is it ready, and with which keys does it sign?

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde_json::json;

use crate::http::edge::RequestContext;
use crate::http::media_type::JsonType;
use crate::http::response::refuse;
use crate::http::{Server, not_found};

/// The process answers.
pub(super) async fn alive() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// Requests can be served: the outcome of the probes, by part. The reasons are in the log, not in the
/// answer.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Response {
    let report = match server.app.readiness().await {
        Ok(report) => report,
        Err(error) => return refuse(JsonType::Legacy, error),
    };
    let mut body = serde_json::Map::from_iter([("status".to_owned(), word(report.is_ready()).into())]);
    body.extend(report.parts().map(|(part, verdict)| (part.to_owned(), word_of(part, verdict).into())));
    (status(report.is_ready()), Json(body)).into_response()
}

/// One part works.
pub(super) async fn ready_part(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    context: Extension<RequestContext>,
) -> Response {
    let report = match server.app.readiness().await {
        Ok(report) => report,
        Err(error) => return refuse(JsonType::Legacy, error),
    };
    match report.parts().into_iter().find(|(part, _)| *part == name) {
        Some((_, verdict)) => {
            (status(verdict.is_ok()), Json(json!({ "status": word_of(&name, verdict) }))).into_response()
        }
        None => not_found(context).await,
    }
}

/// The state of a part. Signing keys that cannot be used leave the others, so they are no outage.
fn word_of(part: &str, verdict: &Result<(), String>) -> &'static str {
    if part == "keys" && verdict.is_err() { "degraded" } else { word(verdict.is_ok()) }
}

fn word(is_fine: bool) -> &'static str {
    if is_fine { "ok" } else { "unavailable" }
}

fn status(is_fine: bool) -> StatusCode {
    if is_fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// The public halves of the signing keys, for services that check access tokens themselves (RFC 7517).
pub(super) async fn jwks(State(server): State<Arc<Server>>) -> Response {
    let mut response = Json(server.app.accounts.jwks()).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    response
}
