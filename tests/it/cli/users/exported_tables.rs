//! The export covers every table that has something of a user. A new table or column fails here until it is exported, or
//! named below with the reason why it is left out.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};

use super::super::photos::{picture, serve};
use super::{Place, json_of, operate, users};
use crate::support::{Form, TestDatabase};

/// The place of each table's rows in the export; those of `users` are the document itself.
const EXPORTED: [(&str, &str); 13] = [
    ("users", ""),
    ("sessions", "/sessions"),
    ("api_keys", "/apiKeys"),
    ("account_events", "/events"),
    ("email_tokens", "/links"),
    ("mails", "/mails"),
    ("idempotency_records", "/idempotencyRecords"),
    ("counters", "/counters"),
    ("counter_answers", "/counterRecords"),
    ("photo_storage", "/storage"),
    ("photos", "/photos"),
    ("photo_images", "/photos/0/images"),
    ("photo_tags", "/photos/0/tags"),
];
/// Tables that are left out, each with the reason.
const LEFT_OUT: [(&str, &str); 2] = [
    ("revoked_access_tokens", "random ids of access tokens that were given up, until they would have expired"),
    ("username_skeletons", "derived from the usernames"),
];
/// Columns that are exported under another name.
const RENAMED: [(&str, &str); 11] = [
    ("users.name", "displayName"),
    ("sessions.name", "deviceName"),
    ("sessions.last_used_at", "lastActiveAt"),
    ("sessions.expires_at", "endsAt"),
    ("api_keys.counter_name", "counter"),
    ("account_events.actor_id", "by"),
    ("account_events.actor_kind", "actor"),
    ("photos.published", "state"),
    ("photo_images.format", "contentType"),
    ("photo_images.blob_id", "sha256"),
    ("photo_tags.tag", ""),
];
/// Columns that are left out, each with the reason; `*` is every table.
const OMITTED: [(&str, &str); 17] = [
    ("*.user_id", "the user"),
    ("photo_images.photo_id", "the photo"),
    ("photo_tags.photo_id", "the photo"),
    ("users.password_hash", "a hash of a secret"),
    ("users.import_fingerprint", "a hash of a hash"),
    ("api_keys.secret_hash", "a hash of a secret"),
    ("email_tokens.hash", "a hash of a secret"),
    ("mails.id", "an id that nothing refers to"),
    ("idempotency_records.id", "an id that nothing refers to"),
    ("idempotency_records.request_hash", "derived from the request"),
    ("users.purge_started_at", "without it nobody is exported"),
    ("counters.deleted_at", "deleted counters are left out: they are purged within a minute"),
    ("api_keys.counter_id", "the counter has a name"),
    ("photo_storage.measure", "the way in which the server counts"),
    ("photos.thumbhash", "derived from the photo"),
    ("sessions.marked_at", "when its tokens were counted, not what the user did"),
    ("sessions.earlier_marked_at", "when its tokens were counted, not what the user did"),
];
/// Endings of columns that are derived from others or count generations of tokens.
const DERIVED: [&str; 3] = ["_key", "generation", "_skeleton"];

async fn rows(place: &Place, sql: &str) -> Vec<[String; 3]> {
    let connection = place.connect().await;
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
    let text = |row: &sea_orm::QueryResult, at| row.try_get_by_index::<String>(at).expect("text");
    let rows = rows.expect(sql).iter().map(|row| [0, 1, 2].map(|at| text(row, at))).collect();
    connection.close().await.expect("it closes");
    rows
}

/// The columns of every table.
async fn columns(place: &Place) -> BTreeMap<String, BTreeSet<String>> {
    let sql = match (TestDatabase::is_sqlite(), place.url.starts_with("postgres")) {
        (true, _) => {
            "SELECT m.name, c.name, '' FROM sqlite_master m, pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
        }
        (_, true) => {
            "SELECT table_name::text, column_name::text, '' FROM information_schema.columns
             WHERE table_schema = current_schema()"
        }
        _ => {
            "SELECT table_name, column_name, '' FROM information_schema.columns
             WHERE table_schema = DATABASE()"
        }
    };
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for [table, column, _] in rows(place, sql).await {
        tables.entry(table).or_default().insert(column);
    }
    tables
}

