//! Imports in batches: repeated, side by side, stopped and killed.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::super::terminal::Terminal;
use super::super::{Place, Running, run};
use super::{json_of, listed, piped, signs_in, users, with};
use crate::support::{PASSWORD, PATIENCE};

/// Of "pâssword Å": see `import.rs`.
const OLD_PASSWORD: &str = "pâssword Å";
const HASH: &str = "$2b$04$BjONp/rvj.G2UstdGDCIte/FH28/0rOFIJPmL4bJ1tHUfOBXHYISS";
const OTHER_HASH: &str = "$2y$04$QywbyrJtmZ1mdyUnmULzd.Uy5pgW4yZ8v1IBNRx5cHZb/rAjxO.rS";
/// Lines of a transaction.
const BATCH: usize = 200;

fn text_of(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// So many users.
fn people(count: usize) -> String {
    text_of(
        &(0..count).map(|n| json!({ "username": format!("user.{n:05}"), "passwordHash": HASH })).collect::<Vec<_>>(),
    )
}

#[tokio::test]
async fn a_file_that_is_imported_again_changes_nothing_and_is_no_error() {
    let place = with(&[]).await;
    let lines = [
        json!({ "username": "anna", "email": "anna@example.org", "passwordHash": HASH }),
        json!({ "username": "bob", "passwordHash": HASH, "displayName": "Bob" }),
        json!({ "email": "carla@example.org", "passwordHash": OTHER_HASH }),
        json!({ "username": "dora", "password": PASSWORD }),
        json!({ "email": "emil@example.org", "password": PASSWORD }),
    ];
    assert_eq!(piped(&place, &["import", "-"], &text_of(&lines)).output(), "5 added, 0 refused.\n");
    assert_eq!(piped(&place, &["import", "-"], &text_of(&lines)).output(), "0 added, 5 already there, 0 refused.\n");
    // The first login replaces the hash, and a user may change what they are called.
    assert!(signs_in(&place, "anna", OLD_PASSWORD) && signs_in(&place, "carla@example.org", OLD_PASSWORD));
    users(&place, &["rename", "bob", "--display-name", "Robert"]).output();
    let before = json_of(users(&place, &["list", "--json"]));
    let more = [&lines[..], &[json!({ "username": "frank", "passwordHash": HASH })]].concat();
    let dry = json_of(piped(&place, &["import", "-", "--dry-run", "--json"], &text_of(&more)));
    assert_eq!((&dry["added"], &dry["alreadyThere"], &dry["refusedLines"]), (&json!(1), &json!(5), &json!(0)));
    assert_eq!(json_of(users(&place, &["list", "--json"])), before);
    let again = json_of(piped(&place, &["import", "-", "--json"], &text_of(&more)));
    assert_eq!((&again["added"], &again["alreadyThere"], &again["refused"]), (&json!(1), &json!(5), &json!([])));
    assert_eq!(listed(&place, "bob")["displayName"], "Robert", "who is there stays as they are");
    assert!(signs_in(&place, "anna", OLD_PASSWORD) && signs_in(&place, "dora", PASSWORD));
}

#[tokio::test]
async fn a_line_that_differs_from_who_is_there_is_refused() {
    let place = with(&["anna"]).await;
    let bob = json!({ "username": "bob", "email": "bob@example.org", "passwordHash": HASH });
    piped(&place, &["import", "-"], &text_of(&[bob])).output();
    let lines = [
        json!({ "username": "bob", "email": "bob@example.org", "passwordHash": OTHER_HASH }),
        json!({ "username": "bob", "email": "robert@example.org", "passwordHash": HASH }),
        json!({ "username": "bob", "passwordHash": HASH }),
        json!({ "username": "robert", "email": "bob@example.org", "passwordHash": HASH }),
        json!({ "email": "bob@example.org", "passwordHash": OTHER_HASH }),
        json!({ "username": "anna", "email": "anna@example.org", "password": "another password" }),
        json!({ "username": "anna", "password": PASSWORD }),
    ];
    let summary = piped(&place, &["import", "-", "--json"], &text_of(&lines));
    assert!(!summary.succeeded);
    let summary: Value = serde_json::from_str(&summary.out).expect("JSON");
    assert_eq!((&summary["added"], &summary["alreadyThere"]), (&json!(0), &json!(0)), "{summary}");
    let fields: Vec<&Value> =
        summary["refused"].as_array().expect("an array").iter().map(|line| &line["errors"][0]["field"]).collect();
    assert_eq!(fields, ["username", "username", "username", "email", "email", "username", "username"]);
    let unchanged = json!({ "username": "anna", "email": "anna@example.org", "password": PASSWORD });
    let said = piped(&place, &["import", "-"], &text_of(&[unchanged])).output();
    assert_eq!(said, "0 added, 1 already there, 0 refused.\n", "somebody who was not imported");
}

#[tokio::test]
async fn two_lines_with_one_username_or_address_are_told_together() {
    let place = with(&[]).await;
    let mut lines: Vec<Value> =
        (0..BATCH).map(|n| json!({ "username": format!("user.{n:05}"), "passwordHash": HASH })).collect();
    lines[3] = json!({ "username": "dora", "email": "dora@example.org", "passwordHash": HASH });
    lines.push(json!({ "username": "DORA", "passwordHash": HASH }));
    lines.push(json!({ "username": "emil", "email": "DORA@example.org", "passwordHash": HASH }));
    lines[8] = json!({ "username": "user.00006", "passwordHash": HASH });
    for arguments in [&["import", "-", "--dry-run"][..], &["import", "-"]] {
        let said = piped(&place, arguments, &text_of(&lines));
        let expected = [
            "line 9: username: This username is taken. Line 7 has it as well.",
            "line 201: username: This username is taken. Line 4 has it as well.",
            "line 202: email: An account with this e-mail address exists. Line 4 has it as well.",
            "cloakroom: 3 lines were refused",
        ];
        assert_eq!(said.err.lines().collect::<Vec<_>>(), expected, "{arguments:?}");
        assert!(said.out.starts_with("199 "), "{}", said.out);
    }
}

#[tokio::test]
async fn a_line_of_any_length_is_refused_alone() {
    let place = with(&[]).await;
    let long = "x".repeat(1 << 20);
    let anna = json!({ "username": "anna", "passwordHash": HASH });
    let bob = json!({ "username": "bob", "passwordHash": HASH });
    let said = piped(&place, &["import", "-"], &format!("{anna}\n{{\"displayName\": \"{long}\"}}\n\n{bob}\n{long}"));
    assert_eq!(said.out, "2 added, 2 refused.\n");
    let expected = ["line 2: A line has at most 65536 bytes.", "line 5: A line has at most 65536 bytes."];
    assert_eq!(said.err.lines().collect::<Vec<_>>()[..2], expected);
}

/// Neither sees what the other is about to add.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_of_one_file_side_by_side_add_each_user_once() {
    let place = with(&[]).await;
    let file = place.file("people.jsonl", &people(3 * BATCH));
    let start = || {
        let mut command = place.command(&["users", "import", &file, "--json"]);
        tokio::task::spawn_blocking(move || run(&mut command))
    };
    let (one, other) = tokio::join!(start(), start());
    let summaries = [one, other].map(|said| json_of(said.expect("it ends")));
    let sum = |member: &str| summaries.iter().filter_map(|summary| summary[member].as_u64()).sum::<u64>();
    assert_eq!((sum("added"), sum("alreadyThere"), sum("refusedLines")), (600, 600, 0), "{summaries:?}");
    assert_eq!(place.count("users").await, 600);
    assert_eq!(place.count("counters").await, 600);
    assert_eq!(place.count("account_events").await, 600);
}

