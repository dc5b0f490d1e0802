//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a string as structured fields have it
//! (RFC 8941, section 3.3.3). Clients that send the bare key are understood as well: `k1` and `"k1"` are one key.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::HeaderMap;

use crate::schema::{Kind, Operation};

const NAME: &str = "idempotency-key";
const MALFORMED: &str = "The header Idempotency-Key is a string in double quotes, without parameters, such as \
                         \"8e03978e-40d5\"; a key of letters, digits and !#$%&'*+-.^_`|~:/ needs no quotes.";
const TWICE: &str = "The header Idempotency-Key is sent once.";
const NOT_SINGLE: &str = "The header Idempotency-Key is the key of one field: send a mutation with a single field, or \
                          use the argument idempotencyKey of each field.";

/// The key in the headers of a request, for this operation. Queries and subscriptions change nothing and need no key.
///
/// # Errors
/// A message for the client, if the header is malformed or the operation cannot honor it.
pub(super) fn of_operation(headers: &HeaderMap, operation: &Operation) -> Result<Option<Arc<str>>, Cow<'static, str>> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next().filter(|_| operation.kind() == Kind::Mutation) else { return Ok(None) };
    if values.next().is_some() {
        return Err(TWICE.into());
    }
    let key = parse(value.as_bytes()).ok_or(MALFORMED)?;
    // A client that sends the header relies on it.
    if let Some(field) = operation.field_without_idempotency() {
        return Err(format!("{field} cannot honor the header Idempotency-Key: send it without one.").into());
    }
    if operation.is_single() { Ok(Some(key.into())) } else { Err(NOT_SINGLE.into()) }
}

/// The string that the value of the header stands for.
fn parse(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?.trim_matches(' ');
    let key = match value.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => value.chars().all(is_bare).then(|| value.to_owned())?,
    };
    (!key.is_empty()).then_some(key)
}

/// The content of a string behind its first quote (RFC 8941, section 4.2.5).
fn unquote(quoted: &str) -> Option<String> {
    let mut key = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(key),
            '\\' => key.push(chars.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            printable @ ' '..='~' => key.push(printable),
            _ => return None,
        }
    }
}

/// The characters of a token (RFC 8941, section 3.3.4), which here may also begin with a digit.
fn is_bare(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_structured_string_or_bare() {
        for (value, key) in [
            ("k1", "k1"),
            ("\"k1\"", "k1"),
            ("  \"k1\" ", "k1"),
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ("4711", "4711"),
            ("order:4711/2", "order:4711/2"),
            (r#""a b;p=1, (c)""#, "a b;p=1, (c)"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
        ] {
            assert_eq!(parse(value.as_bytes()).as_deref(), Some(key), "{value}");
        }
    }

    #[test]
    fn parameters_lists_and_malformed_strings_are_no_keys() {
        for value in [
            "",
            " ",
            "\"\"",
            "\"abc",
            "abc\"",
            "\"",
            "\"\\\"",
            "\"a\"b",
            "\"a\" b",
            "\"a\"\"b\"",
            "\"a\\b\"",
            "\"a\tb\"",
            "\"x\";p=1",
            "\"x\";p",
            "\"x\" ;p",
            "x;p=1",
            "a, b",
            "\"a\", \"b\"",
            "a b",
            "(\"a\")",
            "?1",
            "k\u{e4}",
            "\"k\u{e4}\"",
            "\t\"k1\"",
            "{\"a\"}",
            "k=1",
        ] {
            assert_eq!(parse(value.as_bytes()), None, "{value:?}");
        }
        assert_eq!(parse(b"\"\xff\""), None);
    }
}