/// Every foreign key: the table, its column, and the table that it refers to.
async fn references(place: &Place) -> Vec<[String; 3]> {
    let sql = match (TestDatabase::is_sqlite(), place.url.starts_with("postgres")) {
        (true, _) => {
            "SELECT m.name, f.\"from\", f.\"table\" FROM sqlite_master m, pragma_foreign_key_list(m.name) f
             WHERE m.type = 'table'"
        }
        (_, true) => {
            "SELECT k.table_name::text, k.column_name::text, u.table_name::text
             FROM information_schema.table_constraints c
             JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
             JOIN information_schema.constraint_column_usage u USING (constraint_schema, constraint_name)
             WHERE c.constraint_type = 'FOREIGN KEY' AND c.constraint_schema = current_schema()"
        }
        _ => {
            "SELECT table_name, column_name, referenced_table_name FROM information_schema.key_column_usage
             WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL"
        }
    };
    rows(place, sql).await
}

/// Tables with a column of a user, and those that refer to one of them.
async fn tables_of_users(place: &Place) -> BTreeSet<String> {
    let is_of_user = |column: &String| ["user", "actor", "owner", "author"].iter().any(|word| column.contains(word));
    let named = columns(place).await.into_iter().filter(|(_, columns)| {
        // The program of a session is no user.
        columns.iter().any(|column| is_of_user(column) && column != "user_agent")
    });
    let mut found: BTreeSet<String> = named.map(|(table, _)| table).chain(["users".to_owned()]).collect();
    let references = references(place).await;
    assert!(references.len() >= 10, "the foreign keys are found: {references:?}");
    loop {
        let before = found.len();
        for [table, _, to] in &references {
            if found.contains(to) {
                found.insert(table.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Somebody of whom every table has something.
async fn anna() -> Place {
    let place = Place::create().await;
    let mut server = serve(&place);
    let anna = server.sign_up("anna").await;
    server.sign_up("bob").await;
    for mutation in [
        r#"createCounter(input: { name: "invoices", idempotencyKey: "c" }) { userErrors { code } }"#,
        r#"next(input: { idempotencyKey: "n" }) { value }"#,
        r#"createApiKey(input: { password: "correct horse battery", name: "robot", scopes: [COUNTERS_NEXT], counter: "invoices" }) { userErrors { code } }"#,
    ] {
        let answer = server.run(Some(&anna), &format!("mutation {{ {mutation} }}")).await.expect("an answer");
        assert!(answer["errors"].is_null(), "{answer}");
    }
    let upload = "mutation ($input: UploadPhotosInput!) { uploadPhotos(input: $input) { userErrors { message } } }";
    let photo = json!({ "file": null, "caption": "By the #sea in #winter" });
    let input = json!({ "input": { "photos": [photo], "publish": true } });
    let answer =
        server.upload(&anna, Form::of(upload, &input, &[("variables.input.photos.0.file", &picture(1))])).await;
    assert_eq!(answer.expect("an answer")["data"]["uploadPhotos"]["userErrors"], json!([]));
    assert_eq!(server.end_with("TERM").code(), Some(0));

    users(&place, &["promote", "anna"]).output();
    let bob = super::listed(&place, "bob")["id"].as_str().expect("an id").to_owned();
    let suspend = format!(r#"mutation {{ suspendUser(input: {{ userId: "{bob}" }}) {{ userErrors {{ code }} }} }}"#);
    assert!(operate(&place, Some("anna"), &suspend)["errors"].is_null());
    // As a server leaves them that is about to send a mail.
    place
        .execute(
            "INSERT INTO mails (id, kind, recipient, user_id, attempts, created_at, due_at)
             SELECT id, 'verify_email', 'anna@example.org', id, 0, created_at, created_at FROM users WHERE username = 'anna'",
        )
        .await;
    place
        .execute(
            "INSERT INTO email_tokens (hash, kind, user_id, email, expires_at)
             SELECT '0123', 'verify_email', id, 'anna@example.org', created_at FROM users WHERE username = 'anna'",
        )
        .await;
    place
}

fn camel_case(column: &str) -> String {
    let mut words = column.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

#[tokio::test]
async fn every_table_and_column_of_a_user_is_in_the_export_or_named_as_left_out() {
    let place = anna().await;
    let text = users(&place, &["export", "anna"]).output();
    let export: Value = serde_json::from_str(&text).expect("JSON");
    let exported: BTreeMap<&str, &str> = EXPORTED.into_iter().collect();
    let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(table, _)| *table).collect();
    let tables = tables_of_users(&place).await;
    let missing: Vec<&String> = tables
        .iter()
        .filter(|table| !exported.contains_key(table.as_str()) && !left_out.contains(table.as_str()))
        .collect();
    assert!(missing.is_empty(), "export these tables, or say why not: {missing:?}");
    assert!(exported.keys().chain(&left_out).all(|table| tables.contains(*table)), "all of them exist: {tables:?}");

    let columns = columns(&place).await;
    let mut missing = Vec::new();
    for (table, pointer) in &exported {
        let value = export.pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {text}"));
        let row = value.get(0).unwrap_or(value);
        assert!(row.is_object() || row.is_string(), "{table} is empty: {value}");
        for column in &columns[*table] {
            let names = [format!("{table}.{column}"), format!("*.{column}")];
            let renamed = RENAMED.iter().find(|(name, _)| names.contains(&(*name).to_owned()));
            let name = renamed.map_or_else(|| camel_case(column), |(_, name)| (*name).to_owned());
            let is_exported = if row.is_string() { name.is_empty() } else { row.get(&name).is_some() };
            let is_omitted = OMITTED.iter().any(|(name, _)| names.contains(&(*name).to_owned()))
                || DERIVED.iter().any(|ending| column.ends_with(ending));
            if !is_exported && !is_omitted {
                missing.push(format!("{table}.{column}"));
            }
        }
    }
    assert!(missing.is_empty(), "export these columns, or say why not: {missing:?}");
}

#[tokio::test]
async fn an_export_has_as_many_rows_as_the_database() {
    let place = anna().await;
    let export = json_of(users(&place, &["export", "anna"]));
    let of_anna = "user_id = (SELECT id FROM users WHERE username = 'anna')";
    for (table, member) in [
        ("sessions", "sessions"),
        ("api_keys", "apiKeys"),
        ("account_events", "events"),
        ("email_tokens", "links"),
        ("mails", "mails"),
        ("idempotency_records", "idempotencyRecords"),
        ("counters", "counters"),
        ("photos", "photos"),
    ] {
        let rows = place.count(&format!("{table} WHERE {of_anna}")).await;
        assert_eq!(export[member].as_array().map(Vec::len), usize::try_from(rows).ok(), "{member}: {export}");
    }
    let records = &export["idempotencyRecords"];
    assert_eq!((&records[0]["operation"], &records[0]["key"]), (&json!("create_counter"), &json!("c")));
    assert_eq!(export["counterRecords"].as_array().map(Vec::len), Some(1));
    assert_eq!((&export["counterRecords"][0]["key"], &export["counterRecords"][0]["count"]), (&json!("n"), &json!(1)));
    assert_eq!((&export["acts"][0]["kind"], export["acts"].as_array().map(Vec::len)), (&json!("SUSPENDED"), Some(1)));
    assert!(export["storage"]["usedBytes"].as_u64().is_some_and(|bytes| bytes > 0));
    let bob = json_of(users(&place, &["export", "bob"]));
    let suspended = bob["events"].as_array().expect("events").iter().find(|event| event["kind"] == "SUSPENDED");
    let suspended = suspended.expect("an event");
    assert_eq!((&suspended["by"], &suspended["userAgent"]), (&export["id"], &Value::Null));
    assert_eq!((&bob["photos"], &bob["acts"], &bob["storage"]["usedBytes"]), (&json!([]), &json!([]), &json!(0)));
}
