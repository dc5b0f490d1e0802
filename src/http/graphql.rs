//! `/graphql`: GraphQL over HTTP, after the working group's draft (graphql.github.io/graphql-over-http).

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::caller::{Caller, Identity};
use crate::error::{Error, ErrorCode, error_response};
use crate::http::edge::RequestId;
use crate::http::media_type::{self, MediaType, Sent};
use crate::http::multipart::{self, Form, Lingering, Refusal};
use crate::http::operation_log::OperationLog;
use crate::http::origin::{self, Peer};
use crate::http::parameters::{self, Parameters, UrlParameters};
use crate::http::serve::Connection;
use crate::http::{Server, live};
use crate::schema::{Answer, Kind};
use crate::upload::{self, Uploads};

/// draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// In place of a key that cannot be used: the field that would use it refuses it.
const NO_KEY: &str = "";

/// A query in the URL, or the way into a WebSocket. Mutations are refused: whatever a link or an image can cause must
/// change nothing.
pub(super) async fn get(
    State(server): State<Arc<Server>>,
    Extension(id): Extension<RequestId>,
    peer: Option<Extension<Peer>>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    url: Result<Query<UrlParameters>, axum::extract::rejection::QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let (peer, connection) = (peer.map(|Extension(peer)| peer), connection.map(|Extension(connection)| connection));
    if asks_for_a_socket(&headers) {
        return match upgrade {
            Ok(upgrade) => live::upgrade(server, upgrade, &headers, peer, connection).await,
            Err(rejection) => {
                let message = format!("This is no WebSocket handshake: {}.", rejection.body_text());
                error_response(rejection.status(), ErrorCode::BadUserInput, &message)
            }
        };
    }
    let Some(media_type) = MediaType::accepted(&headers) else { return not_acceptable() };
    let Ok(parameters) = url.map_err(drop).and_then(|Query(url)| parameters::from_url(url)) else {
        let message =
            "The URL needs `query`, and may have `operationName`, and `variables` and `extensions` as JSON objects.";
        return bad_request(message);
    };
    run(server, Asked { id, media_type, reads_only: true, peer, connection }, &headers, parameters).await
}

