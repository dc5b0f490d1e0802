//! One operation over `text/event-stream`: graphql-sse's "distinct connections mode" (the PROTOCOL.md of
//! enisdenjo/graphql-sse). Each answer is a `next` event; `complete` says that there will be no more.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::Variables;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use crate::accounts::Standing;
use crate::accounts::graphql::Renewal;
use crate::caller::Caller;
use crate::error::ErrorCode;
use crate::http::callers::Place;
use crate::http::edge::RequestContext;
use crate::http::live::operations::{self, ChargedOperation};
use crate::http::memory_budget::{Charge, FREE_BYTES, Overdrawn, Owner};
use crate::http::operation_log::OperationLog;
use crate::http::response::{Envelope, json_response, refuse};
use crate::http::serve::Connection;
use crate::http::{Server, live};
use crate::schema::{Answer, Operation};

/// An operation to run as an event stream.
pub(in crate::http) struct Asked {
    pub(in crate::http) operation: Operation,
    pub(in crate::http) variables: Variables,
    pub(in crate::http) caller: Caller,
    /// What the caller was known by.
    pub(in crate::http) token: Option<String>,
    pub(in crate::http) context: RequestContext,
    pub(in crate::http) log: OperationLog,
}

/// What an open event stream holds.
struct Events {
    answers: BoxStream<'static, Answer>,
    standing: Option<Standing>,
    expires_at: Option<Instant>,
    connection: Option<Connection>,
    log: OperationLog,
    _place: Place,
    /// For the last event, which may not be on its way yet when the next one is asked for.
    sent: Charge,
    /// Made, and not yet taken.
    ready: VecDeque<Event>,
    ended: bool,
}

/// Runs an operation, and sends its answers as they come.
pub(in crate::http) async fn event_stream(
    server: Arc<Server>,
    asked: Asked,
    connection: Option<Connection>,
) -> Response {
    let Asked { operation, variables, caller, token, context, mut log } = asked;
    let error_type = context.accepted.error;
    let standing = match token {
        None => Ok(None),
        Some(token) => server.app.accounts.stand(&token).await.map(|(_, standing)| Some(standing)),
    };
    let entered = standing.and_then(|standing| {
        let place = server.live.callers.enter(&caller)?;
        Ok((standing, place, ChargedOperation::new(&server, operation, variables, &caller, FREE_BYTES)?))
    });
    let (standing, place, charged) = match entered {
        Ok(entered) => entered,
        Err(error) => {
            log.refused(error.code());
            return refuse(error_type, error);
        }
    };
    let now = server.app.clock.now();
    let expires_at = standing.as_ref().and_then(|standing| standing.expires_at);
    let expires_at = expires_at.map(|expires_at| live::instant_of(expires_at, now));
    let is_rejected = caller.is_rejected();
    let sent = server.memory.open(Owner::of_caller(&caller));
    let answers = operations::run(&server, charged, (caller, Renewal::default()), context.id);
    let (ready, ended) = (VecDeque::new(), false);
    let mut events = Events { answers, standing, expires_at, connection, log, _place: place, sent, ready, ended };
    if is_rejected && let Some(first) = events.answers.next().await {
        events.log.answered(&first);
        // The status is the first that is sent, so the first answer decides.
        if first.is_unauthenticated() {
            return json_response(error_type, &first, true, events.sent);
        }
        events.push(&first);
    }
    let pause = Duration::from_secs(server.live.settings.ping_seconds);
    let events = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    respond(Sse::new(events).keep_alive(KeepAlive::new().interval(pause)))
}

/// An event stream of one answer, for what was refused before it ran.
pub(in crate::http) fn only_answer(answer: &Answer) -> Response {
    let events = [next(json_of(answer)), complete()].map(Ok::<_, Infallible>);
    respond(Sse::new(stream::iter(events)))
}

fn respond<S>(events: Sse<S>) -> Response
where
    Sse<S>: axum::response::IntoResponse,
{
    let mut response = events.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that gathers the answer would hold the events back (nginx).
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

impl Events {
    async fn next(&mut self) -> Option<Event> {
        if self.ready.is_empty() && !self.ended {
            self.wait().await;
        }
        self.ready.pop_front()
    }

    async fn wait(&mut self) {
        let ended = |message: &str| Some(Answer::refusal(ErrorCode::Unauthenticated, message));
        let answer = tokio::select! {
            biased;
            () = live::over(self.standing.as_mut()) => ended("The session has ended."),
            () = live::at(self.expires_at) => ended("The access token has expired: subscribe again with another."),
            // Without `complete`: the client is to connect again.
            () = live::stopping(&mut self.connection) => return self.ended = true,
            answer = self.answers.next() => match answer {
                Some(answer) => {
                    self.log.answered(&answer);
                    return self.push(&answer);
                }
                None => None,
            },
        };
        self.end(answer.as_ref());
    }

    /// Makes an answer the next event, charged until the event after it is asked for.
    fn push(&mut self, answer: &Answer) {
        let json = json_of(answer);
        match self.sent.resize(json.len().saturating_sub(FREE_BYTES)) {
            Ok(()) => self.ready.push_back(next(json)),
            Err(Overdrawn) => {
                let message = "The server is too busy to send this answer. Subscribe again later.";
                self.log.refused(ErrorCode::Unavailable);
                self.end(Some(&Answer::refusal(ErrorCode::Unavailable, message)));
            }
        }
    }

    fn end(&mut self, last: Option<&Answer>) {
        self.ended = true;
        self.ready.extend(last.map(|answer| next(json_of(answer))));
        self.ready.push_back(complete());
    }
}

fn next(json: String) -> Event {
    Event::default().event("next").data(json)
}

fn json_of(answer: &Answer) -> String {
    // What cannot be written as JSON is left out; nothing of ours is.
    serde_json::to_string(&Envelope(answer)).unwrap_or_default()
}

fn complete() -> Event {
    // Browsers pass over an event without data, and axum leaves out what is empty: this is two empty lines of it.
    Event::default().event("complete").data("\n")
}
