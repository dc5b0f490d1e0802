//! Requests with files: the GraphQL multipart request specification, its limits, and who may send what.

mod forms;
mod limits;
mod rights;
mod slow_senders;
mod uploads;
mod wire;

use serde_json::{Value, json};

use crate::support::{Form, Reply, TestApp};

/// Asks for nothing of the files, and says whose file was understood how.
const HELLO: &str = "{ hello }";

/// A form with one file, which the operation does not use.
fn one_file(content: &[u8]) -> Form {
    Form::of(HELLO, &file_place(), &[("variables.file", content)])
}

fn file_place() -> Value {
    json!({ "file": null })
}

/// A refusal as a whole, and of its files nothing left.
fn assert_refused(test: &TestApp, reply: &Reply, status: u16, code: &str, what: &str) {
    assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{what}: {}", reply.body);
    assert!(reply.body.get("data").is_none(), "{what}: {}", reply.body);
    assert!(reply.body.to_string().len() < 1000, "the refusal is short: {what}");
    assert_eq!(test.uploads(), 0, "{what}");
}
