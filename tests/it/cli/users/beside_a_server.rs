//! `cloakroom users` while a server runs on the same database: what it does holds there soon.

use std::time::Duration;

use serde_json::Value;

use super::{Place, add, piped, users};
use crate::support::{PASSWORD, Process, test_mails};

/// What takes longer never happens.
const DEADLINE: Duration = Duration::from_secs(30);
const VIEWER: &str = "{ viewer { user { role } } }";

/// A server at this place, whose output is kept.
fn serve(place: &Place) -> Process {
    Process::start(&place.data.path().join("data"), |command| {
        command.env_clear();
        if !place.url.is_empty() {
            command.args(["--database", &place.url]);
        }
    })
}

/// Asks until the answer is as it is meant to be.
async fn until(server: &Process, token: &str, operation: &str, good: impl Fn(&Value) -> bool) {
    let mut last = Value::Null;
    let asking = async {
        loop {
            last = server.run(Some(token), operation).await.expect("an answer");
            if good(&last) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, asking).await;
    assert!(in_time.is_ok(), "{last}");
}

fn is_refused(answer: &Value) -> bool {
    answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
}

fn is_welcome(answer: &Value) -> bool {
    answer["data"]["viewer"]["user"]["role"].is_string()
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
        until(&server, &token, VIEWER, is_refused).await;
    }
}

#[tokio::test]
async fn whoever_is_promoted_administers_the_running_server() {
    let place = Place::create().await;
    let server = serve(&place);
    let (anna, _) = (server.sign_up("anna").await, server.sign_up("bob").await);
    users(&place, &["promote", "anna"]).output();
    until(&server, &anna, VIEWER, |answer| answer["data"]["viewer"]["user"]["role"] == "ADMIN").await;
    add(&place, &["carla", "--email", "carla@example.org"]).output();
    let carla = r#"{ user(username: "carla") { email } }"#;
    until(&server, &anna, carla, |answer| answer["data"]["user"]["email"] == "carla@example.org").await;
    add(&place, &["dora", "--admin"]).output();
    users(&place, &["demote", "anna"]).output();
    until(&server, &anna, carla, |answer| answer["data"]["user"]["email"].is_null()).await;
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
        let arrived = async {
            while mails().len() < expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, arrived).await.is_ok(), "mail {expected} does not come");
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
