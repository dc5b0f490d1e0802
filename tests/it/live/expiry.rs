//! The expiry of a token over an open connection, and its renewal in place.
//!
//! Time has to pass here: that of sockets is the machine's.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::Socket;
use super::event_stream::Events;
use super::{CURRENT, current};
use crate::support::{Caller, Listening, PASSWORD, TestApp};

const TOKEN_SECONDS: u32 = 6;

async fn short_lived() -> (TestApp, Listening) {
    let test = TestApp::with_config(|config| {
        config.accounts.access_token_seconds = TOKEN_SECONDS;
        config.accounts.token_leeway_seconds = 0;
        config.subscriptions.warn_seconds = 3;
    })
    .await;
    test.sign_up("anna").await;
    let server = Listening::start(&test).await;
    (test, server)
}

async fn log_in(test: &TestApp) -> (Caller, String) {
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }}) {{ tokens {{ accessToken refreshToken }} }} }}"#
    );
    let reply = test.anonymous().run(&login).await;
    let tokens = &reply.data()["login"]["tokens"];
    (test.bearer(tokens["accessToken"].as_str()), tokens["refreshToken"].as_str().expect("a token").to_owned())
}

fn refresh(token: &str) -> String {
    format!(
        "mutation {{ refreshTokens(input: {{ refreshToken: \"{token}\" }}) {{ tokens {{ accessToken refreshToken }} }} }}"
    )
}

async fn session(socket: &mut Socket) -> Value {
    socket.run("s", "{ viewer { session { id } } }").await["data"]["viewer"]["session"]["id"].clone()
}

async fn warned(socket: &mut Socket) {
    let ping = socket.hear().await.expect("a warning");
    assert_eq!(ping["type"], "ping", "{ping}");
    assert!(ping["payload"]["expiresAt"].is_string() && ping["payload"]["warning"].is_string(), "{ping}");
}

#[tokio::test]
async fn a_socket_is_warned_and_ends_with_its_token() {
    let (test, server) = short_lived().await;
    let (anna, _) = log_in(&test).await;
    let began = Instant::now();
    let mut socket = Socket::open(server.address).await;
    assert!(socket.init(anna.token.as_deref()).await["expiresAt"].is_string());
    socket.subscribe("a", CURRENT).await;
    socket.answer("a").await;
    warned(&mut socket).await;
    let warned_after = began.elapsed();
    assert_eq!(socket.hear().await, Err((4403, "Forbidden: the token has expired".to_owned())));
    let lived = began.elapsed();
    assert!(
        lived >= Duration::from_secs(TOKEN_SECONDS.into()) && lived - warned_after > Duration::from_secs(1),
        "{lived:?}"
    );
}

#[tokio::test]
async fn refresh_tokens_renews_the_socket_it_is_sent_over() {
    let (test, server) = short_lived().await;
    let (anna, refresh_token) = log_in(&test).await;
    let began = Instant::now();
    let mut socket = Socket::open(server.address).await;
    socket.init(anna.token.as_deref()).await;
    socket.subscribe("a", CURRENT).await;
    socket.answer("a").await;
    let before = session(&mut socket).await;
    warned(&mut socket).await;
    let answer = socket.run("r", &refresh(&refresh_token)).await;
    let renewed = Instant::now();
    let tokens = &answer["data"]["refreshTokens"]["tokens"];
    assert!(tokens["accessToken"].is_string(), "{answer}");
    // The first token may end now: the socket rests on the second.
    anna.run("mutation { logout(input: { scope: ACCESS_TOKEN }) { endedSessions } }").await.data();
    assert_eq!(session(&mut socket).await, before);
    let new = test.bearer(tokens["accessToken"].as_str());
    assert_eq!(new.next().await, 1);
    assert_eq!(current(&socket.answer("a").await), 1, "what runs goes on");
    warned(&mut socket).await;
    assert_eq!(socket.closed().await, 4403);
    assert!(renewed.elapsed() >= Duration::from_secs(5) && began.elapsed() > Duration::from_millis(8500), "{began:?}");
}

#[tokio::test]
async fn tokens_of_another_session_do_not_change_who_a_socket_acts_as() {
    let (test, server) = short_lived().await;
    let ((anna, _), (other, others)) = (log_in(&test).await, log_in(&test).await);
    let (began, mut socket, mut nobody) =
        (Instant::now(), Socket::open(server.address).await, Socket::open(server.address).await);
    socket.init(anna.token.as_deref()).await;
    nobody.init(None).await;
    let before = session(&mut socket).await;
    warned(&mut socket).await;
    let answer = socket.run("r", &refresh(&others)).await;
    let token = answer["data"]["refreshTokens"]["tokens"]["refreshToken"].as_str().expect("a token").to_owned();
    assert_eq!(session(&mut socket).await, before);
    nobody.run("r", &refresh(&token)).await;
    assert_eq!(session(&mut nobody).await, Value::Null, "nobody becomes somebody by it");
    other.run("mutation { logout { endedSessions } }").await.data();
    assert_eq!(session(&mut socket).await, before, "it does not rest on the other session");
    assert_eq!(socket.closed().await, 4403);
    assert!(began.elapsed() < Duration::from_millis(8500), "{:?}: and was not renewed", began.elapsed());
    nobody.is_quiet().await;
}

#[tokio::test]
async fn an_event_stream_ends_with_its_token() {
    let (test, server) = short_lived().await;
    let (anna, _) = log_in(&test).await;
    let began = Instant::now();
    let mut events = Events::post(&server, anna.token.as_deref(), CURRENT).await;
    assert_eq!(current(&events.next().await), 0);
    let last = events.next().await;
    assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{last}");
    events.completes().await;
    assert!(began.elapsed() >= Duration::from_secs(TOKEN_SECONDS.into()));
}

#[tokio::test]
async fn an_api_key_ends_its_socket_when_it_expires() {
    let (test, server) = short_lived().await;
    let (anna, _) = log_in(&test).await;
    let expires_at = cloakroom::clock::rfc3339(test.clock.now() + chrono::TimeDelta::seconds(61));
    let key = test.key_of(&anna, &format!("scopes: [COUNTERS_READ], expiresAt: \"{expires_at}\"")).await;
    test.clock.advance(59);
    let mut socket = Socket::open(server.address).await;
    let told = socket.init(key.token.as_deref()).await;
    assert_eq!(told["expiresAt"], expires_at);
    assert_eq!(socket.closed().await, 4403);
}
