//! `cloakroom users`: seeing and changing accounts, and what is refused.

mod audit;
mod beside_a_server;
mod export;
mod exported_tables;
mod import;
mod import_again;
mod leaving;
mod passwords;
mod shared_mailboxes;

use std::fs;

use serde_json::{Value, json};

use super::{Place, Said};
use crate::support::PASSWORD;

/// A migrated database with these users, whose password is [`PASSWORD`].
async fn with(usernames: &[&str]) -> Place {
    let place = Place::create().await;
    place.run(&["migrate", "up"]).output();
    for username in usernames {
        add(&place, &[username, "--email", &format!("{username}@example.org")]).output();
    }
    place
}

fn users(place: &Place, arguments: &[&str]) -> Said {
    place.run(&[&["users"], arguments].concat())
}

/// The same with this text piped into it.
fn piped(place: &Place, arguments: &[&str], text: &str) -> Said {
    let file = place.file("piped", text);
    let mut command = place.command(&[&["users"], arguments].concat());
    super::run(command.stdin(fs::File::open(&file).expect("the file is there")))
}

fn add(place: &Place, arguments: &[&str]) -> Said {
    piped(place, &[&["add", "--password-stdin"], arguments].concat(), PASSWORD)
}

fn json_of(said: Said) -> Value {
    let text = said.output();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("JSON, not {text}"))
}

/// What `list` has of somebody.
fn listed(place: &Place, username: &str) -> Value {
    let all = json_of(users(place, &["list", "--json"]));
    let found = all.as_array().expect("an array").iter().find(|user| user["username"] == username);
    found.unwrap_or(&Value::Null).clone()
}

/// An operation at the console, as somebody or nobody.
fn operate(place: &Place, acting_as: Option<&str>, operation: &str) -> Value {
    let mut arguments = vec!["console", "-e", operation];
    arguments.extend(acting_as.into_iter().flat_map(|who| ["--as", who]));
    let text = place.run(&arguments).out;
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("JSON, not {text}"))
}

/// Whether this is the user's password; if so, a session is open now.
fn signs_in(place: &Place, identifier: &str, password: &str) -> bool {
    let (identifier, password) = (json!(identifier), json!(password));
    let login = format!(
        "mutation {{ login(input: {{ identifier: {identifier}, password: {password} }}) {{ tokens {{ expiresIn }} }} }}"
    );
    operate(place, None, &login)["data"]["login"]["tokens"].is_object()
}

#[tokio::test]
async fn users_are_listed_with_what_has_become_of_them() {
    let place = with(&["dora", "bob", "carla"]).await;
    add(&place, &["anna", "--display-name", "Anna Ant", "--admin"]).output();
    users(&place, &["suspend", "bob"]).output();
    users(&place, &["delete", "carla", "--yes"]).output();
    place.execute("UPDATE users SET unconfirmed_until = '2030-01-01 00:00:00+00:00' WHERE username = 'dora'").await;

    let table = users(&place, &["list"]).output();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["USERNAME", "NAME", "E-MAIL", "ROLE", "STATE", "VERIFIED", "CREATED"]);
    assert_eq!(lines[1][..7], ["anna", "Anna", "Ant", "-", "admin", "active", "-"]);
    assert_eq!(lines[2][..6], ["bob", "-", "bob@example.org", "user", "suspended", "no"]);
    assert_eq!(lines[3][..6], ["carla", "-", "carla@example.org", "user", "deleted", "no"]);
    assert_eq!(lines[4][..6], ["dora", "-", "dora@example.org", "user", "unconfirmed", "no"]);
    assert_eq!(lines.len(), 5);

    let anna = listed(&place, "anna");
    assert_eq!(
        (&anna["displayName"], &anna["role"], &anna["state"]),
        (&json!("Anna Ant"), &json!("ADMIN"), &json!("ACTIVE"))
    );
    assert_eq!((&anna["email"], &anna["emailVerified"]), (&Value::Null, &json!(false)));
    assert!(anna["createdAt"].as_str().is_some_and(|at| at.ends_with('Z')), "{anna}");
    assert_eq!(listed(&place, "carla")["state"], "DELETED");
}

