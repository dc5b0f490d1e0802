//! HTTP: what is accepted, what is refused and how, and what happens when clients or the database misbehave.

mod bodies;
mod cors;
mod credentials;
mod cross_site;
mod error_types;
mod errors;
mod framing;
mod headers;
mod health;
mod hostile;
mod limits;
mod links;
mod log;
mod media_types;
mod memory_budget;
mod multipart;
mod overload;
mod peers;
mod playground;
mod shutdown;
mod slow_clients;
mod slow_transfers;
mod variables;

use axum::body::Body;
use axum::http::Request;

/// A POST to `/graphql` with this body and these headers, and no others.
fn post(headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    with(Request::post("/graphql"), headers, body)
}

/// A POST to `/graphql` of this JSON.
fn post_json(body: impl Into<Body>) -> Request<Body> {
    post(&[("content-type", "application/json")], body)
}

/// A GET of this path with these headers.
fn get(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    with(Request::get(path), headers, Body::empty())
}

fn with(mut builder: axum::http::request::Builder, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).expect("a request")
}
