//! Connections are counted by peer: none takes them all, and health checks need none.
//!
//! Peers are addresses of the loopback network here: 127.0.0.2, 127.0.0.3 and so on.

use std::net::{IpAddr, Ipv4Addr};

use cloakroom::config::{Config, Listen};
use cloakroom::http::{self, Listeners};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::live::{self, Socket};
use crate::support::{Heard, Listening, PATIENCE, TestApp, Wire, post};

const HELLO: &str = r#"{"query": "{ hello }"}"#;
const HEALTH: [&str; 4] = ["/healthz", "/readyz", "/readyz/database", "/health"];

/// A server of eight connections: two for a peer, six for a proxy.
async fn small(adapt: impl FnOnce(&mut Config)) -> (TestApp, Listening) {
    let test = TestApp::with_config(|config| {
        config.server.max_connections = 8;
        config.http.header_seconds = PATIENCE.as_secs();
        adapt(config);
    })
    .await;
    let server = Listening::start(&test).await;
    (test, server)
}

/// The same without proxies.
async fn direct() -> (TestApp, Listening) {
    small(|config| config.http.trusted_proxies = Vec::new()).await
}

fn peer(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, number).into()
}

/// A connection of a peer that has a place, and keeps it.
async fn placed(server: &Listening, number: u8) -> Wire {
    let mut wire = server.connect_from(peer(number)).await;
    assert_eq!(hello(&mut wire, "").await.status, 200, "peer {number} has a place");
    wire
}

/// Sends a query, with these headers.
async fn hello(wire: &mut Wire, headers: &str) -> Heard {
    wire.send(post(HELLO).replacen("host:", &format!("{headers}host:"), 1)).await;
    wire.hear().await.expect("an answer")
}

fn assert_refused(heard: &Heard, status: u16, code: &str) {
    assert_eq!(heard.status, status, "{heard:?}");
    assert_eq!(heard.json()["errors"][0]["extensions"]["code"], code);
    assert!(heard.head.contains("retry-after: "), "{heard:?}");
}

/// Repeats something until it is true: the server notices the end of a connection a moment later.
async fn eventually(mut is_true: impl AsyncFnMut() -> bool) {
    let repeated = async {
        while !is_true().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, repeated).await.expect("it becomes true");
}

#[tokio::test]
async fn a_peer_that_takes_its_share_takes_nothing_from_others() {
    let (_test, server) = direct().await;
    let mut held = vec![placed(&server, 2).await, placed(&server, 2).await];
    for _ in 0..100 {
        held.push(server.connect_from(peer(2)).await);
    }
    let mut other = placed(&server, 3).await;
    assert_eq!(hello(&mut other, "").await.status, 200, "and keeps it");

    let mut further = server.connect_from(peer(2)).await;
    assert_refused(&hello(&mut further, "").await, 429, "RATE_LIMITED");
    assert!(further.is_hung_up().await);
    for path in HEALTH {
        for number in [2, 3, 4] {
            let heard = server.connect_from(peer(number)).await.get(path).await.expect("an answer");
            assert_eq!(heard.status, 200, "{path} for peer {number}");
        }
    }
    for wire in &mut held[..2] {
        assert_eq!(hello(wire, "").await.status, 200, "its first ones are served on");
    }
}

#[tokio::test]
async fn a_full_server_says_so_and_answers_health_checks() {
    let (_test, server) = direct().await;
    let mut held = Vec::new();
    for number in 2..6 {
        held.extend([placed(&server, number).await, placed(&server, number).await]);
    }
    // Connections that send nothing, of peers that have a place and of peers that have none.
    let mut silent = Vec::new();
    for number in (2..50).cycle().take(300) {
        silent.push(server.connect_from(peer(number)).await);
    }
    let mut further = server.connect_from(peer(60)).await;
    assert_refused(&hello(&mut further, "").await, 503, "UNAVAILABLE");
    assert!(further.is_hung_up().await);
    for path in HEALTH {
        let mut check = server.connect_from(peer(60)).await;
        assert_eq!(check.get(path).await.map(|heard| heard.status), Some(200), "{path}");
        assert!(check.is_hung_up().await, "one request only");
    }
    let mut check = server.connect_from(peer(60)).await;
    check.send(post(HELLO).replace("/graphql", "/healthz")).await;
    assert_eq!(check.hear().await.map(|heard| heard.status), Some(503), "only what is a health check");

    held.pop();
    eventually(async || hello(&mut server.connect_from(peer(60)).await, "").await.status == 200).await;
}

#[tokio::test]
async fn a_place_is_free_again_after_its_connection() {
    let (_test, server) = direct().await;
    for _ in 0..50 {
        let mut first = server.connect_from(peer(2)).await;
        eventually(async || {
            first = server.connect_from(peer(2)).await;
            hello(&mut first, "").await.status == 200
        })
        .await;
    }
}

