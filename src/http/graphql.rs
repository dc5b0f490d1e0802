//! `/graphql`: GraphQL over HTTP, after the working group's draft (graphql.github.io/graphql-over-http).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use async_graphql::Variables;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Extension, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Identity};
use crate::error::{Error, ErrorCode, error_response};
use crate::http::Server;
use crate::http::edge::RequestId;
use crate::http::media_type::{self, MediaType};
use crate::http::origin::{self, Peer};
use crate::schema::{Answer, Kind};

/// draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// In place of a key that cannot be used: the field that would use it refuses it.
const NO_KEY: &str = "";

/// A request as the body has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    query: String,
    operation_name: Option<String>,
    #[serde(default)]
    variables: Variables,
    /// Read to see that it is a map, as the specification demands; nothing in it is used.
    #[serde(rename = "extensions")]
    _extensions: Option<HashMap<String, IgnoredAny>>,
}

/// A request as the URL has it: the same names, with JSON in `variables` and `extensions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UrlParameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// A query in the URL. Mutations are refused: whatever a link or an image can cause must change nothing.
pub(super) async fn get(
    State(server): State<Arc<Server>>,
    Extension(id): Extension<RequestId>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    url: Result<Query<UrlParameters>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Some(media_type) = MediaType::accepted(&headers) else { return not_acceptable() };
    let Ok(parameters) = url.map_err(drop).and_then(|Query(url)| from_url(url)) else {
        let message =
            "The URL needs `query`, and may have `operationName`, and `variables` and `extensions` as JSON objects.";
        return bad_request(message);
    };
    let asked = Asked { id, media_type, reads_only: true, peer: peer.map(|Extension(peer)| peer) };
    run(&server, asked, &headers, parameters).await
}

/// Any operation, as a JSON object in the body.
pub(super) async fn post(
    State(server): State<Arc<Server>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (Parts { headers, extensions, .. }, body) = request.into_parts();
    let Some(media_type) = MediaType::accepted(&headers) else { return not_acceptable() };
    if !media_type::is_plain_json(&headers) {
        let message = "Send the request as `Content-Type: application/json`, in UTF-8 and uncompressed.";
        return error_response(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::BadUserInput, message);
    }
    let body = match read(&server, body).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let parameters = match parse(&body) {
        Ok(parameters) => parameters,
        Err(message) => return bad_request(message),
    };
    let asked = Asked { id, media_type, reads_only: false, peer: extensions.get().copied() };
    run(&server, asked, &headers, parameters).await
}

/// What a request is, but for its headers and parameters.
struct Asked {
    id: RequestId,
    media_type: MediaType,
    reads_only: bool,
    peer: Option<Peer>,
}

async fn run(server: &Server, asked: Asked, headers: &HeaderMap, parameters: Parameters) -> Response {
    let Asked { id, media_type, reads_only, peer } = asked;
    let started = Instant::now();
    let mut caller = match authenticate(server, headers, peer).await {
        Ok(caller) => caller,
        Err(error) => {
            log(id, None, started, error.code().name());
            return error.into_response();
        }
    };
    let operation_name = parameters.operation_name.as_deref().filter(|name| !name.is_empty());
    let operation = match server.schema.prepare(&parameters.query, operation_name) {
        Ok(operation) => operation,
        Err(answer) => {
            log(id, None, started, outcome(&answer));
            return respond(media_type, &answer);
        }
    };
    if reads_only && operation.kind() != Kind::Query {
        let message = "Only queries can be sent with GET: send this with POST.";
        let mut response = error_response(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, message);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if !operation.is_single() && caller.idempotency_key.is_some() {
        // Under one key the second field would get the first one's answer as if it were its own.
        caller.idempotency_key = Some(NO_KEY.into());
    }
    let described = (operation.kind(), operation.name().map(str::to_owned));
    let answer = server.schema.execute(operation, parameters.variables, caller, id).await;
    log(id, Some(described), started, outcome(&answer));
    respond(media_type, &answer)
}

/// RFC 6750, section 2.1: only the header counts, and only one of it.
async fn authenticate(server: &Server, headers: &HeaderMap, peer: Option<Peer>) -> Result<Caller, Error> {
    let origin = origin::of(headers, peer, &server.settings.trusted_proxies);
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    // What is no text, or sent twice, is none.
    let key = keys.next().map(|key| key.to_str().ok().filter(|_| keys.next().is_none()).unwrap_or(NO_KEY).into());
    let caller = |identity| Caller { identity, origin, idempotency_key: key };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(caller(Identity::Anonymous)) };
    let credentials = value.to_str().ok().filter(|_| values.next().is_none());
    let (scheme, token) = credentials.and_then(|text| text.split_once(' ')).ok_or(Error::InvalidToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::InvalidToken);
    }
    let identity = server.app.accounts.authenticate(token.trim()).await?;
    Ok(caller(identity))
}

