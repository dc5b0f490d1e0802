//! Roles, suspension, deletion and what a person takes along.

use serde_json::{Value, json};

use super::super::terminal::Terminal;
use super::{add, json_of, listed, operate, signs_in, users, with};
use crate::support::PASSWORD;

const LAST: &str = "cloakroom: This is the last administrator: make somebody else one first.\n";

#[tokio::test]
async fn the_last_administrator_stays_until_there_is_another() {
    let place = with(&["bob"]).await;
    add(&place, &["anna", "--admin"]).output();
    for refused in [
        &["demote", "anna"][..],
        &["suspend", "anna"],
        &["delete", "anna", "--yes"],
        &["delete", "anna", "--yes", "--now"],
    ] {
        assert_eq!(users(&place, refused).complaint(), LAST, "{refused:?}");
    }
    let anna = listed(&place, "anna");
    assert_eq!((&anna["role"], &anna["state"]), (&json!("ADMIN"), &json!("ACTIVE")));
    assert_eq!(json_of(users(&place, &["promote", "bob", "--json"]))["role"], "ADMIN");
    assert!(users(&place, &["demote", "anna"]).output().contains(" user "));
    assert_eq!(users(&place, &["demote", "bob"]).complaint(), LAST);
}

#[tokio::test]
async fn whoever_is_suspended_is_out_until_reinstated() {
    let place = with(&["anna"]).await;
    assert!(signs_in(&place, "anna", PASSWORD));
    assert_eq!(json_of(users(&place, &["suspend", "anna", "--json"]))["state"], "SUSPENDED");
    assert!(!signs_in(&place, "anna", PASSWORD));
    let shown = json_of(users(&place, &["show", "anna", "--json"]));
    assert_eq!((&shown["sessions"], &shown["events"][0]["kind"]), (&json!([]), &json!("SUSPENDED")));
    assert_eq!(json_of(users(&place, &["reinstate", "anna", "--json"]))["state"], "ACTIVE");
    assert!(signs_in(&place, "anna", PASSWORD));
}

#[tokio::test]
async fn each_command_lifts_what_it_names_and_tells_what_still_holds() {
    let place = with(&["anna", "bob"]).await;
    for who in ["anna", "bob"] {
        users(&place, &["suspend", who]).output();
        users(&place, &["delete", who, "--yes"]).output();
        let shown = users(&place, &["show", who]).output();
        assert!(shown.contains("deleted since ") && shown.contains(", suspended since "), "{shown}");
    }
    let holds = |said: &super::Said, obstacles: &[&str]| {
        for obstacle in ["suspended", "deleted"] {
            assert_eq!(said.err.contains(&format!(" is {obstacle} since ")), obstacles.contains(&obstacle), "{said:?}");
        }
    };
    let moments = |who: &str| {
        let user = listed(&place, who);
        (user["suspendedAt"].is_string(), user["deletedAt"].is_string())
    };
    let said = users(&place, &["reinstate", "anna"]);
    holds(&said, &["deleted"]);
    assert!(said.err.contains("cloakroom users restore usr_"), "{said:?}");
    assert_eq!(moments("anna"), (false, true));
    assert!(!signs_in(&place, "anna", PASSWORD));
    let said = users(&place, &["restore", "anna"]);
    holds(&said, &[]);
    assert_eq!(moments("anna"), (false, false));
    assert!(signs_in(&place, "anna", PASSWORD));
    let shown = json_of(users(&place, &["show", "anna", "--json"]));
    let kinds: Vec<&Value> = shown["events"].as_array().expect("events").iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds[..4], ["LOGGED_IN", "RESTORED", "REINSTATED", "ACCOUNT_DELETED"]);

    let said = users(&place, &["restore", "bob", "--json"]);
    holds(&said, &["suspended"]);
    assert!(said.err.contains("cloakroom users reinstate usr_"), "{said:?}");
    assert_eq!(json_of(said)["state"], "SUSPENDED");
    assert!(!signs_in(&place, "bob", PASSWORD));
    let said = users(&place, &["reinstate", "bob", "--json"]);
    holds(&said, &[]);
    assert_eq!(json_of(said)["state"], "ACTIVE");
    assert!(signs_in(&place, "bob", PASSWORD));
}

