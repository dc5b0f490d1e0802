//! `cloakroom users` while a server runs on the same database: what it does holds there soon.

use std::time::Duration;

use serde_json::Value;

use super::{Place, add, piped, users};
use crate::support::{PASSWORD, PATIENCE, Process, test_mails};

const VIEWER: &str = "{ viewer { role } }";

/// A server at this place, whose output is kept.
fn serve(place: &Place) -> Process {
    Process::start(&place.data.path().join("data"), |command| {
        command.env_clear();
        if !place.url.is_empty() {
            command.args(["--database", &place.url]);
        }
    })
}

/// Looks until `seen` is so, at a pace that leaves others the processor; what was seen last, if it never is.
async fn until<T: std::fmt::Debug>(mut look: impl AsyncFnMut() -> T, good: impl Fn(&T) -> bool) {
    let mut last = None;
    let looking = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        while !last.as_ref().is_some_and(&good) {
            pace.tick().await;
            last = Some(look().await);
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, looking).await;
    assert!(in_time.is_ok(), "{last:?}");
}

/// Asks until the answer is as it is meant to be.
async fn answers(server: &Process, token: &str, operation: &str, good: impl Fn(&Value) -> bool) {
    until(async || server.run(Some(token), operation).await.expect("an answer"), good).await;
}

fn is_refused(answer: &Value) -> bool {
    answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
}

fn is_welcome(answer: &Value) -> bool {
    answer["data"]["viewer"]["role"].is_string()
}

#[tokio::test]
async fn whoever_is_shut_out_is_refused_by_the_running_server() {
    let place = Place::create().await;
    let server = serve(&place);
    for (username, command) in
        [("anna", "suspend"), ("bob", "end-sessions"), ("carla", "delete"), ("dora", "set-password")]
    {
        let token = server.sign_up(username).await;
        assert!(is_welcome(&server.run(Some(&token), VIEWER).await.expect("an answer")));
        match command {
            "delete" => users(&place, &["delete", username, "--yes", "--now"]).output(),
            "set-password" => users(&place, &["set-password", username, "--generate-password"]).output(),
            command => users(&place, &[command, username]).output(),
        };
        answers(&server, &token, VIEWER, is_refused).await;
    }
}

#[tokio::test]
async fn whoever_is_promoted_administers_the_running_server() {
    let place = Place::create().await;
    let server = serve(&place);
    let (anna, _) = (server.sign_up("anna").await, server.sign_up("bob").await);
    users(&place, &["promote", "anna"]).output();
    answers(&server, &anna, VIEWER, |answer| answer["data"]["viewer"]["role"] == "ADMIN").await;
    add(&place, &["carla", "--email", "carla@example.org"]).output();
    let carla = r#"{ user(username: "carla") { email } }"#;
    answers(&server, &anna, carla, |answer| answer["data"]["user"]["email"] == "carla@example.org").await;
    add(&place, &["dora", "--admin"]).output();
    users(&place, &["demote", "anna"]).output();
    answers(&server, &anna, carla, |answer| answer["data"]["user"]["email"].is_null()).await;
}

#[tokio::test]
async fn the_running_server_sends_the_mails_of_commands_and_one_that_starts_those_that_wait() {
    let place = Place::create().await;
    place.run(&["migrate", "up"]).output();
    add(&place, &["anna", "--email", "anna@example.org"]).output();
    let mails = || test_mails(&place.data.path().join("data"));
    piped(&place, &["set-password", "anna", "--password-stdin"], PASSWORD).output();
    assert_eq!(mails().len(), 0, "without a server it waits");
    let mut server = serve(&place);
    for expected in [1, 2] {
        until(async || mails().len(), |count| *count == expected).await;
        if expected == 1 {
            piped(&place, &["set-password", "anna", "--password-stdin"], PASSWORD).output();
        }
    }
    assert!(mails().iter().all(|mail| mail.to == "anna@example.org"));
    assert_eq!(server.end_with("TERM").code(), Some(0));
    assert!(!server.output().contains(PASSWORD));
}

#[tokio::test]
async fn a_server_says_how_the_first_administrator_is_made_until_there_is_one() {
    let place = Place::create().await;
    let told = || {
        let mut server = serve(&place);
        assert_eq!(server.end_with("TERM").code(), Some(0));
        server.output().contains("No administrator yet: sign up, then run `cloakroom users promote USERNAME`")
    };
    assert!(told());
    add(&place, &["anna"]).output();
    assert!(told());
    users(&place, &["promote", "anna"]).output();
    assert!(!told());
}