#[tokio::test]
async fn a_list_is_searched_and_bounded() {
    let place = with(&["anna", "bob", "carla"]).await;
    let names = |arguments: &[&str]| {
        let all = json_of(users(&place, &[&["list", "--json"], arguments].concat()));
        let all = all.as_array().expect("an array").clone();
        all.iter().map(|user| user["username"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--search", "BOB@exa"]), ["bob"]);
    assert_eq!(names(&["--search", "ar"]), ["carla"]);
    assert_eq!(names(&["--search", "%"]), [""; 0]);
    assert_eq!(names(&["--limit", "2"]), ["anna", "bob"]);
    let cut = users(&place, &["list", "--limit", "2"]);
    assert!(cut.err.contains("more than these 2") && !cut.out.contains("more than"), "{cut:?}");
    assert_eq!(users(&place, &["list", "--limit", "3"]).err, "");
    users(&place, &["list", "--limit", "0"]).complaint();
    let said = users(&place, &["list", "--search", &"x".repeat(101)]).complaint();
    assert!(said.contains("at most 100"), "{said}");
}

#[tokio::test]
async fn a_user_is_shown_with_sessions_keys_and_events() {
    let place = with(&["bob"]).await;
    add(&place, &["anna", "--admin"]).output();
    assert!(signs_in(&place, "bob", PASSWORD));
    let key = operate(
        &place,
        Some("bob"),
        r#"mutation { createApiKey(input: { password: "correct horse battery", name: "robot", scopes: [COUNTERS_NEXT], counter: "default" }) { secret } }"#,
    );
    let secret = key["data"]["createApiKey"]["secret"].as_str().unwrap_or_else(|| panic!("a secret in {key}"));
    let id = listed(&place, "bob")["id"].as_str().expect("an id").to_owned();
    let promotion =
        format!(r#"mutation {{ setUserRole(input: {{ userId: "{id}", role: ADMIN }}) {{ user {{ id }} }} }}"#);
    assert!(operate(&place, Some("anna"), &promotion)["data"]["setUserRole"]["user"].is_object());

    for who in ["bob", "BOB@example.org", &id] {
        let text = users(&place, &["show", who]).output();
        for part in [id.as_str(), "bob@example.org (not verified)", "robot", "COUNTERS_NEXT on default", &secret[..12]]
        {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let promoted = text.lines().find(|line| line.starts_with("ROLE_CHANGED")).expect("an event");
        assert!(promoted.contains(" anna "), "{promoted}");
        assert!(!text.contains(secret) && !text.contains("$argon2"), "{text}");
    }
    let shown = json_of(users(&place, &["show", "bob", "--json"]));
    assert_eq!((&shown["id"], &shown["role"]), (&json!(id), &json!("ADMIN")));
    assert_eq!(shown["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["apiKeys"][0]["counter"], "default");
    let kinds: Vec<&Value> = shown["events"].as_array().expect("events").iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["ROLE_CHANGED", "API_KEY_CREATED", "LOGGED_IN", "SIGNED_UP"]);
    assert_eq!((&shown["events"][0]["byUsername"], &shown["events"][3]["byUsername"]), (&json!("anna"), &Value::Null));
    assert!(!shown.to_string().contains("$argon2"));
}

#[tokio::test]
async fn a_new_user_can_sign_in_and_what_cannot_be_is_refused_field_by_field() {
    let place = with(&["bob"]).await;
    let added =
        json_of(add(&place, &["anna", "--email", "a@example.org", "--verified", "--display-name", "Anna", "--json"]));
    assert_eq!((&added["emailVerified"], &added["password"]), (&json!(true), &Value::Null));
    assert!(signs_in(&place, "a@example.org", PASSWORD));
    for (arguments, complaint) in [
        (&["BOB"][..], "cloakroom: username: This username is taken.\n"),
        (&["c.d", "--email", "bob@EXAMPLE.org"], "cloakroom: email: An account with this e-mail address exists.\n"),
        (
            &["x", "--email", "nothing"],
            "cloakroom: email: This is not an e-mail address.\nusername: A username has at least 3 characters.\n",
        ),
        (&["dora", "--display-name", "a\nb"], "cloakroom: displayName: No control characters, such as line breaks.\n"),
        (&["dora", "--verified"], "--email"),
        (&["dora", "--password", "s3cret"], "unexpected argument '--password'"),
    ] {
        let said = add(&place, arguments);
        assert_eq!(said.out, "");
        let said = said.complaint();
        assert!(said.contains(complaint), "{arguments:?}: {said}");
    }
    assert_eq!(json_of(users(&place, &["list", "--json"])).as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_user_gets_another_username_and_name() {
    let place = with(&["anna", "bob"]).await;
    let renamed =
        json_of(users(&place, &["rename", "anna", "--username", "Anne", "--display-name", "Anne Ant", "--json"]));
    assert_eq!((&renamed["username"], &renamed["displayName"]), (&json!("Anne"), &json!("Anne Ant")));
    assert!(signs_in(&place, "anne", PASSWORD));
    let renamed = json_of(users(&place, &["rename", "anne", "--display-name", "", "--json"]));
    assert_eq!((&renamed["username"], &renamed["displayName"]), (&json!("Anne"), &Value::Null));
    let said = users(&place, &["rename", "anne", "--username", "bob"]).complaint();
    assert_eq!(said, "cloakroom: username: This username is taken.\n");
    users(&place, &["rename", "anne"]).complaint();
}

#[tokio::test]
async fn nobody_who_is_not_there_is_changed() {
    let place = with(&["anna"]).await;
    let nobody = "usr_0199f3d2c1a47c0e8d2f6a5b4c3d2e1f";
    for who in ["carla", "carla@example.org", nobody, "a\u{1b}[2Jb", ""] {
        for command in [
            "show",
            "promote",
            "demote",
            "suspend",
            "reinstate",
            "restore",
            "end-sessions",
            "delete",
            "export",
            "set-password",
        ] {
            let said = users(&place, &[command, who]).complaint();
            assert!(said.starts_with("cloakroom: there is no user ") && !said.contains('\u{1b}'), "{command}: {said}");
        }
        if who != "carla" {
            continue;
        }
        let said = users(&place, &["rename", who, "--display-name", "x"]).complaint();
        assert!(said.contains("there is no user carla"), "{said}");
    }
}

#[tokio::test]
async fn nothing_that_a_user_wrote_acts_on_the_terminal() {
    let place = with(&["anna"]).await;
    place.execute("UPDATE users SET name = '\u{1b}[2J\u{9b}2J\u{202e}é'").await;
    place.execute("UPDATE account_events SET user_agent = '\u{1b}]0;x\u{7}'").await;
    for arguments in [
        &["list"][..],
        &["show", "anna"],
        &["suspend", "anna"],
        &["list", "--json"],
        &["show", "anna", "--json"],
        &["export", "anna"],
    ] {
        let text = users(&place, arguments).output();
        let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(acts) && text.contains("u202e") | text.contains("u{202e}"), "{arguments:?}: {text:?}");
    }
    assert_eq!(listed(&place, "anna")["displayName"], "\u{1b}[2J\u{9b}2J\u{202e}é");
}

#[tokio::test]
async fn a_database_that_is_not_migrated_is_refused() {
    let place = Place::create().await;
    let said = users(&place, &["list"]).complaint();
    assert!(said.contains("pending") && said.contains("cloakroom migrate up"), "{said}");
}

#[tokio::test]
async fn help_shows_every_command_and_the_shape_of_the_json() {
    let help = super::run(&mut super::cloakroom(&["users", "--help"])).output();
    let commands =
        "list show add set-password rename promote demote suspend reinstate restore end-sessions delete export import";
    for command in commands.split(' ') {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in {help}");
        let help = super::run(&mut super::cloakroom(&["users", command, "--help"])).output();
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
    assert!(help.contains("Examples:"), "{help}");
    let help = super::run(&mut super::cloakroom(&["users", "list", "--help"])).output();
    assert!(help.contains("UNCONFIRMED") && help.contains("one array"), "{help}");
}
