//! From a query's text to an operation that may run: counted, parsed, within the limits, and kept.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
};
use async_graphql::{ErrorExtensionValues, Positioned, ServerError, Value as ConstValue, Variables};

use crate::error::ErrorCode;
use crate::schema::document_cache::{DocumentCache, ParsedDocument};
use crate::schema::limits::{Excess, Limits, MAX_NAME_BYTES, MAX_NESTING};

/// The mutations whose input has an `idempotencyKey`.
const HONORS_IDEMPOTENCY_KEY: [&str; 5] = ["createApiKey", "createCounter", "next", "setCurrent", "uploadPhotos"];

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It reads.
    Query,
    /// It writes.
    Mutation,
    /// It listens.
    Subscription,
}

/// One operation of a parsed document.
pub struct Operation {
    parsed: ParsedDocument,
    /// The query, if it is not in the cache.
    text: Option<Box<str>>,
    name: Option<String>,
    kind: Kind,
    is_single: bool,
}

impl Operation {
    /// What it does.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name, where it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether it asks for one thing only, so that what happened to that happened to all of it.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.is_single
    }

    /// Whether it asks for one thing whatever its variables say, as a subscription must (GraphQL, section 5.2.4.1).
    pub(super) fn has_one_source(&self) -> bool {
        let Ok((_, operation)) = choose(&self.parsed.document, self.name.as_deref()) else { return false };
        let conditions = ["skip", "include"];
        match &*operation.node.selection_set.node.items {
            [Positioned { node: Selection::Field(field), .. }] => {
                !field.node.directives.iter().any(|directive| conditions.contains(&directive.node.name.node.as_str()))
            }
            _ => false,
        }
    }

    /// A field of a mutation that honors no idempotency key. A query changes nothing, however often it is sent.
    #[must_use]
    pub fn field_without_idempotency(&self) -> Option<String> {
        let operation =
            choose(&self.parsed.document, self.name.as_deref()).ok().filter(|_| self.kind == Kind::Mutation);
        let (_, operation) = operation?;
        // Fragments do not lead back to themselves, and their number is limited.
        let (mut sets, mut seen) = (vec![&operation.node.selection_set.node], HashSet::new());
        while let Some(set) = sets.pop() {
            for selection in &set.items {
                match &selection.node {
                    Selection::Field(field) => {
                        let name = field.node.name.node.as_str();
                        if name != "__typename" && !HONORS_IDEMPOTENCY_KEY.contains(&name) {
                            return Some(name.to_owned());
                        }
                    }
                    Selection::InlineFragment(fragment) => sets.push(&fragment.node.selection_set.node),
                    Selection::FragmentSpread(spread) => {
                        let name = &spread.node.fragment_name.node;
                        let fragment = self.parsed.document.fragments.get(name).filter(|_| seen.insert(name));
                        sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                    }
                }
            }
        }
        None
    }

    /// Sees to it that no variable is missing that the operation cannot do without: the framework looks only at
    /// those that reach an argument.
    pub(super) fn require(&self, variables: &Variables) -> Result<(), ServerError> {
        let (_, operation) = choose(&self.parsed.document, self.name.as_deref())?;
        for Positioned { node: variable, pos } in &operation.node.variable_definitions {
            let given = variables.get(&variable.name.node).is_some_and(|value| *value != ConstValue::Null);
            if !given && !variable.var_type.node.nullable && variable.default_value.is_none() {
                let message = format!("The variable \"${}\" needs a value.", variable.name.node);
                return Err(ServerError { locations: vec![*pos], ..refusal(ErrorCode::BadUserInput, message) });
            }
        }
        Ok(())
    }

    pub(super) fn document(&self) -> &ExecutableDocument {
        &self.parsed.document
    }

    pub(super) fn is_known_valid(&self) -> bool {
        self.text.is_none()
    }
}

/// Parses documents, and keeps those that were found valid.
pub(super) struct Documents {
    limits: Limits,
    valid: DocumentCache,
}

