//! What is asked, and how its answer is read.

use std::{fmt, net::SocketAddr, str};

use anyhow::{Context, ensure};
use serde_json::json;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `GET /`, answered by a constant text.
    Hello,
    /// The shortest way to take a number.
    Next,
    /// The same as clients write it: a named operation of four fields.
    TakeNumber,
}

const NEXT: &str = "mutation { next { value } }";
const TAKE_NUMBER: &str = "mutation TakeNumber { next { value counter { id name current } } }";

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Hello => "text",
            Self::Next => "`next { value }`",
            Self::TakeNumber => "`TakeNumber`, 4 fields",
        })
    }
}

impl Operation {
    /// The bytes of one request by the holder of `token`.
    pub(crate) fn request(self, host: SocketAddr, token: &str) -> Vec<u8> {
        match self {
            Self::Hello => format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes(),
            Self::Next => post(host, token, &json!({ "query": NEXT }).to_string()),
            Self::TakeNumber => {
                post(host, token, &json!({ "query": TAKE_NUMBER, "operationName": "TakeNumber" }).to_string())
            }
        }
    }

    /// The number an answer carries. Anything but the expected answer is an error that shows it.
    pub(crate) fn value(self, body: &[u8]) -> anyhow::Result<u64> {
        let value = match self {
            Self::Hello => (body == b"hello").then_some(0),
            Self::Next => taken(body).and_then(|rest| number(rest.strip_suffix(b"}}}")?)),
            Self::TakeNumber => taken(body).and_then(value_of_four_fields),
        };
        value.with_context(|| format!("unexpected answer to {self}: {}", String::from_utf8_lossy(body)))
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

fn taken(body: &[u8]) -> Option<&[u8]> {
    body.strip_prefix(br#"{"data":{"next":{"value":"#)
}

/// Reads `1,"counter":{"id":"…","name":"…","current":1}}}}`. The counter may have moved on, never back.
fn value_of_four_fields(rest: &[u8]) -> Option<u64> {
    let text = str::from_utf8(rest.strip_suffix(b"}}}}")?).ok()?;
    let (value, counter) = text.split_once(r#","counter":{"id":""#)?;
    let (_, current) = counter.split_once(r#","name":""#)?.1.rsplit_once(r#","current":"#)?;
    let value = number(value.as_bytes())?;
    (number(current.as_bytes())? >= value).then_some(value)
}

fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}