async fn read(server: &Server, body: Body) -> Result<Bytes, Box<Response>> {
    let limit = server.settings.max_body_bytes;
    let too_large = || {
        let message = format!("The body of a request has at most {limit} bytes.");
        Err(Box::new(error_response(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::PayloadTooLarge, &message)))
    };
    // A client that waits for `100 Continue` is spared sending it.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > limit) {
        return too_large();
    }
    let whole = Limited::new(body, limit).collect();
    match tokio::time::timeout(server.settings.body_timeout(), whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => too_large(),
        Ok(Err(_)) => Err(Box::new(bad_request("The body ended early."))),
        Err(_) => {
            let message = "The body took too long to arrive.";
            let mut response = error_response(StatusCode::REQUEST_TIMEOUT, ErrorCode::BadUserInput, message);
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            Err(Box::new(response))
        }
    }
}

fn parse(body: &[u8]) -> Result<Parameters, &'static str> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err("Batches are not accepted: send one operation a request.");
    }
    let malformed =
        "The body must be a JSON object with `query`, and may have `operationName`, `variables` and `extensions`.";
    // As text first: bytes that are no UTF-8 are found in what is skipped, too.
    let text = std::str::from_utf8(body).map_err(|_| malformed)?;
    serde_json::from_str(text).map_err(|_| malformed)
}

fn from_url(url: UrlParameters) -> Result<Parameters, ()> {
    let object = |text: Option<String>| match text.filter(|text| !text.is_empty()) {
        Some(text) => serde_json::from_str::<Variables>(&text).map_err(drop),
        None => Ok(Variables::default()),
    };
    let _extensions = object(url.extensions).map(|_| None)?;
    let query = url.query.filter(|query| !query.is_empty()).ok_or(())?;
    Ok(Parameters { query, operation_name: url.operation_name, variables: object(url.variables)?, _extensions })
}

fn respond(media_type: MediaType, answer: &Answer) -> Response {
    #[derive(Serialize)]
    struct Envelope<'a> {
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        errors: &'a [async_graphql::ServerError],
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a async_graphql::Value>,
    }
    let response = &answer.response;
    let data = (!answer.refused).then_some(&response.data);
    let status = match media_type {
        _ if answer.retry_after_seconds.is_some() => match answer.code {
            Some(ErrorCode::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        },
        MediaType::GraphqlResponse if answer.refused => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let Ok(body) = serde_json::to_vec(&Envelope { errors: &response.errors, data }) else {
        return Error::internal(anyhow::anyhow!("an answer could not be written as JSON")).into_response();
    };
    let mut response = (status, [(header::CONTENT_TYPE, media_type.header())], body).into_response();
    if let Some(seconds) = answer.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn outcome(answer: &Answer) -> &'static str {
    answer.code.map_or("OK", ErrorCode::name)
}

/// One line an operation. Names are the client's own, and GraphQL allows only letters, digits and `_` in them.
fn log(id: RequestId, operation: Option<(Kind, Option<String>)>, started: Instant, outcome: &str) {
    let (kind, name) = operation.unzip();
    let kind = kind.map_or("none", |kind| match kind {
        Kind::Query => "query",
        Kind::Mutation => "mutation",
        Kind::Subscription => "subscription",
    });
    let name = name.flatten();
    let name = name.as_deref().map_or("", |name| name.get(..64).unwrap_or(name));
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(request_id = %id, kind, name, outcome, micros, "operation");
}

fn bad_request(message: &str) -> Response {
    error_response(StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
}

fn not_acceptable() -> Response {
    let message = "Accept application/json or application/graphql-response+json.";
    error_response(StatusCode::NOT_ACCEPTABLE, ErrorCode::BadUserInput, message)
}