/// The console without `--as` is an operator, who sees deleted users.
#[tokio::test]
async fn the_mutation_of_an_operator_lifts_a_suspension_alone() {
    let place = with(&["anna"]).await;
    users(&place, &["suspend", "anna"]).output();
    users(&place, &["delete", "anna", "--yes"]).output();
    let id = listed(&place, "anna")["id"].as_str().expect("an id").to_owned();
    let reinstate = format!(r#"mutation {{ reinstateUser(input: {{ userId: "{id}" }}) {{ userErrors {{ code }} }} }}"#);
    operate(&place, None, &reinstate);
    let anna = listed(&place, "anna");
    assert!(anna["deletedAt"].is_string(), "{anna}");
}

#[tokio::test]
async fn sessions_end_and_are_counted() {
    let place = with(&["anna"]).await;
    assert!(signs_in(&place, "anna", PASSWORD) && signs_in(&place, "anna", PASSWORD));
    assert_eq!(json_of(users(&place, &["end-sessions", "anna", "--json"]))["endedSessions"], 2);
    assert_eq!(users(&place, &["end-sessions", "anna"]).output(), "Ended 0 sessions of anna.\n");
    assert!(signs_in(&place, "anna", PASSWORD));
    assert_eq!(users(&place, &["end-sessions", "anna"]).output(), "Ended 1 session of anna.\n");
}

#[tokio::test]
async fn a_deleted_user_can_be_brought_back_for_some_days() {
    let place = with(&["anna", "bob"]).await;
    let said = users(&place, &["delete", "anna"]).complaint();
    assert_eq!(said, "cloakroom: this deletes anna: say --yes if you mean it\n");
    let id = listed(&place, "anna")["id"].clone();
    let deleted = json_of(users(&place, &["delete", "anna", "--yes", "--json"]));
    assert_eq!((&deleted["id"], &deleted["removed"]), (&id, &json!(false)));
    assert!(!signs_in(&place, "anna", PASSWORD));
    let first = listed(&place, "anna");
    assert_eq!(first["state"], "DELETED");

    let again = json_of(users(&place, &["delete", "anna", "--yes", "--json"]));
    assert_eq!(
        again["removedAfter"].as_str().map(|at| &at[..10]),
        deleted["removedAfter"].as_str().map(|at| &at[..10])
    );
    assert_eq!(listed(&place, "anna"), first, "the days are not counted anew");
    let said = users(&place, &["set-password", "anna", "--generate-password"]).complaint();
    assert_eq!(said, "cloakroom: This account is deleted: restore it first.\n");
    assert_eq!(json_of(users(&place, &["restore", "anna", "--json"]))["state"], "ACTIVE");
    assert!(signs_in(&place, "anna", PASSWORD));

    assert_eq!(users(&place, &["delete", "bob", "--yes", "--now"]).output(), "Removed bob with all that was theirs.\n");
    assert_eq!(listed(&place, "bob"), Value::Null);
    add(&place, &["bob", "--email", "bob@example.org"]).output();
}

#[tokio::test]
async fn at_a_terminal_it_is_asked_before_somebody_is_deleted() {
    let place = with(&["anna"]).await;
    for (answer, told, state) in [("\r", "nothing was deleted", "ACTIVE"), ("y\r", "Deleted anna.", "DELETED")] {
        let mut terminal = Terminal::start(&mut place.command(&["users", "delete", "anna"]));
        terminal.wait_for("? [y/N] ");
        terminal.type_in(answer);
        terminal.wait_for(told);
        assert_eq!(terminal.end().success(), state == "DELETED");
        assert_eq!(listed(&place, "anna")["state"], state);
    }
}

#[tokio::test]
async fn an_export_has_everything_of_the_person_and_no_secret() {
    let place = with(&["anna", "bob"]).await;
    assert!(signs_in(&place, "anna", PASSWORD));
    for _ in 0..3 {
        operate(&place, Some("anna"), "mutation { next { value } }");
    }
    let key = operate(
        &place,
        Some("anna"),
        r#"mutation { createApiKey(input: { password: "correct horse battery", name: "robot", scopes: [COUNTERS_NEXT] }) { secret } }"#,
    );
    let secret = key["data"]["createApiKey"]["secret"].as_str().expect("a secret");
    operate(
        &place,
        None,
        r#"mutation { requestPasswordReset(input: { email: "anna@example.org" }) { userErrors { message } } }"#,
    );
    let text = users(&place, &["export", "anna"]).output();
    let export: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&export["username"], &export["email"]), (&json!("anna"), &json!("anna@example.org")));
    assert_eq!((&export["counters"][0]["name"], &export["counters"][0]["current"]), (&json!("default"), &json!(3)));
    assert_eq!(export["counters"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&export["apiKeys"][0]["name"], export["sessions"].as_array().map(Vec::len)),
        (&json!("robot"), Some(1))
    );
    assert!(export["events"].as_array().is_some_and(|events| events.len() >= 3), "{text}");
    for hidden in ["$argon2", "hash", "Hash", secret, PASSWORD, "bob"] {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }
}