#[tokio::test]
async fn requests_through_a_proxy_count_for_its_clients() {
    let (test, server) = small(|_| ()).await;
    let user = test.sign_up("anna").await;
    let token = user.token.as_deref().expect("a token");
    let client = |number: u8| format!("x-forwarded-for: 203.0.113.{number}\r\n");
    let events = |number: u8| {
        let subscription = r#"{"query": "subscription { current }"}"#;
        let accepted = "accept: text/event-stream";
        let headers = format!("{}authorization: Bearer {token}\r\n{accepted}\r\nhost:", client(number));
        post(subscription).replacen("host:", &headers, 1)
    };
    // Idle connections that served a client count for the proxy.
    let mut idle = server.connect().await;
    for _ in 0..10 {
        assert_eq!(hello(&mut idle, &client(1)).await.status, 200);
    }
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut wire = server.connect().await;
        wire.send(events(1)).await;
        assert!(wire.begins_with("http/1.1 200").await, "an event stream");
        streams.push(wire);
    }
    assert_refused(&hello(&mut idle, &client(1)).await, 429, "RATE_LIMITED");
    assert_eq!(hello(&mut idle, &client(2)).await.status, 200, "over the same connection");
    assert_eq!(hello(&mut idle, "").await.status, 200, "a request of the proxy's own");
    assert_eq!(idle.get("/healthz").await.map(|heard| heard.status), Some(200));

    streams.pop();
    eventually(async || hello(&mut idle, &client(1)).await.status == 200).await;
}

#[tokio::test]
async fn connections_of_a_proxy_that_names_no_client_count_for_the_proxy() {
    let (_test, server) = small(|_| ()).await;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(placed(&server, 1).await);
    }
    let mut further = server.connect().await;
    assert_refused(&hello(&mut further, "").await, 429, "RATE_LIMITED");
    assert_eq!(server.connect().await.get("/healthz").await.map(|heard| heard.status), Some(200));
    let _other = placed(&server, 2).await;
}

/// Sends a query over a Unix domain socket; the status of the answer.
async fn status_over_unix(stream: &mut UnixStream) -> String {
    stream.write_all(post(HELLO).as_bytes()).await.expect("it is sent");
    let mut status = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut status)).await.expect("an answer").expect("an answer");
    String::from_utf8_lossy(&status[9..]).into_owned()
}

#[tokio::test]
async fn peers_of_a_unix_socket_are_one_peer() {
    let test = TestApp::with_config(|config| {
        config.server.max_connections = 8;
        config.http.trusted_proxies = Vec::new();
    })
    .await;
    let path = test.data_dir().join("socket");
    let listen = Listen::Unix(path.clone());
    let listeners = Listeners::bind(&listen, test.config.server.socket_mode).await.expect("it listens");
    let (router, config) = (test.router.clone(), test.config.clone());
    let served = tokio::spawn(async move { http::serve(listeners, router, &config, std::future::pending()).await });
    let mut held = Vec::new();
    for expected in ["200", "200", "429"] {
        let mut stream = UnixStream::connect(&path).await.expect("a connection");
        assert_eq!(status_over_unix(&mut stream).await, expected);
        held.push(stream);
    }
    served.abort();
}

#[tokio::test]
async fn sockets_count_before_they_say_anything() {
    let (_test, server) = small(|_| ()).await;
    let headers = |client| [live::PROTOCOL, ("x-forwarded-for", client)];
    let open = async |client| Socket::open_with(server.address, &headers(client)).await;
    let first = open("203.0.113.1").await.expect("the first socket of a client");
    let _second = open("203.0.113.1").await.expect("its second one");
    assert_eq!(open("203.0.113.1").await.err().map(|(status, _)| status), Some(429));
    let _other = open("203.0.113.2").await.expect("a socket of another client");
    drop(first);
    eventually(async || open("203.0.113.1").await.is_ok()).await;
}

#[tokio::test]
async fn each_address_has_so_many_sockets_that_wait_to_begin() {
    let test = TestApp::with_config(|config| {
        config.subscriptions.max_per_caller = 2;
        config.subscriptions.init_seconds = PATIENCE.as_secs();
    })
    .await;
    let server = Listening::start(&test).await;
    let open = async |client| Socket::open_with(server.address, &[live::PROTOCOL, ("x-forwarded-for", client)]).await;
    let mut first = open("203.0.113.1").await.expect("the first socket of an address");
    let _second = open("203.0.113.1").await.expect("its second one");
    assert_eq!(open("203.0.113.1").await.err().map(|(status, _)| status), Some(429));
    let _other = open("203.0.113.2").await.expect("a socket of another address");
    first.init(None).await;
    let _third = open("203.0.113.1").await.expect("the first one has begun");
}
