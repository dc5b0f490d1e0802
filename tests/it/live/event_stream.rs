//! A client of event streams, and what the protocol of graphql-sse asks of each (R2).

use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request};

use super::{CURRENT, current, serve};
use crate::support::{Listening, PATIENCE, TestApp};

/// An event stream.
pub struct Events {
    pub status: u16,
    pub headers: HeaderMap,
    body: hyper::body::Incoming,
    received: String,
    _client: Client<HttpConnector, Full<Bytes>>,
}

impl Events {
    /// Asks for the events of an operation.
    pub async fn post(server: &Listening, token: Option<&str>, query: &str) -> Self {
        let request =
            Request::post(format!("http://{}/graphql", server.address)).header("content-type", "application/json");
        Self::ask(request, token, json!({ "query": query }).to_string()).await
    }

    /// The same with the operation in the URL.
    pub async fn get(server: &Listening, token: Option<&str>, query: &str) -> Self {
        let query = percent_encoding::utf8_percent_encode(query, percent_encoding::NON_ALPHANUMERIC);
        Self::ask(Request::get(format!("http://{}/graphql?query={query}", server.address)), token, String::new()).await
    }

    async fn ask(mut request: axum::http::request::Builder, token: Option<&str>, body: String) -> Self {
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.header("accept", "text/event-stream").body(Full::from(body)).expect("a request");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = timeout(PATIENCE, client.request(request)).await.expect("an answer in time").expect("an answer");
        let (head, body) = answer.into_parts();
        let status = head.status.as_u16();
        Self { status, headers: head.headers, body, received: String::new(), _client: client }
    }

