//! `cloakroom console`: from a pipe, from the command line, and at a terminal.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::terminal::Terminal;
use super::{Place, Said};
use crate::support::{PASSWORD, Process};

const NEXT: &str = "mutation { next { value } }";

/// A migrated database with one user.
async fn with_anna() -> Place {
    let place = Place::create().await;
    place.run(&["migrate", "up"]).output();
    sign_up(&place, "anna");
    place
}

fn sign_up(place: &Place, username: &str) {
    let mutation = r#"mutation($input: SignUpInput!) { signUp(input: $input) { user { username } } }"#;
    let input = json!({ "username": username, "email": format!("{username}@example.org"), "password": PASSWORD });
    let vars = json!({ "input": input }).to_string();
    let answer = answer(place.run(&["console", "-e", mutation, "--vars", &vars]).output());
    assert_eq!(answer, json!({ "data": { "signUp": { "user": { "username": username } } } }));
}

fn answer(text: impl AsRef<str>) -> Value {
    let text = text.as_ref();
    serde_json::from_str(text).unwrap_or_else(|_| panic!("JSON, not {text}"))
}

/// Everything that came, one answer after the other.
fn answers(text: &str) -> Vec<Value> {
    let answers = serde_json::Deserializer::from_str(text).into_iter();
    answers.map(|answer| answer.unwrap_or_else(|_| panic!("JSON, not {text}"))).collect()
}

fn pipe(place: &Place, arguments: &[&str], text: &str) -> Said {
    let file = place.data.path().join("operations.graphql");
    fs::File::create(&file).and_then(|mut file| file.write_all(text.as_bytes())).expect("the folder is writable");
    let mut command = place.command(&[&["console"], arguments].concat());
    super::run(command.stdin(fs::File::open(&file).expect("the file is there")))
}

#[tokio::test]
async fn an_operation_runs_as_the_user_who_is_named() {
    let place = with_anna().await;
    let viewer = |who: &str| {
        let said = place.run(&["console", "--as", who, "-e", "viewer { user { id username } }"]);
        answer(said.output())["data"]["viewer"]["user"].clone()
    };
    let anna = viewer("anna");
    assert_eq!(anna["username"], "anna");
    for who in ["ANNA", "anna@example.org", anna["id"].as_str().expect("an id")] {
        assert_eq!(viewer(who), anna);
    }
    let nobody = answer(place.run(&["console", "-e", "{ viewer { user { id } } hello }"]).output());
    assert_eq!((&nobody["data"]["viewer"], nobody["data"]["hello"].is_string()), (&Value::Null, true));
    let said = place.run(&["console", "--as", "carla", "-e", NEXT]).complaint();
    assert!(said.contains("there is no user carla"), "{said}");
}

#[tokio::test]
async fn errors_are_answered_and_set_the_exit_status() {
    let place = with_anna().await;
    for (arguments, code) in [
        (&["-e", NEXT][..], "UNAUTHENTICATED"),
        (&["-e", "{ nothing }"], "GRAPHQL_VALIDATION_FAILED"),
        (&["-e", "{ hello"], "GRAPHQL_PARSE_FAILED"),
        (&["-e", "query($id: ID!) { node(id: $id) { id } }"], "BAD_USER_INPUT"),
    ] {
        let said = place.run(&[&["console"], arguments].concat());
        assert_eq!(answer(&said.out)["errors"][0]["extensions"]["code"], code, "{said:?}");
        assert!(said.complaint().contains("the answer has errors"));
    }
    let said = pipe(&place, &[], "hello\n\nnothing\n\nhello");
    assert_eq!(answers(&said.out).len(), 3, "the others are run");
    assert!(said.complaint().contains("1 of 3 answers have errors"));
    let said = place.run(&["console", "-e", "hello", "--vars", "{\"s3cret\""]).complaint();
    assert!(said.contains("JSON object") && !said.contains("s3cret"), "{said}");
}

#[tokio::test]
async fn a_bug_is_told_apart_and_its_cause_goes_to_standard_error() {
    let place = with_anna().await;
    place.execute("ALTER TABLE counters RENAME TO misplaced").await;
    let said = place.run(&["console", "--as", "anna", "-e", NEXT]);
    let error = &answer(&said.out)["errors"][0];
    assert_eq!(
        (&error["message"], &error["extensions"]["code"]),
        (&"Internal error.".into(), &"INTERNAL_SERVER_ERROR".into())
    );
    let id = error["extensions"]["requestId"].as_str().expect("an id");
    assert!(said.err.contains(id) && said.err.contains("counters") && !said.out.contains("counters"), "{said:?}");
}

