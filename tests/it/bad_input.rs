//! Whatever is put into an input or an argument is answered by a user error that names the field and the
//! limit, or by an error with a code: never by a fault of the server, and nothing is written.

mod ask;
mod place;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Caller, Rows, TestApp};
use place::{CODES, NESTED, PLACES, Place};

/// With somebody who may do everything that there is.
async fn with_admin() -> (TestApp, Caller) {
    let test = TestApp::start().await;
    let user = test.admin("anna").await;
    (test, user)
}

/// Bad values, with the type of JSON that they are.
fn bad_values() -> Vec<(&'static str, Value)> {
    let texts = [
        String::new(),
        " ".to_owned(),
        "\u{3000}\t ".to_owned(),
        "\0".to_owned(),
        "a\0b".to_owned(),
        "anna\0".to_owned(),
        "a\u{1}\u{7f}\u{9f}b".to_owned(),
        "line\r\nbreak".to_owned(),
        "x".repeat(10_000),
        "x".repeat(200_000),
        "a\u{301}".repeat(5_000),
        format!("a{}", "\u{301}".repeat(9_999)),
        "\u{fdfa}".repeat(10_000),
        "👩‍👩‍👧‍👦".repeat(1_429),
        "\u{202e}שלום\u{202d}".repeat(1_667),
        "%s%n'\";--{}$".repeat(1_000),
        // Ids of other kinds, well formed, and of nothing.
        "evt_00000000000070008000000000000000".to_owned(),
        "ctr_00000000000070008000000000000000".to_owned(),
        "USR_00000000000070008000000000000000".to_owned(),
        "crk_000000000000000000000000000000000000000000000000".to_owned(),
    ];
    let mut values: Vec<_> = texts.map(|text| ("text", json!(text))).into();
    for number in [json!(-1), json!(9_007_199_254_740_992_i64), json!(u64::MAX), json!(1.5), json!(-1e300)] {
        values.push(("number", number));
    }
    values.extend([
        ("boolean", json!(true)),
        ("list", json!([[["x"], []]])),
        ("object", json!({ "x": { "y": "z" } })),
        ("null", Value::Null),
    ]);
    values
}

#[tokio::test]
async fn bad_values_in_variables_are_refused_and_nothing_is_written() {
    let (test, user) = with_admin().await;
    let before = test.rows().await;
    for place in PLACES {
        for (kind, value) in bad_values().into_iter().filter(|(kind, value)| place.minds(kind, value)) {
            let body = json!({ "query": place.with_variable(), "variables": { "value": value } });
            let reply = place.ask(&user, body.to_string()).await;
            place.assert_refuses(&reply, kind, &shown(&value));
        }
        assert_nothing_was_written(&test, &user, before, place).await;
    }
}

#[tokio::test]
async fn bad_values_in_the_document_are_refused_and_nothing_is_written() {
    let (test, user) = with_admin().await;
    let before = test.rows().await;
    for place in PLACES {
        for (kind, value) in bad_values().into_iter().filter(|(kind, value)| place.minds(kind, value)) {
            let body = json!({ "query": place.with_literal(&literal(&value)) });
            let reply = place.ask(&user, body.to_string()).await;
            place.assert_refuses(&reply, kind, &shown(&value));
        }
        assert_nothing_was_written(&test, &user, before, place).await;
    }
}

/// `\ud800` stands for half a character: no text can have it.
#[tokio::test]
async fn half_a_character_is_refused_wherever_it_stands() {
    let (test, user) = with_admin().await;
    let before = test.rows().await;
    for place in PLACES {
        for half in [r"\ud800", r"\udc00", r"a\ud800b", r"\ud800\ud800", r"\udc00\ud800", r"\u{d800}", r"\u12", r"\x"] {
            let variable = json!(place.with_variable());
            let document = json!(place.with_literal("@")).to_string();
            let escaped = half.replace('\\', r"\\");
            for body in [
                format!(r#"{{ "query": {variable}, "variables": {{ "value": "{half}" }} }}"#),
                format!(r#"{{ "query": {} }}"#, document.replacen('@', &format!(r#"\"{half}\""#), 1)),
                // GraphQL's own escape, which JSON lets through.
                format!(r#"{{ "query": {} }}"#, document.replacen('@', &format!(r#"\"{escaped}\""#), 1)),
            ] {
                let reply = place.ask(&user, body.clone()).await;
                let refused = CODES.contains(&reply.code()) && reply.status.as_u16() < 500;
                assert!(refused, "{body}: {} {}", reply.status, reply.body);
            }
        }
        assert_nothing_was_written(&test, &user, before, place).await;
    }
}

#[tokio::test]
async fn too_many_ids_are_refused() {
    let (_test, user) = TestApp::with_user().await;
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let reply = user.run_with(query, json!({ "ids": vec!["x"; 101] })).await;
    assert_eq!(reply.code(), "BAD_USER_INPUT");
    assert!(reply.at("/errors/0/message").as_str().is_some_and(|message| message.contains("100")), "{}", reply.body);
    assert_eq!(user.run_with(query, json!({ "ids": [] })).await.data()["nodes"], json!([]));
}

/// A field or argument that the schema gets later belongs into the table.
#[tokio::test]
async fn the_table_has_every_input_field_and_argument_of_the_schema() {
    let test = TestApp::start().await;
    let query =
        "{ __schema { types { name inputFields(includeDeprecated: true) { name } fields { name args { name } } } } }";
    let reply = test.anonymous().run(query).await;
    let mut found = BTreeSet::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    for kind in list(&reply.data()["__schema"]["types"]) {
        let name = text(&kind["name"]);
        for field in list(&kind["inputFields"]) {
            let nested = NESTED.iter().find(|(input, _)| *input == name);
            let root = nested.map_or_else(
                || name.strip_suffix("Input").expect("inputs are called so").to_owned(),
                |(_, place)| (*place).to_owned(),
            );
            found.insert(format!("{}{}.{}", root[..1].to_lowercase(), &root[1..], text(&field["name"])));
        }
        for field in list(&kind["fields"]).iter().filter(|_| !name.starts_with("__")) {
            let arguments = list(&field["args"]).into_iter().filter(|argument| argument["name"] != "input");
            found.extend(arguments.map(|argument| format!("{}.{}", text(&field["name"]), text(&argument["name"]))));
        }
    }
    let table: BTreeSet<String> = PLACES.iter().map(Place::in_the_schema).collect();
    assert_eq!(table, found);
}

async fn assert_nothing_was_written(test: &TestApp, user: &Caller, before: Rows, place: &Place) {
    let context = format!("{}.{}", place.root, place.name);
    assert_eq!(test.rows().await, before, "{context}");
    let current = user.run("{ current viewer { apiKeys { id } user { username displayName } } }").await;
    let kept = json!({ "apiKeys": [], "user": { "username": "anna", "displayName": null } });
    assert_eq!(current.data()["viewer"], kept, "{context}");
    assert_eq!(current.data()["current"], 0, "{context}: the session lives and the counter stands");
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

/// A value as GraphQL writes it: JSON but for the names of fields.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", literal(value)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}