    /// The next event as it was sent, or a comment; `None` at the end.
    pub async fn receive(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.received.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.received = rest;
                return Some(event);
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("an event or the end")?;
            let data = frame.ok()?.into_data().expect("no trailers");
            self.received.push_str(std::str::from_utf8(&data).expect("UTF-8"));
        }
    }

    /// The payload of the next event, which is a `next`.
    pub async fn next(&mut self) -> Value {
        let event = self.receive().await.expect("an event");
        let data = event.strip_prefix("event: next\ndata: ").unwrap_or_else(|| panic!("a next, not {event}"));
        serde_json::from_str(data).expect("JSON")
    }

    /// Asserts that nothing comes any more, but that it is so.
    pub async fn completes(&mut self) {
        let event = self.receive().await.expect("an event");
        // `data` is there though it is empty: browsers pass over events without any.
        let mut lines: Vec<&str> = event.lines().map(str::trim_end).collect();
        lines.dedup();
        assert_eq!(lines, ["event: complete", "data:"]);
        assert_eq!(self.receive().await, None);
    }

    /// The whole body, of what is no event stream.
    async fn whole(self) -> Value {
        let bytes = self.body.collect().await.expect("a body").to_bytes();
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

#[tokio::test]
async fn a_subscription_is_a_stream_of_events_by_post_and_get() {
    let (_test, server, user) = serve().await;
    let token = user.token.as_deref();
    let mut streams = [Events::post(&server, token, CURRENT).await, Events::get(&server, token, CURRENT).await];
    for events in &mut streams {
        assert_eq!(events.status, 200);
        for (name, value) in
            [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
        {
            assert_eq!(events.headers[name], value);
        }
        assert_eq!(current(&events.next().await), 0);
    }
    for expected in 1..=3 {
        user.next().await;
        for events in &mut streams {
            assert_eq!(events.next().await, json!({ "data": { "current": expected } }));
        }
    }
}

#[tokio::test]
async fn queries_and_mutations_are_one_event_and_complete() {
    let (_test, server, user) = serve().await;
    let token = user.token.as_deref();
    let mut events = Events::post(&server, token, "mutation { next { value } }").await;
    assert_eq!(events.next().await, json!({ "data": { "next": { "value": 1 } } }));
    events.completes().await;
    for mut events in
        [Events::post(&server, token, "{ current }").await, Events::get(&server, token, "{ current }").await]
    {
        assert_eq!(events.next().await, json!({ "data": { "current": 1 } }));
        events.completes().await;
    }
    let refused = Events::get(&server, token, "mutation { next { value } }").await;
    assert_eq!((refused.status, &refused.headers["allow"]), (405, &"POST".parse().expect("a value")));
    assert_eq!(refused.whole().await["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(user.next().await, 2);
}

#[tokio::test]
async fn what_cannot_run_is_told_by_an_event() {
    let (_test, server, user) = serve().await;
    for (token, query, expected) in [
        (user.token.as_deref(), "{", "GRAPHQL_PARSE_FAILED"),
        (user.token.as_deref(), "{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        (user.token.as_deref(), "subscription { current other: current }", "GRAPHQL_VALIDATION_FAILED"),
        (user.token.as_deref(), "subscription { current(counter: \"none\") }", "NOT_FOUND"),
        (None, CURRENT, "UNAUTHENTICATED"),
    ] {
        for mut events in [Events::post(&server, token, query).await, Events::get(&server, token, query).await] {
            assert_eq!(
                (events.status, &events.headers["content-type"]),
                (200, &"text/event-stream".parse().expect("one"))
            );
            let answer = events.next().await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], expected, "{query}: {answer}");
            events.completes().await;
        }
    }
    let mut nobody = Events::get(&server, None, "{ hello viewer { role } }").await;
    assert_eq!(nobody.next().await["data"]["viewer"], Value::Null);
    nobody.completes().await;
    for refused in [Events::post(&server, Some("no"), CURRENT).await, Events::get(&server, Some("no"), CURRENT).await] {
        assert_eq!((refused.status, refused.headers.contains_key("www-authenticate")), (401, true));
        assert_eq!(refused.whole().await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn a_subscription_needs_an_event_stream_or_a_socket() {
    let (_test, _server, user) = serve().await;
    let reply = user.run(CURRENT).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (200, "GRAPHQL_VALIDATION_FAILED"));
}

#[tokio::test]
async fn each_caller_has_so_many_streams_and_is_told_when_to_try_again() {
    let test = TestApp::with_config(|config| config.subscriptions.max_per_caller = 2).await;
    let server = Listening::start(&test).await;
    let (anna, bert) = (test.sign_up("anna").await, test.sign_up("bert").await);
    let mut first = Events::post(&server, anna.token.as_deref(), CURRENT).await;
    let mut second = super::sign_on(&server, &anna).await;
    assert_eq!(current(&first.next().await), 0);
    let third = Events::get(&server, anna.token.as_deref(), CURRENT).await;
    assert_eq!((third.status, third.headers.contains_key("retry-after")), (429, true));
    assert_eq!(third.whole().await["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    assert_eq!(current(&Events::post(&server, bert.token.as_deref(), CURRENT).await.next().await), 0);
    second.is_quiet().await;
    drop(first);
    // The server hears of it a moment later.
    for _ in 0..1000 {
        if Events::post(&server, anna.token.as_deref(), CURRENT).await.status == 200 {
            return;
        }
    }
    panic!("the place of a stream that has gone is given away");
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_by_comments() {
    let test = TestApp::with_config(|config| config.subscriptions.ping_seconds = 1).await;
    let (server, user) = (Listening::start(&test).await, test.sign_up("anna").await);
    let mut events = Events::post(&server, user.token.as_deref(), CURRENT).await;
    events.next().await;
    for _ in 0..2 {
        assert_eq!(events.receive().await.as_deref().map(str::trim_end), Some(":"));
    }
    user.next().await;
    assert_eq!(current(&events.next().await), 1);
}

#[tokio::test]
async fn the_servers_end_ends_streams_without_completing_them() {
    let (_test, mut server, user) = serve().await;
    let mut events = Events::post(&server, user.token.as_deref(), CURRENT).await;
    events.next().await;
    server.shut_down();
    assert_eq!(events.receive().await, None);
    server.ended().await;
}
