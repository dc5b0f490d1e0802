//! The end of a server: what was accepted is finished, and nothing new begins (C15).

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::support::{Hold, Listening, TestApp, Wire, post};

async fn next(server: &Listening, token: &str) -> Wire {
    let mut wire = server.connect().await;
    let request = post(r#"{"query": "mutation { next { value } }"}"#);
    wire.send(request.replace("host:", &format!("authorization: Bearer {token}\r\nhost:"))).await;
    wire
}

#[tokio::test]
async fn requests_in_flight_are_finished_and_new_ones_refused() {
    let (test, user) = TestApp::with_user().await;
    let mut server = Listening::start(&test).await;
    let mut idle = server.connect().await;
    assert_eq!(idle.get("/healthz").await.map(|heard| heard.status), Some(200));
    let mut silent = server.connect().await;

    let hold = Hold::of_counters(&test).await;
    let mut waiting = next(&server, user.token.as_deref().expect("a token")).await;
    // Connections are accepted in order: once a later one was answered, the one before is being served.
    assert_eq!(idle.get("/healthz").await.map(|heard| heard.status), Some(200));
    assert_eq!(server.connect().await.get("/healthz").await.map(|heard| heard.status), Some(200));

    server.shut_down();
    assert!(idle.is_hung_up().await, "an idle connection is closed");
    assert!(silent.is_hung_up().await, "one that never said anything too");
    assert!(TcpStream::connect(server.address).await.is_err(), "no further ones are accepted");
    assert!(server.is_running(), "the server waits for what is in flight");
    hold.release().await;
    let heard = waiting.hear().await.expect("the answer still comes");
    assert_eq!(heard.json()["data"]["next"]["value"], 1);
    assert!(heard.has("connection: close"), "and says that it is the last: {heard:?}");
    assert!(waiting.is_hung_up().await);
    server.ended().await;
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    let test = TestApp::start().await;
    let mut server = Listening::start(&test).await;
    let mut wire = server.connect().await;
    assert_eq!(wire.get("/healthz").await.map(|heard| heard.status), Some(200));
    server.shut_down();
    server.ended().await;
}

#[tokio::test]
async fn a_full_server_can_be_stopped() {
    let test = TestApp::with_config(|config| config.server.max_connections = 1).await;
    let mut server = Listening::start(&test).await;
    let mut wire = server.connect().await;
    assert_eq!(wire.get("/healthz").await.map(|heard| heard.status), Some(200));
    let _waits_for_a_place = server.connect().await;
    server.shut_down();
    server.ended().await;
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_left() {
    let test = TestApp::with_config(|config| config.server.shutdown_seconds = 1).await;
    let user = test.sign_up("anna").await;
    let mut server = Listening::start(&test).await;
    let hold = Hold::of_counters(&test).await;
    let _waiting = next(&server, user.token.as_deref().expect("a token")).await;
    assert_eq!(server.connect().await.get("/healthz").await.map(|heard| heard.status), Some(200));
    let asked = Instant::now();
    server.shut_down();
    server.ended().await;
    assert!(asked.elapsed() >= Duration::from_secs(1), "{:?}", asked.elapsed());
    hold.release().await;
}
