//! Signals: which end the server, which change its settings, and which do nothing.

use std::process::Command;
use std::time::Instant;

use axum::http::Request;

use super::Place;
use crate::support::{PATIENCE, Process};

const FRONT_END: &str = "https://app.example.org";

async fn serve(place: &Place, config: &str) -> Process {
    let adapt = |command: &mut Command| {
        command.args(["--config", config]);
        if !place.url.is_empty() {
            command.args(["--database", &place.url]);
        }
    };
    Process::start(&place.data.path().join("data"), adapt)
}

/// Whether a page of [`FRONT_END`] may send requests.
async fn is_allowed(server: &Process) -> bool {
    let request = Request::options(format!("http://{}/graphql", server.address));
    let request = request.header("origin", FRONT_END).header("access-control-request-method", "POST");
    server.send(request.body("".into()).expect("a request")).await == 200
}

/// Waits until this holds, which a request asks again and again.
async fn eventually(server: &Process, expected: bool) {
    let asked = Instant::now();
    while is_allowed(server).await != expected {
        assert!(asked.elapsed() < PATIENCE, "it never comes");
    }
}

#[tokio::test]
async fn signals_that_ask_for_nothing_do_not_end_the_server() {
    let place = Place::create().await;
    let config = place.file("settings.toml", "");
    let mut server = serve(&place, &config).await;
    let token = server.sign_up("anna").await;
    for signal in ["HUP", "USR1", "USR2", "ALRM", "HUP", "USR1"] {
        server.signal(signal);
        let answer = server.run(Some(&token), "{ current }").await.expect("an answer");
        assert_eq!(answer["data"]["current"], 0, "after SIG{signal}");
    }
    assert_eq!(server.end_with("TERM").code(), Some(0));
    let log = server.output();
    for ignored in ["SIGUSR1", "SIGUSR2", "SIGALRM"] {
        assert!(log.contains(&format!("ignored {ignored}")), "{ignored}: {log}");
    }
}

#[tokio::test]
async fn sighup_applies_origins_and_the_log_level_again() {
    let place = Place::create().await;
    let settings = |origins: &str, level: &str| {
        let text = format!("[http]\ncors_origins = [{origins}]\n[log]\nlevel = \"{level}\"\n");
        place.file("settings.toml", &text)
    };
    let config = settings("", "error");
    let mut server = serve(&place, &config).await;
    assert!(!is_allowed(&server).await);
    settings("\"https://app.example.org\"", "info");
    server.signal("HUP");
    eventually(&server, true).await;
    server.run(None, "query Logged { hello }").await.expect("an answer");

    // What cannot be used changes nothing.
    for bad in ["\"not\\u0000an origin\"", "\"unfinished", "1"] {
        settings(bad, "error");
        server.signal("HUP");
    }
    settings("", "info");
    server.signal("HUP");
    eventually(&server, false).await;
    assert_eq!(server.end_with("TERM").code(), Some(0));
    let log = server.output();
    assert!(log.contains("Logged") && log.contains("reloaded"), "{log}");
    assert!(log.contains("stopping"), "the level is still info: {log}");
}

#[tokio::test]
async fn settings_that_cannot_be_read_are_logged_and_those_in_force_kept() {
    let place = Place::create().await;
    let config = place.file("settings.toml", "[http]\ncors_origins = [\"https://app.example.org\"]\n");
    let mut server = serve(&place, &config).await;
    place.file("settings.toml", "[http]\ncors_origins = [\n");
    server.signal("HUP");
    // Asked for until the server is done with the signal, whose order among requests is not fixed.
    for _ in 0..50 {
        assert!(is_allowed(&server).await);
    }
    assert_eq!(server.end_with("TERM").code(), Some(0));
    let log = server.output();
    assert!(log.contains("kept the settings in force"), "{log}");
}
