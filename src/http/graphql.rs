//! `/graphql`: GraphQL over HTTP, after the working group's draft (graphql.github.io/graphql-over-http).

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::caller::Caller;
use crate::error::{Error, ErrorCode};
use crate::http::authorization::{authenticate, bearer};
use crate::http::cors::REFUSED_ORIGIN;
use crate::http::edge::RequestContext;
use crate::http::media_type::{self, JsonType, MediaType, Sent};
use crate::http::multipart::{self, Form, Lingering, Refusal};
use crate::http::operation_log::OperationLog;
use crate::http::origin::Peer;
use crate::http::pace::{Pace, TooSlow};
use crate::http::paced_body::PacedBody;
use crate::http::parameters::{self, Parameters, UrlParameters};
use crate::http::response::{error_response, json_response, refuse};
use crate::http::serve::Connection;
use crate::http::{Server, idempotency_key, live};
use crate::schema::{Answer, Kind};
use crate::upload::{self, Uploads};

/// A query in the URL, or the way into a WebSocket. Mutations are refused: whatever a link or an image can cause must
/// change nothing.
pub(super) async fn get(
    State(server): State<Arc<Server>>,
    Extension(context): Extension<RequestContext>,
    peer: Option<Extension<Peer>>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    url: Result<Query<UrlParameters>, axum::extract::rejection::QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let (peer, connection) = (peer.map(|Extension(peer)| peer), connection.map(|Extension(connection)| connection));
    let error_type = context.accepted.error;
    if asks_for_a_socket(&headers) {
        return match upgrade {
            Ok(upgrade) => live::upgrade(server, upgrade, context, &headers, peer, connection).await,
            Err(rejection) => {
                let message = format!("This is no WebSocket handshake: {}.", rejection.body_text());
                error_response(error_type, rejection.status(), ErrorCode::BadUserInput, &message)
            }
        };
    }
    let Some(media_type) = context.accepted.response else { return not_acceptable(error_type) };
    let Ok(parameters) = url.map_err(drop).and_then(|Query(url)| parameters::from_url(url)) else {
        let message =
            "The URL needs `query`, and may have `operationName`, and `variables` and `extensions` as JSON objects.";
        return bad_request(error_type, message);
    };
    run(server, Asked { context, media_type, reads_only: true, peer, connection }, &headers, parameters).await
}

/// Any operation, as a JSON object in the body, or as a form with files.
pub(super) async fn post(
    State(server): State<Arc<Server>>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let (Parts { headers, extensions, .. }, body) = request.into_parts();
    let error_type = context.accepted.error;
    let Some(media_type) = context.accepted.response else { return not_acceptable(error_type) };
    let (peer, connection) = (extensions.get().copied(), extensions.get().cloned());
    let asked = Asked { context, media_type, reads_only: false, peer, connection };
    match media_type::sent(&headers) {
        Some(Sent::Json) => {}
        // In a box, so that the others need not carry the room that it takes.
        Some(Sent::Form { boundary }) => return Box::pin(post_form(server, asked, &headers, boundary, body)).await,
        None => {
            let message = "Send the request as `Content-Type: application/json`, in UTF-8 and uncompressed; with files, \
                           as `multipart/form-data`.";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return error_response(error_type, status, ErrorCode::BadUserInput, message);
        }
    }
    let body = match read(&server, error_type, body).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let parameters = match parameters::parse(&body) {
        Ok(parameters) => parameters,
        Err(message) => return bad_request(error_type, message),
    };
    run(server, asked, &headers, parameters).await
}

/// Any operation but a subscription, with files.
async fn post_form(
    server: Arc<Server>,
    asked: Asked,
    headers: &HeaderMap,
    boundary: Option<String>,
    body: Body,
) -> Response {
    let mut log = OperationLog::start(asked.context.id);
    match receive(&server, &asked, headers, boundary, body).await {
        Ok((caller, form)) => perform(server, asked, headers, caller, form, log).await,
        Err(refusal) => {
            log.refused(refusal.code());
            refusal.into_response(asked.context.accepted.error)
        }
    }
}

/// Who asks, and what: in this order, so that who may not is spared sending it.
async fn receive(
    server: &Server,
    asked: &Asked,
    headers: &HeaderMap,
    boundary: Option<String>,
    body: Body,
) -> Result<(Caller, Form), Refusal> {
    let body = Body::new(PacedBody::new(body, Pace::of_bodies(&server.settings)));
    let body = Lingering::new(body, headers, server.settings.body_timeout());
    if !server.cors.decide(headers).is_welcome() {
        return Err(Error::Forbidden(REFUSED_ORIGIN.to_owned()).into());
    }
    multipart::require_preflight(headers)?;
    if asked.media_type == MediaType::EventStream {
        return Err(Refusal::malformed("A request with files is answered as JSON, not as an event stream."));
    }
    let boundary = boundary.ok_or_else(|| Refusal::malformed("The `Content-Type` needs a `boundary`."))?;
    let caller = authenticate(server, headers, asked.peer).await?;
    upload::require_sender(&caller)?;
    let length = body.length();
    let form = server.intake.receive(&caller, body, length, &boundary).await?;
    Ok((caller, form))
}

