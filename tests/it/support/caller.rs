//! Whoever calls the API, and what they hear.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use cloakroom::http::Peer;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A caller with or without an access token.
#[derive(Clone)]
pub struct Caller {
    router: Router,
    pub token: Option<String>,
    peer: Option<IpAddr>,
    headers: HeaderMap,
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Caller {
    pub fn new(router: Router, token: Option<String>) -> Self {
        Self { router, token, peer: None, headers: HeaderMap::new() }
    }

    /// The same caller, at this network address.
    pub fn at_address(&self, address: &str) -> Self {
        Self { peer: Some(address.parse().expect("an address")), ..self.clone() }
    }

    /// The same caller, with this header in every request.
    pub fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut caller = self.clone();
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
        caller.headers.append(HeaderName::from_static(name), value);
        caller
    }

    /// The same caller with another access token, or none.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// Runs an operation.
    pub async fn run(&self, query: &str) -> Reply {
        self.run_with(query, json!({})).await
    }

    /// Runs an operation with variables.
    pub async fn run_with(&self, query: &str, variables: Value) -> Reply {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .expect("a request");
        self.send(request).await
    }

    /// Reads a path.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// Sends any request, with the token if there is one and the request has no other.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        let (head, body) = self.respond(request).await.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Reply { status: head.status, headers: head.headers, body }
    }

    /// The first answer to an operation, and no further ones: what a subscription begins with.
    pub async fn listen(&self, query: &str) -> Reply {
        self.listen_to(json!({ "query": query }).to_string()).await
    }

    /// The same with a whole body.
    pub async fn listen_to(&self, body: String) -> Reply {
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(Body::from(body))
            .expect("a request");
        let (head, mut body) = self.respond(request).await.into_parts();
        let frame = body.frame().await.expect("something").expect("an event or an error");
        let bytes = frame.into_data().expect("no trailers");
        let json = bytes.strip_prefix(b"event: next\ndata: ").unwrap_or(&bytes);
        let body = serde_json::from_slice(json).expect("JSON");
        Reply { status: head.status, headers: head.headers, body }
    }

    async fn respond(&self, mut request: Request<Body>) -> Response {
        if let Some(token) = &self.token {
            let value = format!("Bearer {token}").parse().expect("a header value");
            request.headers_mut().entry(header::AUTHORIZATION).or_insert(value);
        }
        if let Some(address) = self.peer {
            request.extensions_mut().insert(Peer(SocketAddr::new(address, 4711)));
        }
        for (name, value) in &self.headers {
            request.headers_mut().append(name, value.clone());
        }
        self.router.clone().oneshot(request).await.expect("the router answers")
    }

    /// Takes the next number.
    pub async fn next(&self) -> i64 {
        let reply = self.run("mutation { next { value } }").await;
        reply.at("/data/next/value").as_i64().unwrap_or_else(|| panic!("a number, not {}", reply.body))
    }
}

impl Reply {
    /// The value at this JSON pointer; null where there is none.
    pub fn at(&self, pointer: &str) -> &Value {
        self.body.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The data, of an answer without errors.
    pub fn data(&self) -> &Value {
        assert!(self.body.get("errors").is_none(), "errors in {}", self.body);
        self.at("/data")
    }

    /// Returns true if no root field has a result.
    pub fn has_no_result(&self) -> bool {
        self.at("/data").as_object().is_none_or(|fields| fields.values().all(Value::is_null))
    }

    /// `extensions.code` of the only error; empty if there is not exactly one.
    pub fn code(&self) -> &str {
        match self.at("/errors").as_array().map(Vec::as_slice) {
            Some([error]) => error.pointer("/extensions/code").and_then(Value::as_str).unwrap_or_default(),
            _ => "",
        }
    }

    /// The user errors of `mutation`, as `CODE field`.
    pub fn user_errors(&self, mutation: &str) -> Vec<String> {
        let errors = self.at(&format!("/data/{mutation}/userErrors")).as_array().cloned().unwrap_or_default();
        let describe = |error: &Value| {
            let field = error["field"]
                .as_array()
                .map(|path| path.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."));
            format!("{} {}", error["code"].as_str().unwrap_or_default(), field.unwrap_or_default())
                .trim_end()
                .to_owned()
        };
        errors.iter().map(describe).collect()
    }

    /// A header's text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
