//! What is asked, and how its answer is read.

use std::{fmt, net::SocketAddr, str};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::{keys::PLACEHOLDER, ledger::Numbers};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `GET /`, answered by a constant text.
    Hello,
    /// The shortest way to take a number.
    Next,
    /// The same as clients write it: a named operation of four fields.
    TakeNumber,
    /// 100 numbers at once.
    Range,
    /// A number under an idempotency key that was not used before.
    FreshKey,
    /// The answer of an earlier request again, under its idempotency key.
    Replay,
    /// PostGraphile's `next`, which is a function of the database.
    Function,
    /// The integer service as it was: a GET that writes.
    Get,
    /// The integer service made durable.
    Post,
}

const NEXT: &str = "mutation { next { value } }";
const TAKE_NUMBER: &str = "mutation TakeNumber { next { value counter { id name current } } }";
const RANGE: &str = "mutation { next(input: {count: 100}) { first last } }";
const KEYED: &str = "mutation ($key: String) { next(input: {idempotencyKey: $key}) { value replayed } }";
const FUNCTION: &str = "mutation { next(input: {}) { result } }";

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hello => "text",
            Self::Next => "`next { value }`",
            Self::TakeNumber => "`TakeNumber`, 4 fields",
            Self::Range => "`next(count: 100)`",
            Self::FreshKey => "`next`, a fresh idempotency key",
            Self::Replay => "`next`, replayed",
            Self::Function => "`next { result }`",
            Self::Get => "`GET /next`",
            Self::Post => "`POST /next`",
        })
    }
}

impl Operation {
    /// The bytes of one request by the holder of `token`; a key is still to be put in its place.
    pub(crate) fn request(self, host: SocketAddr, token: &str) -> Vec<u8> {
        let post = |body: serde_json::Value| post(host, token, &body.to_string());
        let bare = |line: &str| {
            let authorization = format!("Authorization: Bearer {token}\r\n");
            format!("{line} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n").into_bytes()
        };
        match self {
            Self::Hello => format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
            Self::Next => post(json!({ "query": NEXT })),
            Self::TakeNumber => post(json!({ "query": TAKE_NUMBER, "operationName": "TakeNumber" })),
            Self::Range => post(json!({ "query": RANGE })),
            Self::FreshKey | Self::Replay => post(json!({ "query": KEYED, "variables": { "key": PLACEHOLDER } })),
            Self::Function => post(json!({ "query": FUNCTION })),
            Self::Get => bare("GET /next"),
            Self::Post => bare("POST /next"),
        }
    }

    /// The numbers an answer carries. Anything but the expected answer is an error that shows it.
    pub(crate) fn numbers(self, body: &[u8]) -> anyhow::Result<Numbers> {
        // Some servers end their answers with a line break.
        let answer = body.trim_ascii_end();
        let one = |number: u64| number..=number;
        let numbers = match self {
            Self::Hello => (answer == b"hello").then_some(0..=0),
            Self::Next => between(answer, r#"{"data":{"next":{"value":"#, "}}}").map(one),
            Self::TakeNumber => value_of_four_fields(answer).map(one),
            Self::Range => hundred(answer),
            Self::FreshKey => between(answer, r#"{"data":{"next":{"value":"#, r#","replayed":false}}}"#).map(one),
            Self::Replay => between(answer, r#"{"data":{"next":{"value":"#, r#","replayed":true}}}"#).map(one),
            // A 64-bit integer is a string there.
            Self::Function => between(answer, r#"{"data":{"next":{"result":""#, r#""}}}"#).map(one),
            Self::Get | Self::Post => between(answer, r#"{"current":"#, "}").map(one),
        };
        numbers.with_context(|| format!("unexpected answer to {self}: {}", String::from_utf8_lossy(body)))
    }
}

/// A GraphQL request over HTTP; an empty token asks anonymously.
pub(crate) fn post(host: SocketAddr, token: &str, body: &str) -> Vec<u8> {
    let authorization = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let length = body.len();
    format!(
        "POST /graphql HTTP/1.1\r\nHost: {host}\r\n{authorization}Accept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The status is 200, or an error that shows the answer.
pub(crate) fn require_ok(status: u16, body: &[u8]) -> anyhow::Result<()> {
    ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(body));
    Ok(())
}

fn between(answer: &[u8], start: &str, end: &str) -> Option<u64> {
    number(answer.strip_prefix(start.as_bytes())?.strip_suffix(end.as_bytes())?)
}

/// Reads `1,"counter":{"id":"…","name":"…","current":1}}}}`. The counter may have moved on, never back.
fn value_of_four_fields(answer: &[u8]) -> Option<u64> {
    let rest = answer.strip_prefix(br#"{"data":{"next":{"value":"#)?;
    let text = str::from_utf8(rest.strip_suffix(b"}}}}")?).ok()?;
    let (value, counter) = text.split_once(r#","counter":{"id":""#)?;
    let (_, current) = counter.split_once(r#","name":""#)?.1.rsplit_once(r#","current":"#)?;
    let value = number(value.as_bytes())?;
    (number(current.as_bytes())? >= value).then_some(value)
}

fn hundred(answer: &[u8]) -> Option<Numbers> {
    let rest = answer.strip_prefix(br#"{"data":{"next":{"first":"#)?;
    let (first, last) = str::from_utf8(rest.strip_suffix(b"}}}")?).ok()?.split_once(r#","last":"#)?;
    let (first, last) = (number(first.as_bytes())?, number(last.as_bytes())?);
    (last == first + 99).then_some(first..=last)
}

fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}