#[tokio::test]
async fn a_pipe_brings_operations_between_blank_lines_and_commands() {
    let place = with_anna().await;
    sign_up(&place, "bob");
    let text = format!(
        "# Numbers\n{NEXT}\n\n\nquery {{\n\n  current # {{\n}}\n\n.as bob\n{NEXT}\n\n.as\n\n\
         .vars {{\"name\":\n\n \"anna\"}}\nquery($name: String!) {{ user(username: $name) {{ id }} }}\n\n\
         .schema LogoutScope\n.exit\n{NEXT}"
    );
    let said = pipe(&place, &["--as", "anna"], &text);
    let (json, sdl) = said.out.split_once("\"What a logout ends.\"").unwrap_or_else(|| panic!("{said:?}"));
    let answers = answers(json);
    assert_eq!(
        answers[..3],
        [
            json!({ "data": { "next": { "value": 1 } } }),
            json!({ "data": { "current": 1 } }),
            json!({ "data": { "next": { "value": 1 } } }),
        ]
    );
    assert_eq!(answers[3]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "the variables were given");
    assert_eq!(answers.len(), 4);
    assert!(sdl.starts_with("\nenum LogoutScope {") && sdl.ends_with("}\n"), "{sdl}");
    assert!(said.err.contains("acting as bob usr_"), "{}", said.err);
    assert_eq!(pipe(&place, &[], "").output(), "");
    let said = pipe(&place, &["--as", "anna"], &format!(".as carla\n{NEXT}"));
    assert_eq!(said.out, "", "nothing runs as the wrong user");
    assert!(said.complaint().contains("there is no user carla"));
}

#[tokio::test]
async fn whoever_acts_is_shown_with_their_state_and_has_its_rights() {
    let place = with_anna().await;
    place.execute("UPDATE users SET role = 'admin', suspended_at = '2026-01-01 00:00:00+00:00'").await;
    let said = place.run(&["console", "-e", ".as anna"]);
    assert!(said.err.contains("an administrator; suspended"), "{said:?}");
    assert_eq!(answer(place.run(&["console", "--as", "anna", "-e", NEXT]).output())["data"]["next"]["value"], 1);
}

#[tokio::test]
async fn nothing_that_a_user_wrote_acts_on_the_terminal() {
    let place = with_anna().await;
    place.execute("UPDATE users SET name = '\u{1b}[2J\u{9b}2J\u{202e}é'").await;
    let text = place.run(&["console", "--as", "anna", "-e", "viewer { user { displayName } }"]).output();
    assert!(text.contains(r"\u001b[2J\u009b2J\u202eé"), "{text:?}");
    assert_eq!(answer(text)["data"]["viewer"]["user"]["displayName"], "\u{1b}[2J\u{9b}2J\u{202e}é");
}

#[tokio::test]
async fn a_database_that_is_not_migrated_is_refused() {
    let place = Place::create().await;
    let said = place.run(&["console", "-e", "hello"]).complaint();
    assert!(said.contains("pending") && said.contains("cloakroom migrate up"), "{said}");
}