impl Documents {
    /// Keeps documents in this many bytes.
    pub(super) fn new(limits: Limits, cache_bytes: u64) -> Self {
        Self { limits, valid: DocumentCache::new(cache_bytes) }
    }

    pub(super) fn prepare(&self, query: &str, name: Option<&str>) -> Result<Operation, ServerError> {
        let (parsed, text) = match self.valid.get(query) {
            Some(parsed) => (parsed, None),
            None => (self.parse(query)?, Some(query.into())),
        };
        let (name, operation) = choose(&parsed.document, name)?;
        let kind = match operation.node.ty {
            OperationType::Query => Kind::Query,
            OperationType::Mutation => Kind::Mutation,
            OperationType::Subscription => Kind::Subscription,
        };
        let is_single =
            matches!(&*operation.node.selection_set.node.items, [only] if matches!(only.node, Selection::Field(_)));
        Ok(Operation { parsed, text, name, kind, is_single })
    }

    /// Remembers a document whose validation has passed.
    pub(super) fn keep(&self, operation: Operation) {
        if let Some(text) = operation.text {
            self.valid.insert(text, operation.parsed);
        }
    }

    fn parse(&self, query: &str) -> Result<ParsedDocument, ServerError> {
        let over = |what, limit: usize| {
            refusal(ErrorCode::QueryTooComplex, format!("The document's {what} exceeds the limit of {limit}."))
        };
        let size = measure(query, self.limits.tokens);
        if size.tokens > self.limits.tokens {
            return Err(over("number of tokens", self.limits.tokens as usize));
        }
        if size.is_unfinished {
            let message = "The document is not GraphQL: a block string has no end.";
            return Err(refusal(ErrorCode::GraphqlParseFailed, message.to_owned()));
        }
        if size.nesting > MAX_NESTING {
            return Err(over("nesting", MAX_NESTING as usize));
        }
        if size.longest_word > MAX_NAME_BYTES {
            return Err(over("longest name or number", MAX_NAME_BYTES));
        }
        let document = async_graphql::parser::parse_query(query).map_err(|error| {
            let parsed = ServerError::from(error);
            // The parser's message quotes the whole line; the location says where, too.
            let message = parsed.message.rsplit_once("= ").map_or(parsed.message.as_str(), |(_, expected)| expected);
            let message = format!("The document is not GraphQL: {message}.");
            ServerError { message, extensions: Some(code(ErrorCode::GraphqlParseFailed)), ..parsed }
        })?;
        self.limits.check(&document).map_err(|excess| match excess {
            Excess::Over(what, limit) => over(what, limit as usize),
            Excess::Cycle(name) => {
                refusal(ErrorCode::GraphqlValidationFailed, format!("The fragment \"{name}\" leads back to itself."))
            }
            Excess::Introspection => {
                let message = "The schema is hidden here: introspection is switched off.";
                refusal(ErrorCode::GraphqlValidationFailed, message.to_owned())
            }
        })?;
        Ok(ParsedDocument { document: Arc::new(document), tokens: size.tokens })
    }
}

fn choose<'d>(
    document: &'d ExecutableDocument,
    name: Option<&str>,
) -> Result<(Option<String>, &'d Positioned<OperationDefinition>), ServerError> {
    let unknown = |message: String| refusal(ErrorCode::GraphqlValidationFailed, message);
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok((None, operation)),
        (DocumentOperations::Single(_), Some(name)) => Err(unknown(format!("There is no operation \"{name}\"."))),
        (DocumentOperations::Multiple(operations), Some(name)) => match operations.get_key_value(name) {
            Some((name, operation)) => Ok((Some(name.to_string()), operation)),
            None => Err(unknown(format!("There is no operation \"{name}\"."))),
        },
        (DocumentOperations::Multiple(operations), None) => match (operations.iter().next(), operations.len()) {
            (Some((name, operation)), 1) => Ok((Some(name.to_string()), operation)),
            _ => Err(unknown("The document has several operations: say which with `operationName`.".to_owned())),
        },
    }
}

pub(super) fn refusal(reason: ErrorCode, message: String) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions = Some(code(reason));
    error
}

