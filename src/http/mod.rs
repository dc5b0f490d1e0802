//! HTTP: the route table, and what surrounds every route.
//!
//! | path | methods | |
//! | --- | --- | --- |
//! | `/graphql` | GET (no mutations), POST | the API: `graphql.rs`; with files: `multipart/`; as events: `live/` |
//! | `/graphql` | GET with `Upgrade: websocket` | subscriptions, and everything else: `live/` |
//! | `/`, `/playground/…` | GET | the playground, embedded: `playground.rs` |
//! | `/verify-email`, `/reset-password`, `/links/…` | GET | the pages behind the links in mails: `links.rs` |
//! | `/photos/{photo}/{file}` | GET | images, by signed links: `photos.rs` |
//! | `/healthz` | GET | alive |
//! | `/readyz`, `/health` | GET | alive, database reachable and migrated |
//! | `/.well-known/jwks.json` | GET | the public halves of the signing keys |
//!
//! **Invariant:** nothing here knows an entity or decides what a caller may do.
//! **Invariant:** a request that could come from another site's page without a preflight executes nothing but
//! queries and, as an event stream, subscriptions: it changes nothing. Credentials are never taken from cookies or URLs.

mod callers;
mod conditions;
mod edge;
mod graphql;
mod health;
mod links;
mod live;
mod media_type;
mod multipart;
mod operation_log;
mod origin;
mod parameters;
mod photos;
mod playground;
mod serve;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::app::App;
use crate::config::{self, Config};
use crate::error::{ErrorCode, error_response};
use crate::schema::Schema;

pub use origin::Peer;
pub use serve::serve;

/// What every handler needs.
pub struct Server {
    app: Arc<App>,
    schema: Schema,
    settings: config::Http,
    live: live::Live,
    intake: multipart::Intake,
}

/// Every route and layer of the server over `app`.
///
/// # Errors
/// An origin in `http.cors_origins` that is none.
pub fn router(app: Arc<App>, config: &Config) -> anyhow::Result<Router> {
    let schema = Schema::new(Arc::clone(&app), config);
    let intake = multipart::Intake::new(app.uploads.clone(), config);
    let server = Server { app, schema, settings: config.http.clone(), live: live::Live::new(config), intake };
    let server = Arc::new(server);
    let mut router = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/verify-email", get(links::verify_email))
        .route("/reset-password", get(links::reset_password))
        .route("/links/{file}", get(links::file))
        .route("/photos/{photo}/{file}", get(photos::image))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::ready))
        .route("/.well-known/jwks.json", get(health::jwks));
    if config.graphql.playground {
        router = router.route("/", get(playground::index)).route("/playground/{file}", get(playground::file));
    }
    let router = router
        .fallback(|| async { error_response(StatusCode::NOT_FOUND, ErrorCode::NotFound, "There is nothing here.") })
        .method_not_allowed_fallback(|| async {
            error_response(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, "This method is not allowed here.")
        })
        .with_state(Arc::clone(&server));
    // The first is the outermost. Together, because each call of `layer` costs every request an allocation.
    let around = axum::middleware::from_fn_with_state(server, edge::around);
    let panics = CatchPanicLayer::custom(edge::panicked);
    Ok(match config.http.cors_origins.is_empty() {
        true => router.layer((around, panics)),
        false => router.layer((around, cors(&config.http)?, panics)),
    })
}

/// Lets the front ends of other origins in. No cookies, so no credentials.
fn cors(settings: &config::Http) -> anyhow::Result<CorsLayer> {
    let origins: Vec<HeaderValue> =
        settings.cors_origins.iter().map(|origin| origin.parse()).collect::<Result<_, _>>()?;
    let any = origins.iter().any(|origin| origin == "*");
    let own = [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, HeaderName::from_static("idempotency-key")];
    let allowed = own.into_iter().chain(multipart::PREFLIGHT);
    Ok(CorsLayer::new()
        .allow_origin(if any { AllowOrigin::any() } else { AllowOrigin::list(origins) })
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::list(allowed))
        .expose_headers([header::RETRY_AFTER, HeaderName::from_static(edge::REQUEST_ID)])
        .max_age(std::time::Duration::from_secs(3600)))
}