/// Any operation, as a JSON object in the body, or as a form with files.
pub(super) async fn post(
    State(server): State<Arc<Server>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (Parts { headers, extensions, .. }, body) = request.into_parts();
    let Some(media_type) = MediaType::accepted(&headers) else { return not_acceptable() };
    let (peer, connection) = (extensions.get().copied(), extensions.get().cloned());
    let asked = Asked { id, media_type, reads_only: false, peer, connection };
    match media_type::sent(&headers) {
        Some(Sent::Json) => {}
        // In a box, so that the others need not carry the room that it takes.
        Some(Sent::Form { boundary }) => return Box::pin(post_form(server, asked, &headers, boundary, body)).await,
        None => {
            let message = "Send the request as `Content-Type: application/json`, in UTF-8 and uncompressed; with files, \
                           as `multipart/form-data`.";
            return error_response(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::BadUserInput, message);
        }
    }
    let body = match read(&server, body).await {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let parameters = match parameters::parse(&body) {
        Ok(parameters) => parameters,
        Err(message) => return bad_request(message),
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
    let mut log = OperationLog::start(asked.id);
    match receive(&server, &asked, headers, boundary, body).await {
        Ok((caller, form)) => perform(server, asked, headers, caller, form, log).await,
        Err(refusal) => {
            log.refused(refusal.code());
            refusal.into_response()
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
    let body = Lingering::new(body, headers, server.settings.body_timeout());
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
    id: RequestId,
    media_type: MediaType,
    reads_only: bool,
    peer: Option<Peer>,
    connection: Option<Connection>,
}

async fn run(server: Arc<Server>, asked: Asked, headers: &HeaderMap, parameters: Parameters) -> Response {
    let mut log = OperationLog::start(asked.id);
    match authenticate(&server, headers, asked.peer).await {
        Ok(caller) => {
            let form = Form { parameters, uploads: Uploads::default(), place: None };
            perform(server, asked, headers, caller, form, log).await
        }
        Err(error) => {
            log.refused(error.code());
            error.into_response()
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
    let Asked { id, media_type, reads_only, connection, .. } = asked;
    let Form { parameters, uploads, place: _place } = form;
    let operation = match server.schema.prepare(&parameters.query, parameters.operation_name()) {
        Ok(operation) => operation,
        Err(answer) => {
            log.answered(&answer);
            return respond(media_type, &answer);
        }
    };
    log.describe(&operation);
    if reads_only && operation.kind() == Kind::Mutation {
        log.refused(ErrorCode::BadUserInput);
        let message = "A mutation cannot be sent with GET: send it with POST.";
        let mut response = error_response(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadUserInput, message);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if !operation.is_single() && caller.idempotency_key.is_some() {
        // Under one key the second field would get the first one's answer as if it were its own.
        caller.idempotency_key = Some(NO_KEY.into());
    }
    if caller.idempotency_key.is_some()
        && let Some(field) = operation.field_without_idempotency()
    {
        // A client that sends the header relies on it.
        let message = format!("{field} cannot honor the header Idempotency-Key: send it without one.");
        let answer = Answer::refusal(ErrorCode::BadUserInput, message);
        log.answered(&answer);
        return respond(media_type, &answer);
    }
    if media_type == MediaType::EventStream {
        let token = bearer(headers).ok().flatten().map(str::to_owned);
        let asked = live::Asked { operation, variables: parameters.variables, caller, token, id, log };
        return Box::pin(live::event_stream(server, asked, connection)).await;
    }
    let answer = match operation.kind() {
        Kind::Subscription => {
            let message = "A subscription needs a WebSocket (graphql-transport-ws), or `Accept: text/event-stream`.";
            Answer::refusal(ErrorCode::GraphqlValidationFailed, message)
        }
        Kind::Query | Kind::Mutation => {
            server.schema.execute(operation, parameters.variables, caller, uploads, id).await
        }
    };
    log.answered(&answer);
    respond(media_type, &answer)
}

/// Any other protocol is not spoken, and the wish for it ignored (RFC 9110, section 7.8).
fn asks_for_a_socket(headers: &HeaderMap) -> bool {
    let wished = headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    wished.flat_map(|protocols| protocols.split(',')).any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

/// Who asks, by their headers.
pub(super) async fn authenticate(server: &Server, headers: &HeaderMap, peer: Option<Peer>) -> Result<Caller, Error> {
    let origin = origin::of(headers, peer, &server.settings.trusted_proxies);
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    // What is no text, or sent twice, is none.
    let key = keys.next().map(|key| key.to_str().ok().filter(|_| keys.next().is_none()).unwrap_or(NO_KEY).into());
    let identity = match bearer(headers)? {
        Some(token) => server.app.accounts.authenticate(token).await?,
        None => Identity::Anonymous,
    };
    Ok(Caller { identity, origin, idempotency_key: key })
}

/// RFC 6750, section 2.1: only the header counts, and only one of it.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let credentials = value.to_str().ok().filter(|_| values.next().is_none());
    credentials.and_then(token_of).map(Some).ok_or(Error::InvalidToken)
}

/// The token in the value of an `Authorization` header.
pub(super) fn token_of(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
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

/// An answer as clients get it: errors first, `data` only where something ran (GraphQL, section 7.1).
pub(super) struct Envelope<'a>(pub(super) &'a Answer);

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Answer { response, refused, .. } = self.0;
        let errors = (!response.errors.is_empty()).then_some(&response.errors);
        let mut envelope = serializer.serialize_struct("Envelope", 2)?;
        if let Some(errors) = errors {
            envelope.serialize_field("errors", errors)?;
        }
        if !refused {
            envelope.serialize_field("data", &response.data)?;
        }
        envelope.end()
    }
}

fn respond(media_type: MediaType, answer: &Answer) -> Response {
    if media_type == MediaType::EventStream {
        return live::only_answer(answer);
    }
    let status = match media_type {
        _ if answer.retry_after_seconds.is_some() => match answer.code {
            Some(ErrorCode::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        },
        MediaType::GraphqlResponse if answer.refused => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let Ok(body) = serde_json::to_vec(&Envelope(answer)) else {
        return Error::internal(anyhow::anyhow!("an answer could not be written as JSON")).into_response();
    };
    let mut response = (status, [(header::CONTENT_TYPE, media_type.header())], body).into_response();
    if let Some(seconds) = answer.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn bad_request(message: &str) -> Response {
    error_response(StatusCode::BAD_REQUEST, ErrorCode::BadUserInput, message)
}

fn not_acceptable() -> Response {
    let message = "Accept application/json, application/graphql-response+json or text/event-stream.";
    error_response(StatusCode::NOT_ACCEPTABLE, ErrorCode::BadUserInput, message)
}