/// An import that has these lines, and waits for more.
fn begin(place: &Place, text: &str) -> (Running, std::process::ChildStdin) {
    let mut command = place.command(&["users", "import", "-", "--json"]);
    let mut child: Child = command.stdin(Stdio::piped()).spawn().expect("the command starts");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(text.as_bytes()).expect("the pipe has room for it");
    (Running(child), input)
}

async fn wait_for_users(place: &Place, count: i64) {
    let begun = Instant::now();
    while place.count("users").await < count {
        assert!(begun.elapsed() < PATIENCE, "they are not added");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_stops_an_import_between_two_batches_and_it_goes_on_from_the_line_that_is_told() {
    const LINES: usize = 2 * BATCH + 50;
    for (signal, name, code) in [("INT", "SIGINT", 130), ("TERM", "SIGTERM", 143)] {
        let place = with(&[]).await;
        let (running, input) = begin(&place, &people(LINES));
        wait_for_users(&place, 1).await;
        running.signal(signal);
        let (status, out, err) = end(running);
        drop(input);
        assert_eq!(status.code(), Some(code), "{err}");
        let summary: Value = serde_json::from_str(&out).expect("JSON");
        let added = place.count("users").await;
        assert_eq!(summary["added"], added, "{summary}");
        let next = usize::try_from(added).expect("a count") + 1;
        assert_eq!(summary["nextLine"], next);
        let expected = format!("stopped by {name}; to go on: cloakroom users import - --from-line {next}");
        assert_eq!(err, format!("cloakroom: {expected}\n"));

        let file = place.file("people.jsonl", &people(LINES));
        let said = users(&place, &["import", &file, "--from-line", &next.to_string()]).output();
        assert_eq!(said, format!("{} added, 0 refused.\n", LINES + 1 - next));
        assert_eq!(place.count("users").await, i64::try_from(LINES).expect("small"));
    }
}

/// Exit status and output of a command that was started.
fn end(mut running: Running) -> (std::process::ExitStatus, String, String) {
    use std::io::Read as _;
    let (mut out, mut err) = (String::new(), String::new());
    running.0.stdout.take().expect("it is piped").read_to_string(&mut out).expect("text");
    running.0.stderr.take().expect("it is piped").read_to_string(&mut err).expect("text");
    (running.0.wait().expect("it ends"), out, err)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_leaves_whole_batches() {
    const LINES: usize = 4 * BATCH;
    let place = with(&[]).await;
    let file = place.file("people.jsonl", &people(LINES));
    let mut command = place.command(&["users", "import", &file]);
    let running = Running(command.spawn().expect("the command starts"));
    wait_for_users(&place, 1).await;
    running.end_with("KILL");
    // A database server may still commit what was on its way.
    let said = json_of(users(&place, &["import", &file, "--json"]));
    let count = |member: &str| said[member].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a count");
    assert_eq!((count("added") + count("alreadyThere"), count("refusedLines")), (LINES, 0), "{said}");
    assert!(count("alreadyThere") > 0 && count("alreadyThere") % BATCH == 0, "{said}");
    for table in ["users", "counters", "account_events"] {
        assert_eq!(place.count(table).await, i64::try_from(LINES).expect("small"), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_shown_at_a_terminal_and_nowhere_else() {
    let place = with(&[]).await;
    let file = place.file("people.jsonl", &people(2 * BATCH));
    let said = users(&place, &["import", &file]);
    assert_eq!((said.err.as_str(), said.out.as_str()), ("", "400 added, 0 refused.\n"));

    let pipe = place.data.path().join("pipe").to_string_lossy().into_owned();
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let mut terminal = Terminal::start(&mut place.command(&["users", "import", &pipe]));
    // Opened when the command opens it.
    let mut input = fs::File::options().write(true).open(&pipe).expect("the command reads it");
    input.write_all(people(2 * BATCH + 1).as_bytes()).expect("the command reads it");
    terminal.wait_for("up to line ");
    drop(input);
    terminal.wait_for("1 added, 400 already there, 0 refused.");
    assert!(terminal.end().success());
}

#[tokio::test]
async fn a_line_to_begin_with_is_counted_as_the_file_counts() {
    let place = with(&[]).await;
    let text = format!("\u{feff}{}\n\n{}", json!({ "username": "anna", "passwordHash": HASH }), people(3));
    let said = piped(&place, &["import", "-", "--from-line", "4"], &text).output();
    assert_eq!(said, "2 added, 0 refused.\n");
    assert_eq!(listed(&place, "anna"), Value::Null);
    assert_eq!(listed(&place, "user.00000"), Value::Null);
    assert_eq!(piped(&place, &["import", "-", "--from-line", "99"], &text).output(), "0 added, 0 refused.\n");
    for line in ["0", "-1", "x"] {
        assert!(!piped(&place, &["import", "-", "--from-line", line], &text).succeeded);
    }
}
