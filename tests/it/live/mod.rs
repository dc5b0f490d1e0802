//! Connections that stay open: WebSockets and event streams, their protocols and their ends.

mod client;
mod close_codes;
mod counter;
mod current;
mod delivery;
mod endings;
mod event_stream;
mod expiry;
mod hostile;
mod memory;
mod operations;
mod replicas;
mod rights;
mod signs_of_life;
mod upgrade;

use serde_json::Value;

use crate::support::{Caller, Listening, TestApp};

pub use client::{PROTOCOL, Socket};
pub use event_stream::Events;
pub use replicas::second;

/// The subscription of the default counter.
const CURRENT: &str = "subscription { current }";

/// A server that listens, and a user of it.
pub async fn serve() -> (TestApp, Listening, Caller) {
    let (test, user) = TestApp::with_user().await;
    let server = Listening::start(&test).await;
    (test, server, user)
}

/// A socket that acts as this caller.
pub async fn sign_on(server: &Listening, caller: &Caller) -> Socket {
    let mut socket = Socket::open(server.address).await;
    socket.init(caller.token.as_deref()).await;
    socket
}

/// The access token of a caller.
fn token(caller: &Caller) -> &str {
    caller.token.as_deref().expect("a token")
}

/// The integer in an answer of `current`.
fn current(answer: &Value) -> i64 {
    answer["data"]["current"].as_i64().unwrap_or_else(|| panic!("an integer, not {answer}"))
}