#[tokio::test]
async fn the_schema_is_not_hidden_from_the_console() {
    let place = with_anna().await;
    let mut command = place.command(&["console", "-e", "{ __schema { queryType { name } } }"]);
    let said = super::run(command.env("CLOAKROOM__GRAPHQL__INTROSPECTION", "false"));
    assert_eq!(answer(said.output())["data"]["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test]
async fn it_runs_beside_a_server_and_shares_its_numbers() {
    let place = Place::create().await;
    let server = Process::start(&place.data.path().join("data"), |command| {
        if !place.url.is_empty() {
            command.args(["--database", &place.url]);
        }
    });
    let token = server.sign_up("anna").await;
    for expected in [1, 3, 5] {
        let served = server.run(Some(&token), NEXT).await.expect("an answer");
        assert_eq!(served["data"]["next"]["value"], expected);
        let said = place.run(&["console", "--as", "anna", "-e", NEXT]);
        assert_eq!(answer(said.output())["data"]["next"]["value"], expected + 1);
    }
}

fn at_terminal(place: &Place, arguments: &[&str]) -> Terminal {
    Terminal::start(&mut place.command(&[&["console"], arguments].concat()))
}

#[tokio::test]
async fn at_a_terminal_it_completes_answers_and_goes_on_until_the_end() {
    let place = with_anna().await;
    let mut terminal = at_terminal(&place, &["--as", "anna"]);
    terminal.wait_for("anna> ");
    terminal.type_in("vie\t");
    terminal.wait_for("viewer");
    terminal.type_in(" { us\t{ usern\t } }\r");
    terminal.wait_for("\"username\": \"anna\"");
    terminal.wait_for("anna> ");

    terminal.type_in("mutation {\r");
    terminal.type_in("ne\t { value } }\r");
    terminal.wait_for("\"value\": 1");
    terminal.wait_for("anna> ");
    terminal.type_in("{ dropped \x03");
    terminal.wait_for("anna> ");

    terminal.type_in(".as\r");
    terminal.wait_for("nobody> ");
    terminal.type_in(&format!("{NEXT}\r"));
    terminal.wait_for("UNAUTHENTICATED at next (1:12): ");
    terminal.wait_for("`.as USER` acts as somebody.");
    terminal.wait_for("nobody> ");
    terminal.type_in(".quit\r");
    terminal.wait_for("there is no .quit");
    terminal.wait_for("nobody> ");
    terminal.type_in(".as anna\r");
    terminal.wait_for("acting as anna usr_");
    terminal.wait_for("anna> ");
    // Before `.as anna`; `.quit` might have been anything and is not kept.
    terminal.type_in("\x1b[A\x1b[A\r");
    terminal.wait_for("\"value\": 2");
    terminal.wait_for("anna> ");
    terminal.type_in("\x04");
    assert!(terminal.end().success());
}

#[tokio::test]
async fn the_history_lasts_is_its_owners_and_has_no_secrets() {
    let place = with_anna().await;
    let path = place.data.path().join("data/console_history");
    for expected in [1, 2] {
        let mut terminal = at_terminal(&place, &["--as", "anna"]);
        terminal.wait_for("anna> ");
        for secret in [
            r#"mutation { login(input: { identifier: "anna", password: "s3cret one" }) { userErrors { code } } }"#,
            r#"mutation { login(input: { identifier: "anna", pasword: "s3cret two" }) { userErrors { code } } }"#,
            r#"mutation { logout(input: { refreshToken: "s3cret three" }) { endedSessions } }"#,
            r#".vars { "password": "s3cret four" }"#,
            r#".password s3cret five"#,
        ] {
            // Ahead of the answers: what is typed then is not lost.
            terminal.type_in(&format!("{secret}\r"));
        }
        // The second time it is found with the arrow.
        terminal.type_in(if expected == 1 { "mutation {\rnext { value } }\r" } else { "\x1b[A\r" });
        terminal.wait_for(&format!("\"value\": {expected}"));
        terminal.wait_for("anna> ");
        terminal.type_in(".exit\r");
        assert!(terminal.end().success());
        if expected == 1 {
            let history = fs::read_to_string(&path).expect("a history");
            assert!(history.ends_with("mutation {\\nnext { value } }\n.exit\n"), "{history}");
            fs::write(&path, history.replace("\n.exit\n", "\n")).expect("writable");
        }
    }
    let history = fs::read_to_string(&path).expect("a history");
    assert!(!history.contains("s3cret") && !history.contains("password"), "{history}");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn the_history_is_bounded() {
    let place = with_anna().await;
    let path = place.data.path().join("data/console_history");
    let old: String = (0..5_000).map(|n| format!("a{n}: hello\n")).collect();
    fs::write(&path, format!("#V2\n{old}")).expect("writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let mut terminal = at_terminal(&place, &[]);
    terminal.wait_for("nobody> ");
    terminal.type_in("hello\r");
    terminal.wait_for("\"hello\":");
    terminal.wait_for("nobody> ");
    terminal.type_in("\x04");
    assert!(terminal.end().success());
    let history = fs::read_to_string(&path).expect("a history");
    assert_eq!(history.lines().count(), 1 + 1000);
    assert!(history.ends_with("a4999: hello\nhello\n"), "{history}");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn without_a_reader_it_ends_quietly() {
    let place = with_anna().await;
    let mut command = place.command(&["console", "-e", ".schema"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
