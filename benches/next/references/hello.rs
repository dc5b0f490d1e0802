//! The ceiling: HTTP, and nothing behind it.

use axum::{Router, routing::get};

pub(super) fn router() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}
