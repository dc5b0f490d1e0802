//! What a form is, and all that is none.

use axum::body::Body;
use serde_json::{Value, json};

use super::{HELLO, assert_refused, file_place, one_file};
use crate::support::{BOUNDARY, FILE_NAME, Form, TestApp, form_request};

/// An operation whose variable is no file.
const USER: &str = "query($file: String!) { user(username: $file) { id } }";

/// What is no map.
const MAPS: [&str; 16] = [
    "",
    "null",
    "1",
    "\"variables.file\"",
    "[]",
    "[\"variables.file\"]",
    "{",
    "{\"0\": \"variables.file\"}",
    "{\"0\": null}",
    "{\"0\": {}}",
    "{\"0\": [1]}",
    "{\"0\": [null]}",
    "{\"0\": [[\"variables.file\"]]}",
    "{\"0\": []}",
    "{\"0\": [\"variables.file\"], \"0\": [\"variables.files.0\"]}",
    "{\"0\": [\"variables.file\"]} x",
];

/// What leads to no null in the variables.
const PATHS: [&str; 30] = [
    "",
    ".",
    "variables",
    "variables.",
    "variables.file.",
    ".variables.file",
    "file",
    "variables.none",
    "variables.taken",
    "variables.taken.0",
    "variables.file.0",
    "variables.files",
    "variables.files.2",
    "variables.files.-1",
    "variables.files.+1",
    "variables.files.x",
    "variables.files.",
    "variables.files.18446744073709551616",
    "variables.deep",
    "variables.deep.er.0",
    "variables.deep.er.0.files",
    "variables.deep.er.file",
    "0.variables.file",
    "query",
    "operationName",
    "extensions",
    "extensions.file",
    "Variables.file",
    "variables/file",
    "__proto__",
];

#[tokio::test]
async fn a_form_is_a_request_with_files() {
    let (test, user) = TestApp::with_user().await;
    let two = json!({ "a": null, "b": [{ "c": null }, null] });
    let both = json!({ "x": ["variables.a", "variables.b.0.c"], "map": ["variables.b.1"] });
    for (what, form) in [
        ("no file", Form::with_map(HELLO, &Value::Null, &json!({}))),
        ("an empty file", one_file(b"")),
        ("a file", one_file(b"\r\n--not the boundary\r\n\0\xff")),
        (
            "a file for two places, in another order",
            Form::with_map(HELLO, &two, &both).file("map", b"2").file("x", b"1"),
        ),
        ("more around it", Form::default().bytes("preamble\r\n").bytes(one_file(b"x").cut())),
        ("no claims", Form::with_map(HELLO, &file_place(), &json!({ "f": ["variables.file"] })).part("f", b"x")),
    ] {
        let reply = user.upload(form).await;
        assert!(reply.data()["hello"].is_string(), "{what}: {}", reply.body);
        assert_eq!(test.uploads(), 0, "{what}");
    }
    let mutation = Form::with_map("mutation { next { value } }", &json!({}), &json!({}));
    assert_eq!(user.upload(mutation).await.data()["next"]["value"], 1);
}

#[tokio::test]
async fn a_form_may_come_in_any_pieces() {
    let (test, user) = TestApp::with_user().await;
    let form = one_file(&b"\r\n--\r\n----Form\r\n----Form-boundary.\r\r\n".repeat(20));
    for length in [1, 2, 3, 7, 64] {
        let reply = user.upload_in_chunks(form.clone().end(), length).await;
        assert!(reply.data()["hello"].is_string(), "{length}: {}", reply.body);
        assert_eq!(test.uploads(), 0);
    }
}

#[tokio::test]
async fn a_file_is_nothing_but_an_upload() {
    let (test, user) = TestApp::with_user().await;
    let reply = user.upload(Form::of(USER, &file_place(), &[("variables.file", b"anna")])).await;
    assert!(matches!(reply.code(), "GRAPHQL_VALIDATION_FAILED" | "BAD_USER_INPUT"), "{}", reply.body);
    assert!(!reply.body.to_string().contains(FILE_NAME), "{}", reply.body);
    assert_eq!(test.uploads(), 0);
}