/// What a request is, but for its headers and parameters.
struct Asked {
    context: RequestContext,
    media_type: MediaType,
    reads_only: bool,
    peer: Option<Peer>,
    connection: Option<Connection>,
}

async fn run(server: Arc<Server>, asked: Asked, headers: &HeaderMap, parameters: Parameters) -> Response {
    let mut log = OperationLog::start(asked.context.id);
    match authenticate(&server, headers, asked.peer).await {
        Ok(caller) => {
            let form = Form { parameters, uploads: Uploads::default(), place: None };
            perform(server, asked, headers, caller, form, log).await
        }
        Err(error) => {
            log.refused(error.code());
            refuse(asked.context.accepted.error, error)
        }
    }
}

async fn perform(
    server: Arc<Server>,
    asked: Asked,
    headers: &HeaderMap,
    mut caller: Caller,
    form: Form,
    mut log: OperationLog,
) -> Response {
    let Asked { context, media_type, reads_only, connection, .. } = asked;
    let Form { parameters, uploads, place: _place } = form;
    let operation = match server.schema.prepare(&parameters.query, parameters.operation_name()) {
        Ok(operation) => operation,
        Err(answer) => {
            log.answered(&answer);
            return respond(media_type, &answer, false);
        }
    };
    log.describe(&operation);
    if reads_only && operation.kind() == Kind::Mutation {
        log.refused(ErrorCode::BadUserInput);
        return mutation_with_get(context.accepted.error);
    }
    match idempotency_key::of_operation(headers, &operation) {
        Ok(key) => caller.idempotency_key = key,
        Err(message) => {
            let answer = Answer::refusal(ErrorCode::BadUserInput, message);
            log.answered(&answer);
            return respond(media_type, &answer, false);
        }
    }
    if media_type == MediaType::EventStream {
        let token = bearer(headers).ok().flatten().filter(|_| !caller.is_rejected()).map(str::to_owned);
        let asked = live::Asked { operation, variables: parameters.variables, caller, token, context, log };
        return Box::pin(live::event_stream(server, asked, connection)).await;
    }
    let is_rejected = caller.is_rejected();
    let answer = match operation.kind() {
        Kind::Subscription => {
            let message = "A subscription needs a WebSocket (graphql-transport-ws), or `Accept: text/event-stream`.";
            Answer::refusal(ErrorCode::GraphqlValidationFailed, message)
        }
        Kind::Query | Kind::Mutation => {
            server.schema.execute(operation, parameters.variables, caller, uploads, context.id).await
        }
    };
    log.answered(&answer);
    respond(media_type, &answer, is_rejected && answer.is_unauthenticated())
}

/// Any other protocol is not spoken, and the wish for it ignored (RFC 9110, section 7.8).
fn asks_for_a_socket(headers: &HeaderMap) -> bool {
    let wished = headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    wished.flat_map(|protocols| protocols.split(',')).any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

async fn read(server: &Server, error_type: JsonType, body: Body) -> Result<Bytes, Box<Response>> {
    let limit = server.settings.max_body_bytes;
    let too_large = || {
        let message = format!("The body of a request has at most {limit} bytes.");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Err(Box::new(error_response(error_type, status, ErrorCode::PayloadTooLarge, &message)))
    };
    // A client that waits for `100 Continue` is spared sending it.
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > limit) {
        return too_large();
    }
    let whole = Limited::new(PacedBody::new(body, Pace::of_bodies(&server.settings)), limit).collect();
    match tokio::time::timeout(server.settings.body_timeout(), whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => too_large(),
        Ok(Err(error)) => Err(Box::new(match TooSlow::find(&*error) {
            Some(slow) => timed_out(error_type, &slow.message()),
            None => bad_request(error_type, "The body ended early."),
        })),
        Err(_) => Err(Box::new(timed_out(error_type, "The body took too long to arrive."))),
    }
}

fn timed_out(error_type: JsonType, message: &str) -> Response {
    let mut response = error_response(error_type, StatusCode::REQUEST_TIMEOUT, ErrorCode::BadUserInput, message);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn respond(media_type: MediaType, answer: &Answer, is_rejected: bool) -> Response {
    match media_type {
        MediaType::Json(json) => json_response(json, answer, is_rejected),
        MediaType::EventStream => live::only_answer(answer),
    }
}

fn mutation_with_get(error_type: JsonType) -> Response {
    let message = "A mutation cannot be sent with GET: send it with POST.";
    let mut response = error_response(error_type, StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, message);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

fn bad_request(error_type: JsonType, message: &str) -> Response {
    error_response(error_type, StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
}

fn not_acceptable(error_type: JsonType) -> Response {
    let message = "Accept application/json, application/graphql-response+json or text/event-stream.";
    error_response(error_type, StatusCode::NOT_ACCEPTABLE, ErrorCode::BadUserInput, message)
}
