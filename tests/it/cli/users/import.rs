//! `cloakroom users import`: people from elsewhere, with what their old server stored.

use serde_json::{Value, json};

use super::{Place, Said, json_of, listed, piped, signs_in, users, with};
use crate::support::PASSWORD;

/// What passlib, argon2-cffi, bcrypt, Django and Werkzeug made of this: see `accounts/password_hash/tests.rs`.
const OLD_PASSWORD: &str = "pâssword Å";
const HASHES: [(&str, &str); 8] = [
    ("argon2id", "$argon2id$v=19$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$VOblE2PfeYNSTadfwuakbuJHY0hue1GK5E8pA54B1mY"),
    ("argon2i", "$argon2i$v=19$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$qWe+dowES1oK9kVotIbj6irrQUzoUaDIrXHJIVtHmrE"),
    ("bcrypt", "$2b$04$BjONp/rvj.G2UstdGDCIte/FH28/0rOFIJPmL4bJ1tHUfOBXHYISS"),
    ("php", "$2y$04$QywbyrJtmZ1mdyUnmULzd.Uy5pgW4yZ8v1IBNRx5cHZb/rAjxO.rS"),
    ("passlib", "$pbkdf2-sha256$1200$....LXNpeHRlZW4tYnl0ZQ$FCGFZmO4ZahMRyLMHzoU60eBtHoIVwefO6GAyFbxNXs"),
    ("phc", "$pbkdf2-sha256$i=1200,l=32$c2l4dGVlbiBieXRlIHNsdA$y+STdRcCISwqTAUdzd1biS0udabW7nm6cEU3qsc63qQ"),
    ("django", "pbkdf2_sha256$1200$NaClNaClNaClNaClNaCl22$e8ENcp9DWtXqzXYNRs+nvKP3OBSKVPzroXnLtLmJFMI="),
    (
        "werkzeug",
        "pbkdf2:sha256:1200$DQoq4lOqrbq05rcR$f36a507b9b689642a5aedcaa685a53c7b978b8fdedc37fb6e5ae95dc63031548",
    ),
];

fn import(place: &Place, arguments: &[&str], lines: &[Value]) -> Said {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    piped(place, &[&["import", "-"], arguments].concat(), &text)
}

async fn stored_hash(place: &Place, username: &str) -> String {
    let connection = place.connect().await;
    let statement = format!("SELECT password_hash FROM users WHERE username = '{username}'");
    let statement = sea_orm::Statement::from_string(connection.get_database_backend(), statement);
    let row = sea_orm::ConnectionTrait::query_one_raw(&connection, statement).await.expect("the table is there");
    let hash = row.expect("a row").try_get_by_index(0).expect("text");
    connection.close().await.expect("it closes");
    hash
}

