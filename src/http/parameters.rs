//! What a GraphQL request consists of, in a body, in a URL or in a WebSocket's message.

use std::collections::HashMap;

use async_graphql::Variables;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A request as the body has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parameters {
    pub(super) query: String,
    operation_name: Option<String>,
    #[serde(default)]
    pub(super) variables: Variables,
    /// Read to see that it is a map, as the specification demands; nothing in it is used.
    #[serde(rename = "extensions")]
    _extensions: Option<HashMap<String, IgnoredAny>>,
}

/// A request as the URL has it: the same names, with JSON in `variables` and `extensions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UrlParameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl Parameters {
    /// Which operation of the document is meant, if it says so.
    pub(super) fn operation_name(&self) -> Option<&str> {
        self.operation_name.as_deref().filter(|name| !name.is_empty())
    }
}

/// The parameters in a body, or what is wrong with it.
pub(super) fn parse(body: &[u8]) -> Result<Parameters, &'static str> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err("Batches are not accepted: send one operation a request.");
    }
    let malformed =
        "A request must be a JSON object with `query`, and may have `operationName`, `variables` and `extensions`.";
    // As text first: bytes that are no UTF-8 are found in what is skipped, too.
    let text = std::str::from_utf8(body).map_err(|_| malformed)?;
    serde_json::from_str(text).map_err(|_| malformed)
}

/// The parameters in a URL.
pub(super) fn from_url(url: UrlParameters) -> Result<Parameters, ()> {
    let object = |text: Option<String>| match text.filter(|text| !text.is_empty()) {
        Some(text) => serde_json::from_str::<Variables>(&text).map_err(drop),
        None => Ok(Variables::default()),
    };
    let _extensions = object(url.extensions).map(|_| None)?;
    let query = url.query.filter(|query| !query.is_empty()).ok_or(())?;
    Ok(Parameters { query, operation_name: url.operation_name, variables: object(url.variables)?, _extensions })
}
