//! HTTP: the route table, and what surrounds every route.
//!
//! | path | methods | |
//! | --- | --- | --- |
//! | `/graphql` | GET (no mutations), POST | the API: `graphql.rs`; with files: `multipart/`; as events: `live/` |
//! | `/graphql` | GET with `Upgrade: websocket` | subscriptions, and everything else: `live/` |
//! | `/`, `/playground/…` | GET | the playground, embedded: `playground.rs` |
//! | `/verify-email`, `/reset-password`, `/restore-account`, `/links/…` | GET | the pages behind the links in mails: `links.rs` |
//! | `/photos/{photo}/{file}` | GET | images, by signed links: `photos.rs` |
//! | `/healthz` | GET | alive |
//! | `/readyz`, `/health` | GET | database, disk, keys and storage work, each by a probe |
//! | `/readyz/{part}` | GET | one of them works |
//! | `/.well-known/jwks.json` | GET | the public halves of the signing keys |
//!
//! **Invariant:** nothing here knows an entity or decides what a caller may do.
//! **Invariant:** a request that could come from another site's page without a preflight executes nothing but
//! queries and, as an event stream, subscriptions: it changes nothing. Credentials are never taken from cookies or URLs.

mod authorization;
mod body;
mod callers;
mod conditions;
mod cors;
mod counted_body;
mod edge;
mod graphql;
mod health;
mod host;
mod idempotency_key;
mod links;
mod listener;
mod live;
mod media_type;
mod memory_budget;
mod multipart;
mod operation_log;
mod origin;
mod pace;
mod paced_body;
mod parameters;
mod photos;
mod places;
mod playground;
mod reserve;
mod response;
mod serve;
mod stream;
mod variables;

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::caller::Origin;
use crate::config::{self, Config};
use crate::error::ErrorCode;
use crate::schema::Schema;

use edge::RequestContext;
use memory_budget::MemoryBudget;
use response::error_response;

pub use cors::Cors;
pub use listener::Listeners;
pub use origin::Peer;
pub use serve::serve;

/// The message for a path that has no resource.
const NOT_FOUND: &str = "There is nothing here.";

/// What every handler needs.
pub struct Server {
    app: Arc<App>,
    schema: Schema,
    settings: config::Http,
    /// URLs in responses have the host of their request: `server.public_url` is not set.
    urls_have_request_host: bool,
    cors: Arc<Cors>,
    live: live::Live,
    memory: MemoryBudget,
    intake: multipart::Intake,
}

impl Server {
    /// The origin of a request with these headers from `peer`.
    fn origin(&self, headers: &HeaderMap, peer: Option<Peer>) -> Origin {
        let trusted = &self.settings.trusted_proxies;
        let mut origin = origin::of(headers, peer, trusted);
        if self.urls_have_request_host {
            origin.base_url = origin::base_url(headers, peer, trusted);
        }
        origin
    }
}

/// Every route and layer of the server over `app`.
///
/// # Errors
/// An origin in `http.cors_origins` that is not one.
pub fn router(app: Arc<App>, config: &Config) -> anyhow::Result<Router> {
    Ok(router_with(app, config, Arc::new(Cors::new(config)?)))
}

/// The same, with the origins that `cors` allows.
pub fn router_with(app: Arc<App>, config: &Config, cors: Arc<Cors>) -> Router {
    let schema = Schema::new(Arc::clone(&app), config);
    let intake = multipart::Intake::new(app.uploads.clone(), config);
    let (settings, live) = (config.http.clone(), live::Live::new(config));
    let urls_have_request_host = config.server.public_url.is_none();
    let memory = MemoryBudget::new(config.http.max_buffered_bytes);
    let server = Arc::new(Server { app, schema, settings, urls_have_request_host, cors, live, memory, intake });
    let mut router = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/verify-email", get(links::verify_email))
        .route("/reset-password", get(links::reset_password))
        .route("/restore-account", get(links::restore_account))
        .route("/links/{file}", get(links::file))
        .route("/photos/{photo}/{file}", get(photos::image))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/readyz/{part}", get(health::ready_part))
        .route("/health", get(health::ready))
        .route("/.well-known/jwks.json", get(health::jwks));
    if config.graphql.playground {
        router = router.route("/", get(playground::index)).route("/playground/{file}", get(playground::file));
    }
    let router =
        router.fallback(not_found).method_not_allowed_fallback(method_not_allowed).with_state(Arc::clone(&server));
    // The first is the outermost. Together, because each call of `layer` costs every request an allocation.
    let around = axum::middleware::from_fn_with_state(server, edge::around);
    router.layer((around, CatchPanicLayer::custom(edge::panicked)))
}

async fn not_found(Extension(context): Extension<RequestContext>) -> Response {
    error_response(context.accepted.error, StatusCode::NOT_FOUND, ErrorCode::NotFound, NOT_FOUND)
}

async fn method_not_allowed(Extension(context): Extension<RequestContext>) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    error_response(context.accepted.error, status, ErrorCode::BadUserInput, "This method is not allowed here.")
}