#[tokio::test]
async fn what_is_out_of_order_is_refused() {
    let (test, user) = TestApp::with_user().await;
    let operations = json!({ "query": HELLO, "variables": file_place() }).to_string();
    let map = r#"{"0": ["variables.file"]}"#;
    let part = |name: &str, content: &str| Form::default().part(name, content);
    let first = |name: &str, content: &str| part(name, content).cut();
    for (what, form, named) in [
        ("map first", part("map", map).part("operations", &operations).file("0", b"x"), "operations"),
        (
            "the file first",
            Form::default().file("0", b"x").part("operations", &operations).part("map", map),
            "operations",
        ),
        ("no map", part("operations", &operations).file("0", b"x"), "map"),
        ("map last", part("operations", &operations).file("0", b"x").part("map", map), "map"),
        ("operations alone", part("operations", &operations), "map"),
        ("operations twice", part("operations", &operations).part("operations", &operations), "map"),
        ("map twice", part("operations", &operations).part("map", map).part("map", map), "map"),
        ("no part", Form::default(), ""),
        ("nameless", Form::default().headed("Content-Disposition: form-data\r\n", &operations), "operations"),
        ("headless", Form::default().headed("", &operations), ""),
        ("file unnamed", one_file(b"x").headed("Content-Disposition: form-data\r\n", "x"), "map"),
        ("unused", one_file(b"x").file("1", b"x"), "`1`"),
        ("another field", one_file(b"x").part("token", "x"), "`token`"),
        ("twice", one_file(b"x").file("0", b"x"), "`0`"),
        ("never sent", Form::default().bytes(first("operations", &operations)).part("map", map), "`variables.file`"),
    ] {
        let reply = user.upload(form).await;
        assert_refused(&test, &reply, 400, "BAD_USER_INPUT", what);
        assert!(reply.at("/errors/0/message").to_string().contains(named), "{what}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_map_leads_each_file_to_a_null_of_its_own() {
    let (test, user) = TestApp::with_user().await;
    let variables = json!({ "file": null, "files": [null, null], "taken": "x", "deep": { "er": [{ "file": null }] } });
    let maps = MAPS.into_iter().map(str::to_owned);
    let paths = PATHS.into_iter().map(|path| json!({ "0": [path] }).to_string());
    let twice = [
        json!({ "0": ["variables.file", "variables.file"] }),
        json!({ "0": ["variables.files.1", "variables.files.01"] }),
        json!({ "0": ["variables.file"], "1": ["variables.file"] }),
        json!({ "0": ["variables.file", "variables.none"] }),
    ];
    for map in maps.chain(paths).chain(twice.map(|map| map.to_string())) {
        let operations = json!({ "query": HELLO, "variables": variables });
        let form = Form::default().part("operations", operations.to_string()).part("map", &map);
        let reply = user.upload(form.file("0", b"x").file("1", b"x")).await;
        assert_refused(&test, &reply, 400, "BAD_USER_INPUT", &map);
    }
    let reply =
        user.upload(Form::with_map(HELLO, &json!({}), &json!({ "0": ["x".repeat(5000)] })).file("0", b"x")).await;
    assert_refused(&test, &reply, 400, "BAD_USER_INPUT", "a long path");
}

#[tokio::test]
async fn operations_is_a_request_as_a_body_is() {
    let (test, user) = TestApp::with_user().await;
    let file = json!({ "query": HELLO, "variables": file_place() });
    for operations in [
        json!([file]).to_string(),
        "[]".to_owned(),
        "nonsense".to_owned(),
        String::new(),
        json!({ "variables": file_place() }).to_string(),
        json!({ "query": HELLO, "variables": [null] }).to_string(),
        format!("{{\"query\": \"{HELLO}\", \"variables\": {{\"file\": {}", "[".repeat(100_000)),
    ] {
        let form = Form::default().part("operations", &operations).part("map", r#"{"0": ["variables.file"]}"#);
        let reply = user.upload(form.file("0", b"x")).await;
        assert_refused(&test, &reply, 400, "BAD_USER_INPUT", &operations[..operations.len().min(80)]);
    }
    let form = Form::default().part("operations", b"{\"query\": \"{ hello }\", \"x\": \"\xff\"}").part("map", "{}");
    assert_refused(&test, &user.upload(form).await, 400, "BAD_USER_INPUT", "no UTF-8");

    let form = Form::of("{ nothing }", &file_place(), &[("variables.file", b"x")]);
    assert_eq!(user.upload(form).await.code(), "GRAPHQL_VALIDATION_FAILED");
    let form = Form::of("{", &file_place(), &[("variables.file", b"x")]);
    assert_eq!(user.upload(form).await.code(), "GRAPHQL_PARSE_FAILED");
    assert_eq!(test.uploads(), 0);
}

#[tokio::test]
async fn a_form_that_ends_early_is_refused_wherever_it_ends() {
    let (test, user) = TestApp::with_user().await;
    let whole = one_file(b"a file of some length").end();
    // The line's end after the last boundary is not needed.
    for length in 0..whole.len() - 2 {
        let reply = user.upload_in_chunks(whole[..length].to_vec(), 1000).await;
        assert_refused(&test, &reply, 400, "BAD_USER_INPUT", &format!("{length} bytes"));
    }
}

#[tokio::test]
async fn a_form_has_the_boundary_that_its_type_names() {
    let (test, user) = TestApp::with_user().await;
    for content_type in [
        "multipart/form-data".to_owned(),
        "multipart/form-data; boundary=".to_owned(),
        "multipart/form-data; boundary=\"\"".to_owned(),
        "multipart/form-data; boundary=another".to_owned(),
        format!("multipart/form-data; boundary={}", BOUNDARY.to_uppercase()),
        format!("multipart/form-data; boundary={}", "-".repeat(71)),
        format!("multipart/form-data; charset={BOUNDARY}"),
    ] {
        let mut request = form_request(Body::from(one_file(b"x").end()));
        request.headers_mut().insert("content-type", content_type.parse().expect("a header value"));
        assert!(matches!(user.send(request).await.status.as_u16(), 400 | 415), "{content_type}");
    }
    for content_type in ["multipart/mixed", "multipart/form-datas", "multipart/related", "multipart"] {
        let mut request = form_request(Body::from(one_file(b"x").end()));
        let content_type = format!("{content_type}; boundary={BOUNDARY}");
        request.headers_mut().insert("content-type", content_type.parse().expect("a header value"));
        assert_refused(&test, &user.send(request).await, 415, "BAD_USER_INPUT", &content_type);
    }
    let mut request = form_request(Body::from(one_file(b"x").end()));
    request.headers_mut().insert("content-encoding", "gzip".parse().expect("a header value"));
    assert_refused(&test, &user.send(request).await, 415, "BAD_USER_INPUT", "compressed");
    let lines = String::from_utf8(one_file(b"x").end()).expect("text").replace("\r\n", "\n");
    assert_refused(&test, &user.upload_in_chunks(lines.into(), 10).await, 400, "BAD_USER_INPUT", "short line ends");
}
