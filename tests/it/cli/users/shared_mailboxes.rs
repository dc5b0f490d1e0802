//! Accounts of an earlier version whose addresses turn out to be one mailbox, and names that could no longer be chosen.

use serde_json::json;

use super::{Place, add, json_of, operate, users, with};
use crate::support::PASSWORD;

/// Takes back the migrations that gave addresses one key for each mailbox.
fn go_back(place: &Place) {
    loop {
        let status = place.run(&["migrate", "status"]).output();
        let is_applied =
            |line: &str| line.starts_with("applied") && (line.contains("_000023_") || line.contains("_000024_"));
        if !status.lines().any(is_applied) {
            return;
        }
        place.run(&["migrate", "down"]).output();
    }
}

/// What an earlier version stored of a user.
async fn store(place: &Place, username: &str, email: &str, created: &str, is_confirmed: bool) {
    let confirmed = if is_confirmed { "'2026-06-01 00:00:00+00:00'" } else { "NULL" };
    let row = format!(
        "UPDATE users SET email = '{email}', email_key = '{email}', created_at = '{created} 00:00:00+00:00', \
         email_verified_at = {confirmed} WHERE username = '{username}'"
    );
    place.execute(&row).await;
}

/// Who signs in with this.
fn signed_in(place: &Place, identifier: &str) -> String {
    let (identifier, password) = (json!(identifier), json!(PASSWORD));
    let login = format!(
        "mutation {{ login(input: {{ identifier: {identifier}, password: {password} }}) {{ user {{ username }} }} }}"
    );
    let answer = operate(place, None, &login);
    answer["data"]["login"]["user"]["username"].as_str().unwrap_or_default().to_owned()
}

fn conflicts(place: &Place) -> Vec<String> {
    let listed = json_of(users(place, &["list", "--conflicts", "--json"]));
    let names = listed.as_array().expect("an array").iter();
    names.map(|user| user["username"].as_str().expect("a username").to_owned()).collect()
}

#[tokio::test]
async fn of_accounts_with_one_mailbox_the_confirmed_then_the_older_keeps_it() {
    let place = with(&["anna", "bert", "carl", "dora", "emil", "fred", "gina", "hans", "coco", "ida"]).await;
    go_back(&place);
    store(&place, "anna", "ann@müller.example", "2026-01-01", true).await;
    store(&place, "bert", "ann@xn--mller-kva.example", "2026-02-01", true).await;
    store(&place, "carl", "\"q.x\"@example.org", "2026-01-01", false).await;
    store(&place, "dora", "q.x@example.org", "2026-02-01", true).await;
    store(&place, "emil", "mark@exam\u{1160}ple.org", "2026-01-01", true).await;
    store(&place, "fred", "mark@example.org", "2026-02-01", true).await;
    store(&place, "gina", "m@exam_ple.org", "2026-01-01", true).await;
    store(&place, "ida", "ida@münchen.example", "2026-01-01", true).await;
    place
        .execute("UPDATE users SET username = 'admin\u{1160}', username_key = 'admin\u{1160}' WHERE username = 'hans'")
        .await;
    place.run(&["migrate", "up"]).output();

    for (identifier, expected) in [
        ("ann@müller.example", "anna"),
        ("ann@xn--mller-kva.example", "anna"),
        ("bert", "bert"),
        ("q.x@example.org", "dora"),
        ("\"q.x\"@example.org", "dora"),
        ("carl", "carl"),
        ("mark@example.org", "emil"),
        ("fred", "fred"),
        ("m@exam_ple.org", "gina"),
        ("ida@xn--mnchen-3ya.example", "ida"),
        ("admin\u{1160}", "admin\u{1160}"),
    ] {
        assert_eq!(signed_in(&place, identifier), expected, "{identifier}");
    }
    let lost = conflicts(&place);
    // Where an unconfirmed address is nobody's, there is nothing to lose.
    assert!(lost == ["bert", "fred"] || lost == ["bert", "carl", "fred"], "{lost:?}");
    let all = json_of(users(&place, &["list", "--json"]));
    let email = |name: &str| {
        let found = all.as_array().expect("an array").iter().find(|user| user["username"] == name);
        found.expect("a user")["email"].clone()
    };
    assert_eq!((email("bert"), email("ida")), (json!("ann@xn--mller-kva.example"), json!("ida@münchen.example")));
    assert_eq!(email("emil"), "mark@example.org", "as mail to it was addressed");
    let mails = place.count("mails WHERE kind = 'address_shared'").await;
    assert_eq!(usize::try_from(mails).expect("a number"), lost.len());

    // Look-alikes of the names that were there.
    for username in ["сосо", "оХа"] {
        let said = add(&place, &[username]);
        assert_eq!(said.succeeded, username == "оХа", "{said:?}");
    }
    assert!(add(&place, &["oxa"]).complaint().contains("Too similar to an existing username."));
    assert!(!add(&place, &["other", "--email", " Ann@MÜLLER.example. "]).succeeded, "it is taken");
}

#[tokio::test]
async fn the_version_before_finds_its_own_keys_after_a_way_back() {
    let place = with(&["anna", "bert", "carl"]).await;
    go_back(&place);
    store(&place, "anna", "ann@müller.example", "2026-01-01", true).await;
    store(&place, "bert", "ann@xn--mller-kva.example", "2026-02-01", true).await;
    store(&place, "carl", "c@exam_ple.org", "2026-02-01", false).await;
    for _ in 0..2 {
        place.run(&["migrate", "up"]).output();
        assert_eq!(place.count("users WHERE email_key = 'ann@xn--mller-kva.example'").await, 1);
        assert_eq!(conflicts(&place), ["bert"]);
        assert_eq!(place.count("mails WHERE kind = 'address_shared'").await, 1);
        go_back(&place);
        for key in ["ann@müller.example", "ann@xn--mller-kva.example", "c@exam_ple.org"] {
            assert_eq!(place.count(&format!("users WHERE email_key = '{key}' AND email = '{key}'")).await, 1, "{key}");
        }
        assert_eq!(place.count("mails WHERE kind = 'address_shared'").await, 0);
    }
}

#[tokio::test]
async fn every_user_of_several_batches_gets_a_skeleton() {
    let place = with(&["anna"]).await;
    go_back(&place);
    // As many as a migration reads at once, and some.
    let rows: Vec<String> = (0..1_200)
        .map(|number| {
            format!(
                "('00000000-0000-7000-8000-{number:012x}', 'User{number}', 'user{number}', 'u{number}@example.org', \
                 'u{number}@example.org', 'x', 'user', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')"
            )
        })
        .collect();
    place
        .execute(&format!(
            "INSERT INTO users (id, username, username_key, email, email_key, password_hash, role, created_at, updated_at) \
             VALUES {}",
            rows.join(", ")
        ))
        .await;
    place.run(&["migrate", "up"]).output();
    assert_eq!(place.count("users WHERE username_skeleton IS NULL").await, 0);
    assert_eq!(place.count("users WHERE email_key IS NULL").await, 0);
    let shared = place.count("username_skeletons WHERE user_id IS NULL").await;
    // 0 and 1 look like letters.
    assert!((1_000..=1_201).contains(&shared), "{shared}");
}
