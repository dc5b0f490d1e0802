//! Where a password comes from, and that nobody sees it.

use std::process::Command;

use super::super::terminal::Terminal;
use super::{Place, json_of, listed, piped, signs_in, users, with};
use crate::support::PASSWORD;

const OTHER: &str = "another good password";

/// At a terminal of its own, which it can open as /dev/tty.
fn at_terminal(place: &Place, arguments: &[&str]) -> Terminal {
    let command = place.command(&[&["users"], arguments].concat());
    let mut session = Command::new("setsid");
    session.env_clear().args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
    Terminal::start(&mut session)
}

#[tokio::test]
async fn a_generated_password_is_shown_once_and_good() {
    let place = with(&[]).await;
    let text = users(&place, &["add", "anna", "--generate-password"]).output();
    let password = text.lines().find_map(|line| line.strip_prefix("Password: ")).expect("a password");
    let password = password.split_whitespace().next().expect("a password");
    assert_eq!(password.len(), 23, "100 bits in groups");
    assert!(signs_in(&place, "anna", password));
    let other = json_of(users(&place, &["set-password", "anna", "--generate-password", "--json"]));
    let other = other["password"].as_str().expect("a password");
    assert_ne!(other, password);
    assert!(!signs_in(&place, "anna", password) && signs_in(&place, "anna", other));
    for arguments in [&["show", "anna", "--json"][..], &["export", "anna"], &["list", "--json"]] {
        let text = users(&place, arguments).output();
        assert!(!text.contains(password) && !text.contains(other), "{text}");
    }
}

#[tokio::test]
async fn a_piped_password_is_taken_without_its_line_break_and_never_shown() {
    let place = with(&["anna"]).await;
    for (text, password) in
        [(" with spaces ", " with spaces "), ("unix ending\n", "unix ending"), ("other ending\r\n", "other ending")]
    {
        let said = piped(&place, &["set-password", "anna", "--password-stdin"], text);
        assert!(!format!("{said:?}").contains(password.trim()), "{said:?}");
        said.output();
        assert!(signs_in(&place, "anna", password), "{text:?}");
    }
    for (text, complaint) in [
        ("", "password: A password is needed."),
        ("short", "password: A password has from 8 to 1024 characters."),
        ("two lines\nare none", "password: A password has no control characters."),
        (&*"x".repeat(1025), "password: A password has at most 1024 characters."),
        (&*"x".repeat(100_000), "password: A password has at most 1024 characters."),
    ] {
        let said = piped(&place, &["set-password", "anna", "--password-stdin"], text);
        assert_eq!(said.complaint(), format!("cloakroom: {complaint}\n"));
        let said = piped(&place, &["add", "bob", "--password-stdin"], text);
        assert_eq!(said.complaint(), format!("cloakroom: {complaint}\n"));
    }
    assert!(signs_in(&place, "anna", "other ending"));
    assert!(listed(&place, "bob").is_null());
    users(&place, &["set-password", "anna", "--password-stdin", "--generate-password"]).complaint();
}

#[tokio::test]
async fn without_a_terminal_a_password_is_not_asked_for() {
    let place = with(&["anna"]).await;
    let said = piped(&place, &["set-password", "anna"], OTHER).complaint();
    assert!(said.contains("--password-stdin") && said.contains("--generate-password"), "{said}");
    assert!(signs_in(&place, "anna", PASSWORD));
}

#[tokio::test]
async fn at_a_terminal_a_password_is_asked_for_twice_and_not_shown() {
    let place = with(&["anna"]).await;
    for (again, told) in [("something else", "two different passwords"), (OTHER, "anna@example.org")] {
        let mut terminal = at_terminal(&place, &["set-password", "anna"]);
        terminal.wait_for("Password: ");
        terminal.wait_until_hidden();
        terminal.type_in(&format!("{OTHER}\r"));
        let shown = terminal.wait_for("Once more: ");
        terminal.wait_until_hidden();
        terminal.type_in(&format!("{again}\r"));
        let shown = shown + &terminal.wait_for(told);
        assert!(!shown.contains(OTHER) && !shown.contains(again), "{shown:?}");
        assert_eq!(terminal.end().success(), again == OTHER);
        assert_eq!(signs_in(&place, "anna", OTHER), again == OTHER);
    }
    let mut terminal = at_terminal(&place, &["set-password", "anna", "--password-stdin"]);
    terminal.wait_for("standard input is a terminal");
    assert!(!terminal.end().success());
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_and_the_mail_waits_for_a_server() {
    let place = with(&["anna"]).await;
    assert!(signs_in(&place, "anna", PASSWORD));
    piped(&place, &["set-password", "anna", "--password-stdin"], OTHER).output();
    let shown = json_of(users(&place, &["show", "anna", "--json"]));
    assert_eq!(shown["sessions"].as_array().map(Vec::len), Some(0));
    assert_eq!(shown["events"][0]["kind"], "PASSWORD_CHANGED");
    let export = json_of(users(&place, &["export", "anna"]));
    assert_eq!(
        (&export["mails"][0]["kind"], &export["mails"][0]["recipient"]),
        (&"PASSWORD_CHANGED".into(), &"anna@example.org".into())
    );
}