#[tokio::test]
async fn old_passwords_go_on_and_their_hashes_become_ours() {
    let place = with(&[]).await;
    let lines = HASHES.map(|(username, hash)| json!({ "username": username, "passwordHash": hash }));
    assert_eq!(import(&place, &[], &lines).output(), "8 added, 0 refused.\n");
    for (username, hash) in HASHES {
        assert_eq!(stored_hash(&place, username).await, hash);
        assert!(!signs_in(&place, username, "something else"), "{username}");
        assert_eq!(stored_hash(&place, username).await, hash);
        assert!(signs_in(&place, username, OLD_PASSWORD), "{username}");
        let upgraded = stored_hash(&place, username).await;
        assert!(upgraded.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{username}: {upgraded}");
        assert!(signs_in(&place, username, OLD_PASSWORD), "{username}");
    }
}

#[tokio::test]
async fn everything_that_a_line_says_is_kept() {
    let place = with(&[]).await;
    let anna = json!({
        "username": "Anna", "email": "Anna@example.org", "displayName": "Anna Ant", "password": PASSWORD, "role": "admin",
        "emailVerified": true, "createdAt": "2019-05-06T09:08:09.1234567+02:00",
    });
    let bob = json!({ "username": null, "email": "bob@example.org", "password": PASSWORD, "role": null });
    let text = format!("\u{feff}{anna}\r\n\n  \n{bob}");
    assert_eq!(piped(&place, &["import", "-"], &text).output(), "2 added, 0 refused.\n");
    let anna = listed(&place, "Anna");
    assert_eq!((&anna["email"], &anna["displayName"]), (&json!("Anna@example.org"), &json!("Anna Ant")));
    assert_eq!((&anna["role"], &anna["emailVerified"]), (&json!("ADMIN"), &json!(true)));
    assert_eq!(anna["createdAt"], "2019-05-06T07:08:09.123456Z");
    assert!(signs_in(&place, "anna", PASSWORD) && signs_in(&place, "bob@example.org", PASSWORD));
    let bob = json_of(users(&place, &["show", "bob@example.org", "--json"]));
    assert!(bob["username"].as_str().is_some_and(|name| name.starts_with("user-")), "{bob}");
    assert_eq!((&bob["role"], &bob["emailVerified"]), (&json!("USER"), &json!(false)));
    assert_eq!(json_of(users(&place, &["export", "anna"]))["counters"][0]["current"], 0, "furnished like everybody");
}

/// Lines with a fault, and what is said of each.
fn faulty() -> Vec<(String, &'static str)> {
    let hash = HASHES[2].1;
    [
        (json!({ "username": "ANNA", "password": PASSWORD }), "username: This username is taken."),
        (json!({ "username": "x", "password": "s3cret" }), "username: A username has at least 3 characters."),
        (json!({ "username": "dora", "password": "s3cret" }), "password: A password has from 8 to 1024 characters."),
        (json!({ "username": "dora", "password": 51_966_001 }), "password: This is not a string."),
        (json!({ "username": "dora" }), "password: A password or a passwordHash is needed."),
        (
            json!({ "username": "dora", "password": PASSWORD, "passwordHash": hash }),
            "passwordHash: There is a password",
        ),
        (
            json!({ "username": "dora", "passwordHash": "$1$s3cret$s3cret" }),
            "passwordHash: This cannot be taken over: ",
        ),
        (
            json!({ "username": "dora", "passwordHash": format!("{hash}x") }),
            "passwordHash: This cannot be taken over: ",
        ),
        (json!({ "password": PASSWORD }), "An e-mail address or a username is needed."),
        (json!({ "username": "dora", "password": PASSWORD, "role": "ROOT" }), "role: This is neither USER nor ADMIN."),
        (json!({ "username": "dora", "password": PASSWORD, "emailVerified": "yes" }), "emailVerified: This is neither"),
        (
            json!({ "username": "dora", "password": PASSWORD, "emailVerified": true }),
            "emailVerified: There is no e-mail",
        ),
        (
            json!({ "username": "dora", "password": PASSWORD, "createdAt": "yesterday" }),
            "createdAt: This is not a time",
        ),
        (
            json!({ "username": "dora", "password": PASSWORD, "createdAt": "9999-01-01T00:00:00Z" }),
            "createdAt: This is in",
        ),
        (json!({ "username": "dora", "pasword\u{1b}": PASSWORD }), "pasword\\u{1b}: There is no such field."),
        (json!(["s3cret"]), "This is not a JSON object."),
        (json!("s3cret"), "This is not a JSON object."),
    ]
    .map(|(line, complaint)| (line.to_string(), complaint))
    .into_iter()
    .chain([("{ \"username\": \"dora\", \"password\": \"s3cret".to_owned(), "This is not JSON, at column 41.")])
    .collect()
}

#[tokio::test]
async fn what_is_refused_is_told_with_its_line_and_the_others_are_added() {
    let place = with(&["anna"]).await;
    let faulty = faulty();
    let mut text = json!({ "username": "bob", "passwordHash": HASHES[2].1 }).to_string();
    for (line, _) in &faulty {
        text = format!("{text}\n{line}");
    }
    text = format!("{text}\n{}\n", json!({ "username": "carla", "password": PASSWORD }));
    let said = piped(&place, &["import", "-"], &text);
    assert_eq!(said.out, format!("2 added, {} refused.\n", faulty.len()));
    for (number, (line, complaint)) in (2..).zip(&faulty) {
        assert!(said.err.contains(&format!("line {number}: {complaint}")), "{line}: {said:?}");
    }
    for secret in ["s3cret", "51966001", PASSWORD, HASHES[2].1, "\u{1b}"] {
        assert!(!said.err.contains(secret), "{secret} is in {said:?}");
    }
    assert!(said.err.ends_with(&format!("cloakroom: {} lines were refused\n", faulty.len())), "{said:?}");
    assert!(!said.succeeded);
    assert_eq!(json_of(users(&place, &["list", "--json"])).as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let place = with(&["anna"]).await;
    let email = "one@example.org";
    let lines = [
        json!({ "username": "bob", "email": email, "passwordHash": HASHES[2].1 }),
        json!({ "username": "BOB", "passwordHash": HASHES[2].1 }),
        json!({ "username": "carla", "email": "ONE@example.org", "password": PASSWORD }),
        json!({ "username": "anna", "password": PASSWORD }),
        json!({ "username": "dora", "email": "anna@example.org", "password": PASSWORD }),
        json!({ "username": "x", "password": PASSWORD }),
    ];
    let before = json_of(users(&place, &["list", "--json"]));
    let rehearsed = import(&place, &["--dry-run"], &lines);
    assert_eq!(rehearsed.out, "1 would be added, 5 would be refused.\n");
    assert!(!rehearsed.succeeded);
    assert_eq!(json_of(users(&place, &["list", "--json"])), before);

    let said = import(&place, &["--json"], &lines);
    assert!(!said.succeeded);
    assert_eq!(said.err, rehearsed.err);
    let summary: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((&summary["added"], &summary["dryRun"]), (&json!(1), &json!(false)));
    let refused = summary["refused"].as_array().expect("an array");
    let told: Vec<_> = refused.iter().map(|line| (&line["line"], &line["errors"][0]["field"])).collect();
    let expected = [(2, "username"), (3, "email"), (4, "username"), (5, "email"), (6, "username")]
        .map(|(n, f)| (json!(n), json!(f)));
    assert_eq!(told, expected.iter().map(|(n, f)| (n, f)).collect::<Vec<_>>());
    assert_eq!(refused[0]["errors"][0]["code"], "TAKEN");
}

#[tokio::test]
async fn many_are_imported_from_files_and_listed_page_by_page() {
    let place = with(&[]).await;
    let names: Vec<String> = (0..501).map(|n| format!("user.{n:04}")).collect();
    for part in names.chunks(167) {
        let line = |name: &String| format!("{}\n", json!({ "username": name, "passwordHash": HASHES[2].1 }));
        let file = place.file("people.jsonl", &part.iter().map(line).collect::<String>());
        assert_eq!(users(&place, &["import", &file]).output(), "167 added, 0 refused.\n");
    }
    let all = json_of(users(&place, &["list", "--json"]));
    let listed: Vec<&Value> = all.as_array().expect("an array").iter().map(|user| &user["username"]).collect();
    assert_eq!(listed, names.iter().collect::<Vec<_>>());
    assert_eq!(users(&place, &["list"]).output().lines().count(), 502);
    let said = users(&place, &["import", "/nowhere/people.jsonl"]).complaint();
    assert!(said.contains("cannot open /nowhere/people.jsonl"), "{said}");
}