fn code(code: ErrorCode) -> ErrorExtensionValues {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.name());
    extensions
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    tokens: u32,
    nesting: u32,
    longest_word: usize,
    /// Whether a block string has no end. The parser would read an empty string and what follows, against section
    /// 2.9.4, and look for the end anew at the next: many times through the whole text.
    is_unfinished: bool,
}

/// Counts tokens and the deepest nesting of brackets, as the GraphQL specification's section 2.1 has them, up to the
/// first token that is one too many, or has no end. What is no token is left for the parser to refuse.
fn measure(query: &str, max_tokens: u32) -> Size {
    let (mut size, mut depth) = (Size::default(), 0_u32);
    let mut rest = query.as_bytes();
    while let [byte, after @ ..] = rest {
        if size.tokens > max_tokens {
            break;
        }
        let length = match byte {
            b'#' => {
                rest = after
                    .get(after.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(after.len())..)
                    .unwrap_or(&[]);
                continue;
            }
            b'"' if rest.starts_with(BLOCK) => match block_string_length(rest) {
                Some(length) => length,
                None => {
                    size.is_unfinished = true;
                    break;
                }
            },
            b'"' => string_length(rest),
            b'.' if after.starts_with(b"..") => 3,
            b if is_word(*b) || *b == b'-' => 1 + after.iter().take_while(|b| is_word(**b) || **b == b'.').count(),
            b',' | b' ' | b'\t' | b'\r' | b'\n' => {
                rest = after;
                continue;
            }
            _ => 1,
        };
        if is_word(*byte) || *byte == b'-' {
            size.longest_word = size.longest_word.max(length);
        }
        match byte {
            b'{' | b'(' | b'[' => depth = depth.saturating_add(1),
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        size.tokens = size.tokens.saturating_add(1);
        size.nesting = size.nesting.max(depth);
        rest = rest.get(length..).unwrap_or(&[]);
    }
    size
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const BLOCK: &[u8] = b"\"\"\"";
const ESCAPED_BLOCK: &[u8] = b"\\\"\"\"";

/// The length of the string that `rest` begins with, quotes included; an unfinished one has all the rest.
fn string_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    rest.len()
}

/// The length of the block string that `rest` begins with, quotes included, if it has an end.
fn block_string_length(rest: &[u8]) -> Option<usize> {
    let mut at = BLOCK.len();
    while let Some(ahead) = rest.get(at..).filter(|ahead| !ahead.is_empty()) {
        at += match ahead {
            _ if ahead.starts_with(BLOCK) => return Some(at + BLOCK.len()),
            _ if ahead.starts_with(ESCAPED_BLOCK) => ESCAPED_BLOCK.len(),
            _ => 1,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(query: &str) -> Size {
        measure(query, u32::MAX)
    }

    #[test]
    fn a_text_is_walked_to_the_first_token_that_is_one_too_many_or_has_no_end() {
        assert_eq!(measure(&"a ".repeat(200_000), 100).tokens, 101);
        for unfinished in ["\"\"\"", "\"\"\"\" [[", "a \"\"\" \\\"\"\" \"\" b"] {
            assert!(measured(unfinished).is_unfinished, "{unfinished}");
        }
    }

    #[test]
    fn tokens_and_nesting_are_counted_as_the_specification_has_them() {
        let size = |tokens, nesting, longest_word| Size { tokens, nesting, longest_word, is_unfinished: false };
        assert_eq!(measured("{ hello }"), size(3, 1, 5));
        assert_eq!(measured("query Q($a: Int = -1.5e3) { f(a: $a) @x ...F }"), size(23, 2, 6));
        assert_eq!(measured("# { { {\n{ a(s: \"} \\\" { #\") , }"), size(8, 2, 1));
        assert_eq!(measured("{ a(s: \"\"\"x \\\"\"\" { \"\"\") }"), size(8, 2, 1));
        assert_eq!(measured("\"unfinished"), size(1, 0, 0));
        assert_eq!(measured("[[[["), size(4, 4, 0));
        assert_eq!(measured("é"), size(2, 0, 0));
    }
}
