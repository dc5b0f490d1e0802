//! The end of a server is bounded, whatever it waits for: SIGTERM ends it within
//! `server.shutdown_seconds` and a second, and a second signal at once.
//!
//! A busy machine may be late, so the exit code shows that the time was cut short: 124.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Place;
use crate::counters::proxy::Proxy;
use crate::support::{BOUNDARY, Form, KeptMarker, PATIENCE, Process, TestDatabase, picture_no, read_request};

const NEXT: &str = "mutation { next { value } }";
const CUT_SHORT: i32 = 124;

/// A server that has so many seconds to stop, and waits long for everything else.
fn serve(place: &Place, url: &str, shutdown_seconds: u32, settings: &[(&str, String)]) -> Process {
    Process::start(&place.data.path().join("data"), |command| {
        if !url.is_empty() {
            command.args(["--database", url]);
        }
        command.env("CLOAKROOM__SERVER__SHUTDOWN_SECONDS", shutdown_seconds.to_string());
        command.env("CLOAKROOM__HTTP__REQUEST_SECONDS", "600");
        command.envs(settings.iter().map(|(name, value)| (name, value)));
    })
}

/// Sends SIGTERM; the exit code, and how long it took.
async fn terminate(server: &mut Process) -> (i32, Duration) {
    let asked = Instant::now();
    server.signal("TERM");
    (server.ended().await, asked.elapsed())
}

/// The beginning of a form whose end never comes.
async fn open_form(server: &Process, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 100000\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("it asks for the form");
    assert_eq!(&answer, b"HTTP/1.1 100");
    stream.write_all(format!("--{BOUNDARY}\r\n").as_bytes()).await.expect("it reads");
    stream
}

#[tokio::test]
async fn a_form_that_never_ends_does_not_keep_a_server_from_ending() {
    let place = Place::create().await;
    let mut server = serve(&place, &place.url, 1, &[]);
    let token = server.sign_up("anna").await;
    let _form = open_form(&server, &token).await;
    let (code, took) = terminate(&mut server).await;
    assert!([0, CUT_SHORT].contains(&code), "{code}");
    assert!(took >= Duration::from_secs(1), "accepted requests have their time: {took:?}");
}

#[tokio::test]
async fn a_second_signal_ends_a_server_at_once() {
    for (signal, expected) in [("TERM", 143), ("INT", 130)] {
        let place = Place::create().await;
        let mut server = serve(&place, &place.url, 600, &[]);
        let token = server.sign_up("anna").await;
        let _form = open_form(&server, &token).await;
        server.signal("TERM");
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.exit_code(), None, "it finishes what it has accepted");
        let asked = Instant::now();
        // Signals that come together count as one.
        let code = loop {
            server.signal(signal);
            tokio::time::sleep(Duration::from_millis(50)).await;
            if let Some(code) = server.exit_code() {
                break code;
            }
            assert!(asked.elapsed() < PATIENCE, "the server does not end");
        };
        assert_eq!(code, expected);
        let log = server.output();
        assert!(log.contains("ended at once, because a second signal came"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_database_does_not_keep_a_server_from_ending() {
    if TestDatabase::is_sqlite() {
        return; // It has no network.
    }
    let place = Place::create().await;
    let proxy = Proxy::start(&place.url).await;
    let patient = ["ANSWER", "ACQUIRE"].map(|what| format!("CLOAKROOM__DATABASE__{what}_SECONDS"));
    let patient = patient.each_ref().map(|name| (name.as_str(), "300".to_owned()));
    let mut server = serve(&place, &proxy.url, 1, &patient);
    let token = server.sign_up("anna").await;
    assert_eq!(server.run(Some(&token), NEXT).await.expect("an answer")["data"]["next"]["value"], 1);
    proxy.fall_silent();
    let waiting = join_all((0..3).map(|_| server.run(Some(&token), NEXT)));
    // Long enough for the requests to be sent; without them the stop waits for the connections.
    assert!(tokio::time::timeout(Duration::from_millis(500), waiting).await.is_err(), "an answer without a database");
    let (code, _) = terminate(&mut server).await;
    assert_eq!(code, CUT_SHORT);
    let log = server.output();
    assert!(log.contains("still waiting for") && log.contains("the time to stop was over after 1 s"), "{log}");
}

/// A storage that keeps its identity, and says nothing to anything else.
async fn silent_storage() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let marker = KeptMarker::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_about_the_marker(BufReader::new(stream), marker.clone()));
        }
    });
    address
}

async fn answer_about_the_marker(mut stream: BufReader<TcpStream>, marker: KeptMarker) {
    while let Some((first, body)) = read_request(&mut stream).await {
        match marker.answer(&first, &body) {
            Some(answer) => stream.write_all(answer.as_bytes()).await.expect("it is heard"),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_storage_does_not_keep_a_server_from_ending() {
    let place = Place::create().await;
    let storage = [
        ("CLOAKROOM__STORAGE__URL", "s3://pictures/of/tests".to_owned()),
        ("CLOAKROOM__STORAGE__S3_ENDPOINT", format!("http://{}", silent_storage().await)),
        ("CLOAKROOM__STORAGE__S3_ACCESS_KEY_ID", "anna".to_owned()),
        ("CLOAKROOM__STORAGE__S3_SECRET_ACCESS_KEY", "nobody asks".to_owned()),
    ];
    let mut server = serve(&place, &place.url, 1, &storage);
    let token = server.sign_up("anna").await;
    let query = r"mutation($p: [NewPhoto!]!) { uploadPhotos(input: { photos: $p }) { photos { id } } }";
    let form =
        Form::of(query, &serde_json::json!({ "p": [{ "file": null }] }), &[("variables.p.0.file", &picture_no(1))]);
    let upload = server.upload(&token, form);
    assert!(tokio::time::timeout(Duration::from_millis(500), upload).await.is_err(), "an answer without a storage");
    let (code, _) = terminate(&mut server).await;
    assert!([0, CUT_SHORT].contains(&code), "{code}");
}

#[tokio::test]
async fn a_log_that_nobody_reads_does_not_keep_a_server_from_ending() {
    let place = Place::create().await;
    let mut server = serve(&place, &place.url, 1, &[("CLOAKROOM__LOG__LEVEL", "trace".to_owned())]);
    let token = server.sign_up("anna").await;
    server.stop_reading();
    let name = "a".repeat(64);
    let query = format!("query {name} {{ viewer {{ username storage {{ usedBytes }} counters {{ totalCount }} }} }}");
    // More lines than the pipe takes.
    for _ in 0..16 {
        join_all((0..64).map(|_| server.run(Some(&token), &query))).await;
    }
    let (code, _) = terminate(&mut server).await;
    assert_eq!(code, CUT_SHORT);
}
