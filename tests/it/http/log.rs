//! The log: one line an operation, the cause of every fault under its request's id, and never a secret.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use super::{get, post_json};
use crate::support::{FILE_NAME, Form, PASSWORD, TestApp, alter};

/// What this test's thread logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start(level: LevelFilter) -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(level);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines since the last look.
    fn lines(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().expect("no writer panics"))).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

#[tokio::test]
async fn an_operation_is_one_line_with_its_outcome() {
    let (_test, user) = TestApp::with_user().await;
    let (log, _guard) = Log::start(LevelFilter::INFO);
    for (query, kind, name, outcome) in [
        ("mutation Take { next { value } }", "mutation", "Take", "OK"),
        ("{ current }", "query", "", "OK"),
        ("query Wrong { nothing }", "query", "Wrong", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "none", "", "GRAPHQL_PARSE_FAILED"),
    ] {
        let reply = user.run(query).await;
        let lines = log.lines();
        let [line] = lines.as_slice() else { panic!("one line, not {lines:?}") };
        assert_eq!((&line["message"], &line["level"]), (&json!("operation"), &json!("INFO")));
        assert_eq!(line["request_id"], reply.header("x-request-id"));
        assert_eq!((&line["kind"], &line["name"], &line["outcome"]), (&json!(kind), &json!(name), &json!(outcome)));
        assert!(line["micros"].is_u64());
    }
}

#[tokio::test]
async fn a_form_is_one_line_without_the_names_of_its_files() {
    let (test, user) = TestApp::with_user().await;
    let (log, _guard) = Log::start(LevelFilter::TRACE);
    let place = json!({ "file": null });
    let form = |query: &str, content: &[u8]| Form::of(query, &place, &[("variables.file", content)]);
    for (caller, form, kind, name, outcome) in [
        (&user, form("query Greet { hello }", b"x"), "query", "Greet", "OK"),
        (&user, form("{", b"x"), "none", "", "GRAPHQL_PARSE_FAILED"),
        (&user, form("{ hello }", b"x").file("1", b"x"), "none", "", "BAD_USER_INPUT"),
        (&user, form("{ hello }", &vec![0; 21 << 20]), "none", "", "PAYLOAD_TOO_LARGE"),
        (&test.anonymous(), form("{ hello }", b"x"), "none", "", "FORBIDDEN"),
        (&test.bearer(Some("nonsense")), form("{ hello }", b"x"), "none", "", "UNAUTHENTICATED"),
    ] {
        let reply = caller.upload(form).await;
        let lines = log.lines();
        assert!(!lines.iter().any(|line| line.to_string().contains(FILE_NAME)), "{lines:?}");
        let operations: Vec<_> = lines.iter().filter(|line| line["message"] == "operation").collect();
        let [line] = operations.as_slice() else { panic!("one line, not {lines:?}") };
        assert_eq!(line["request_id"], reply.header("x-request-id"));
        assert_eq!((&line["kind"], &line["name"], &line["outcome"]), (&json!(kind), &json!(name), &json!(outcome)));
    }
}

#[tokio::test]
async fn the_cause_of_a_fault_is_logged_once_under_the_request_id() {
    let (test, anna) = TestApp::with_user().await;
    let berta = test.sign_up("berta").await;
    assert!(anna.run("{ current }").await.data()["current"].is_number(), "her session is remembered from now on");
    let (log, _guard) = Log::start(LevelFilter::INFO);
    for (caller, drops, table) in [
        (berta, "ALTER TABLE sessions RENAME TO gone", "sessions"),
        (anna, "ALTER TABLE counters RENAME TO away", "counters"),
    ] {
        alter(&test, drops).await;
        log.lines();
        let reply = caller.run("{ current }").await;
        assert_eq!(reply.code(), "INTERNAL_SERVER_ERROR");
        let mut lines = log.lines();
        lines.retain(|line| line["level"] == "ERROR");
        let [cause] = lines.as_slice() else { panic!("one cause, not {lines:?}") };
        assert_eq!(cause["request_id"], reply.header("x-request-id"));
        let text = cause["error"].as_str().expect("a text");
        assert!(text.contains(table), "{cause}");
        let (_, driver) = text.split_once("error returned from database: ").expect("the error of the driver");
        assert_eq!(text.matches(driver).count(), 1, "it is said once: {text}");
    }
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let (log, _guard) = Log::start(LevelFilter::TRACE);
    let (test, user) = TestApp::with_user().await;
    let token = user.token.clone().expect("a token");
    let login = format!(
        r#"mutation {{ login(input: {{ identifier: "anna", password: "{PASSWORD}" }}) {{ tokens {{ refreshToken }} }} }}"#
    );
    let reply = test.anonymous().run(&login).await;
    let refresh = reply.at("/data/login/tokens/refreshToken").as_str().expect("a token").to_owned();
    let variables =
        json!({ "query": "query($p: String!) { user(username: $p) { id } }", "variables": { "p": PASSWORD } });
    user.send(post_json(variables.to_string())).await;
    user.run(&format!("{{ {PASSWORD}")).await;
    user.run(&format!("{{ user(username: \"{PASSWORD}\", nothing: \"{token}\") {{ id }} }}")).await;
    user.send(post_json(format!("{{ \"query\": \"{PASSWORD}"))).await;
    user.send(get(&format!("/graphql?access_token={token}&password={PASSWORD}").replace(' ', "+"), &[])).await;
    test.bearer(Some(&format!("{token}x"))).run("{ current }").await;
    user.next().await;

    let logged: String = log.lines().iter().map(|line| format!("{line}\n")).collect();
    assert!(logged.contains("GRAPHQL_PARSE_FAILED"), "it is the log of all this");
    let signature = token.rsplit('.').next().expect("a signature");
    for secret in [PASSWORD, &PASSWORD.replace(' ', "+"), &token, signature, &refresh, "$argon2id$"] {
        let line = logged.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} in {line:?}");
    }
}
