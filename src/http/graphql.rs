//! `/graphql`: GraphQL over HTTP, after the working group's draft (graphql.github.io/graphql-over-http).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::caller::{Caller, Origin};
use crate::error::{Error, ErrorCode};
use crate::http::authorization::{authenticate, bearer};
use crate::http::body;
use crate::http::cors::REFUSED_ORIGIN;
use crate::http::edge::RequestContext;
use crate::http::media_type::{self, JsonType, MediaType, Sent};
use crate::http::memory_budget::{Charge, FREE_BYTES, Owner};
use crate::http::multipart::{self, Form, Lingering, Refusal};
use crate::http::operation_log::OperationLog;
use crate::http::pace::Pace;
use crate::http::paced_body::PacedBody;
use crate::http::parameters::{self, Parameters};
use crate::http::response::{error_response, json_response, refuse};
use crate::http::serve::Connection;
use crate::http::{Server, idempotency_key, live, variables};
use crate::schema::{Answer, Kind};
use crate::upload::{self, Uploads};

/// A query in the URL, or the way into a WebSocket. Mutations are refused: whatever a link or an image can cause must
/// change nothing.
pub(super) async fn get(
    State(server): State<Arc<Server>>,
    Extension(context): Extension<RequestContext>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let (peer, connection) = (parts.extensions.get().copied(), parts.extensions.get().cloned());
    let error_type = context.accepted.error;
    if asks_for_a_socket(&parts.headers) {
        return live::upgrade(server, parts, context, peer, connection).await;
    }
    let Some(media_type) = context.accepted.response else { return not_acceptable(error_type) };
    let url = Query::try_from_uri(&parts.uri).map(|Query(url)| url).unwrap_or_default();
    let parameters = match parameters::from_url(url) {
        Ok(parameters) => parameters,
        Err(message) => return bad_request(error_type, &message),
    };
    let origin = server.origin(&parts.headers, peer);
    let charge = server.memory.open(Owner::of_origin(&origin));
    let asked = Asked { context, media_type, reads_only: true, origin, connection };
    run(server, asked, &parts.headers, parameters, charge).await
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
    let origin = server.origin(&headers, extensions.get().copied());
    // Its sender is not known yet.
    let mut charge = server.memory.open(Owner::of_origin(&origin));
    let connection = extensions.get().cloned();
    let asked = Asked { context, media_type, reads_only: false, origin, connection };
    match media_type::sent(&headers) {
        Some(Sent::Json) => {}
        // In a box, so that the others need not carry the room that it takes.
        Some(Sent::Form { boundary }) => {
            return Box::pin(post_form(server, asked, &headers, boundary, body, charge)).await;
        }
        None => {
            let message = "Send the request as `Content-Type: application/json`, in UTF-8 and uncompressed; with files, \
                           as `multipart/form-data`.";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return error_response(error_type, status, ErrorCode::BadUserInput, message);
        }
    }
    let parameters = match body::read(&server, error_type, &headers, body, &mut charge).await {
        Ok(body) => parameters::parse(&body),
        Err(refusal) => return *refusal,
    };
    match parameters {
        Ok(parameters) => run(server, asked, &headers, parameters, charge).await,
        Err(message) => bad_request(error_type, &message),
    }
}

/// Any operation but a subscription, with files.
async fn post_form(
    server: Arc<Server>,
    asked: Asked,
    headers: &HeaderMap,
    boundary: Option<String>,
    body: Body,
    charge: Charge,
) -> Response {
    let mut log = OperationLog::start(asked.context.id);
    match receive(&server, &asked, headers, boundary, body, charge).await {
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
    charge: Charge,
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
    let caller = authenticate(server, headers, asked.origin.clone()).await?;
    upload::require_sender(&caller)?;
    let length = body.length();
    let form = server.intake.receive(&caller, body, length, &boundary, charge).await?;
    Ok((caller, form))
}

/// What a request is, but for its headers and parameters.
struct Asked {
    context: RequestContext,
    media_type: MediaType,
    reads_only: bool,
    origin: Origin,
    connection: Option<Connection>,
}

async fn run(
    server: Arc<Server>,
    asked: Asked,
    headers: &HeaderMap,
    parameters: Parameters,
    mut charge: Charge,
) -> Response {
    let mut log = OperationLog::start(asked.context.id);
    // The body is gone; its values may take more than it did.
    let charged = charge.resize(parameters.memory_bytes().saturating_sub(FREE_BYTES)).map_err(Error::from);
    let caller = match charged {
        Ok(()) => authenticate(&server, headers, asked.origin.clone()).await,
        Err(error) => Err(error),
    };
    match caller {
        Ok(caller) => {
            let form = Form { parameters, uploads: Uploads::default(), place: None, charge };
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
    let Form { parameters, uploads, place: _place, mut charge } = form;
    let operation = match server.schema.prepare(&parameters.query, parameters.operation_name()) {
        Ok(operation) => operation,
        Err(answer) => {
            log.answered(&answer);
            return respond(media_type, &answer, false, charge);
        }
    };
    let variables = operation.declared(parameters.variables);
    // The operation has a copy of the text, and may wait for a long time.
    drop(parameters.query);
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
            return respond(media_type, &answer, false, charge);
        }
    }
    if media_type == MediaType::EventStream {
        let token = bearer(headers).ok().flatten().filter(|_| !caller.is_rejected()).map(str::to_owned);
        let asked = live::Asked { operation, variables, caller, token, context, log };
        // The stream is charged anew.
        drop(charge);
        return Box::pin(live::event_stream(server, asked, connection)).await;
    }
    let bytes = operation.memory_bytes().saturating_add(variables::memory_bytes(&variables));
    if let Err(overdrawn) = charge.settle(Owner::of_caller(&caller), bytes.saturating_sub(FREE_BYTES)) {
        let error = Error::from(overdrawn);
        log.refused(error.code());
        return refuse(context.accepted.error, error);
    }
    let is_rejected = caller.is_rejected();
    let answer = match operation.kind() {
        Kind::Subscription => {
            let message = "A subscription needs a WebSocket (graphql-transport-ws), or `Accept: text/event-stream`.";
            Answer::refusal(ErrorCode::GraphqlValidationFailed, message)
        }
        Kind::Query | Kind::Mutation => server.schema.execute(operation, variables, caller, uploads, context.id).await,
    };
    log.answered(&answer);
    respond(media_type, &answer, is_rejected && answer.is_unauthenticated(), charge)
}

/// Any other protocol is not spoken, and the wish for it ignored (RFC 9110, section 7.8).
fn asks_for_a_socket(headers: &HeaderMap) -> bool {
    let wished = headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    wished.flat_map(|protocols| protocols.split(',')).any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

fn respond(media_type: MediaType, answer: &Answer, is_rejected: bool, charge: Charge) -> Response {
    match media_type {
        MediaType::Json(json) => json_response(json, answer, is_rejected, charge),
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
