//! Every command that changes an account adds one entry to its audit log, by the operator.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{add, json_of, operate, piped, users, with};
use crate::cli::Place;
use crate::support::PASSWORD;

/// The audit log, the newest entry first.
fn log(place: &Place, who: &str) -> Vec<Value> {
    let shown = json_of(users(place, &["show", who, "--json"]));
    shown["events"].as_array().expect("a list").clone()
}

/// Asserts that the newest entry is the only one that was added.
fn assert_added(place: &Place, before: usize, kind: &str, actor: &str, subject: &Value) {
    let log = log(place, "anna");
    assert_eq!(log.len(), before + 1, "{kind}: {log:?}");
    let newest = &log[0];
    assert_eq!((&newest["kind"], &newest["actor"], &newest["subject"]), (&json!(kind), &json!(actor), subject));
    assert_eq!(newest["by"], Value::Null, "an operator is no user");
}

#[tokio::test]
async fn every_command_that_changes_an_account_adds_one_entry() {
    let place = with(&["root", "anna"]).await;
    users(&place, &["promote", "root"]).output();
    let log_in = format!(
        "mutation {{ login(input: {{ identifier: \"anna\", password: \"{PASSWORD}\" }}) {{ user {{ id }} }} }}"
    );
    let rows: &[(&[&str], &str, Value)] = &[
        (&["promote"], "ROLE_CHANGED", json!("ADMIN")),
        (&["demote"], "ROLE_CHANGED", json!("USER")),
        (&["suspend"], "SUSPENDED", Value::Null),
        (&["reinstate"], "REINSTATED", Value::Null),
        (&["rename", "--display-name", "Anna A."], "PROFILE_UPDATED", json!("displayName")),
        (&["set-password", "--password-stdin"], "PASSWORD_CHANGED", Value::Null),
        (&["end-sessions"], "SESSION_ENDED", Value::Null),
        (&["delete", "--yes"], "ACCOUNT_DELETED", Value::Null),
        (&["restore"], "RESTORED", Value::Null),
    ];
    let own: BTreeSet<&str> = rows.iter().map(|(arguments, ..)| arguments[0]).collect();
    assert_eq!(log(&place, "anna")[0]["kind"], "SIGNED_UP");
    assert_eq!(log(&place, "anna")[0]["actor"], "OPERATOR");
    for (arguments, kind, subject) in rows {
        if arguments[0] == "end-sessions" {
            let reply = operate(&place, None, &log_in.replace(PASSWORD, "quarry lantern 52 violin"));
            assert!(reply["data"]["login"]["user"].is_object(), "{reply}");
        }
        let before = log(&place, "anna").len();
        let all = [&arguments[..1], &["anna"], &arguments[1..]].concat();
        piped(&place, &all, "quarry lantern 52 violin").output();
        assert_added(&place, before, kind, "OPERATOR", subject);
    }
    let help = users(&place, &["--help"]).output();
    let silent = ["list", "show", "add", "export", "import", "help"];
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    for line in listed.take_while(|line| !line.is_empty()) {
        // A description may go on on a line of its own.
        let Some(command) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else { continue };
        let command = command.split_whitespace().next().expect("a name");
        assert!(own.contains(command) || silent.contains(&command), "no row for `users {command}`");
    }
}

#[tokio::test]
async fn what_an_operator_does_as_a_user_is_not_booked_as_the_users_own() {
    let place = with(&["anna"]).await;
    let key = format!(
        "mutation {{ createApiKey(input: {{ password: \"{PASSWORD}\", name: \"robot\", scopes: [COUNTERS_NEXT] }})
         {{ apiKey {{ id }} userErrors {{ code }} }} }}"
    );
    for (operation, kind) in [
        (key.as_str(), "API_KEY_CREATED"),
        ("mutation { updateProfile(input: { displayName: \"Other\" }) { userErrors { code } } }", "PROFILE_UPDATED"),
        ("mutation { createCounter(input: { name: \"a\" }) { userErrors { code } } }", "COUNTER_CREATED"),
        ("mutation { setCurrent(input: { counter: \"a\", current: 3 }) { userErrors { code } } }", "COUNTER_SET"),
        ("mutation { deleteCounter(input: { name: \"a\" }) { userErrors { code } } }", "COUNTER_DELETED"),
    ] {
        let before = log(&place, "anna").len();
        let reply = operate(&place, Some("anna"), operation);
        assert!(reply.get("errors").is_none(), "{reply}");
        let log = log(&place, "anna");
        assert_eq!(log.len(), before + 1, "{kind}: {log:?}");
        assert_eq!((&log[0]["kind"], &log[0]["actor"]), (&json!(kind), &json!("CONSOLE")));
    }
}

#[tokio::test]
async fn imported_and_advanced_accounts_say_so() {
    let place = with(&["anna"]).await;
    add(&place, &["carl"]).output();
    let file = place.file("people.jsonl", r#"{"username":"benno","password":"quarry lantern 52 violin"}"#);
    users(&place, &["import", &file]).output();
    for who in ["benno", "carl"] {
        let log = log(&place, who);
        assert_eq!((&log[0]["kind"], &log[0]["actor"]), (&json!("SIGNED_UP"), &json!("OPERATOR")), "{who}");
    }
    let before = log(&place, "anna").len();
    place.run(&["counters", "advance", "anna", "default", "--by", "5"]).output();
    assert_added(&place, before, "COUNTER_ADVANCED", "OPERATOR", &json!("default"));
}
