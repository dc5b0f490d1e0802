//! What a GraphQL request consists of, in a body, in a URL or in a WebSocket's message.

use async_graphql::Variables;
use serde::Deserialize;

use crate::http::variables::{self, BoundedObject, TooManyValues};

/// A request as the body has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    query: String,
    operation_name: Option<String>,
    #[serde(default)]
    variables: BoundedObject,
    /// Read to see that it is a map, as the specification demands; nothing in it is used.
    #[serde(default)]
    extensions: BoundedObject,
}

/// A request as the URL has it: the same names, with JSON in `variables` and `extensions`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UrlParameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// The parameters of a request.
pub(super) struct Parameters {
    pub(super) query: String,
    operation_name: Option<String>,
    pub(super) variables: Variables,
}

/// The reason why parameters are refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InvalidParameters {
    /// They do not have the form of a request.
    Malformed,
    /// They have too many values; the text names the limit.
    TooManyValues(String),
}

impl Parameters {
    /// Which operation of the document is meant, if it says so.
    pub(super) fn operation_name(&self) -> Option<&str> {
        self.operation_name.as_deref().filter(|name| !name.is_empty())
    }

    /// Bytes of memory that they take.
    pub(super) fn memory_bytes(&self) -> usize {
        let names = self.operation_name.as_ref().map_or(0, String::len);
        self.query.len().saturating_add(names).saturating_add(variables::memory_bytes(&self.variables))
    }
}

/// Text without the byte order mark that some programs begin it with (RFC 8259, section 8.1).
pub(super) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The parameters in a body, or what is wrong with it.
pub(super) fn parse(body: &[u8]) -> Result<Parameters, String> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err("Batches are not accepted: send one operation a request.".to_owned());
    }
    // As text first: bytes that are no UTF-8 are found in what is skipped, too.
    let text = std::str::from_utf8(body).map_err(|_| InvalidParameters::Malformed);
    text.and_then(from_json).map_err(|invalid| {
        invalid.message(
            "A request must be a JSON object with `query`, and may have `operationName`, `variables` and `extensions`.",
        )
    })
}

/// The parameters in a JSON object.
pub(super) fn from_json(text: &str) -> Result<Parameters, InvalidParameters> {
    let Body { query, operation_name, variables, extensions } =
        serde_json::from_str(text).map_err(|_| InvalidParameters::Malformed)?;
    extensions.into_variables().map_err(|TooManyValues| InvalidParameters::too_many("extensions"))?;
    let variables = variables.into_variables().map_err(|TooManyValues| InvalidParameters::too_many("variables"))?;
    Ok(Parameters { query, operation_name, variables })
}

/// The parameters in a URL.
pub(super) fn from_url(url: UrlParameters) -> Result<Parameters, String> {
    from_texts(url).map_err(|invalid| {
        invalid.message(
            "The URL needs `query`, and may have `operationName`, and `variables` and `extensions` as JSON objects.",
        )
    })
}

fn from_texts(url: UrlParameters) -> Result<Parameters, InvalidParameters> {
    let query = url.query.filter(|query| !query.is_empty()).ok_or(InvalidParameters::Malformed)?;
    object("extensions", url.extensions)?;
    let variables = object("variables", url.variables)?;
    Ok(Parameters { query, operation_name: url.operation_name, variables })
}

fn object(name: &str, text: Option<String>) -> Result<Variables, InvalidParameters> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Variables::default()) };
    let object: BoundedObject =
        serde_json::from_str(without_byte_order_mark(&text)).map_err(|_| InvalidParameters::Malformed)?;
    object.into_variables().map_err(|TooManyValues| InvalidParameters::too_many(name))
}

impl InvalidParameters {
    fn too_many(name: &str) -> Self {
        Self::TooManyValues(TooManyValues::message(name))
    }

    /// The message for the client; `malformed` describes the form that they should have.
    fn message(self, malformed: &str) -> String {
        match self {
            Self::Malformed => malformed.to_owned(),
            Self::TooManyValues(message) => message,
        }
    }
}
