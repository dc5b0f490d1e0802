//! From a query's text to an operation that may run: counted, parsed, within the limits, valid, and kept.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
};
use async_graphql::{ErrorExtensionValues, Positioned, ServerError, Variables};
use documents::{Fault, Suggestions, ValidDocument};

use crate::error::ErrorCode;
use crate::schema::document_cache::{DocumentCache, ParsedDocument};
use crate::schema::limits::{Excess, Limits, MAX_NAME_BYTES, MAX_NESTING};
use crate::schema::measure::{Size, measure};
use crate::schema::type_system;

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

impl Kind {
    fn of(operation: OperationType) -> Self {
        match operation {
            OperationType::Query => Self::Query,
            OperationType::Mutation => Self::Mutation,
            OperationType::Subscription => Self::Subscription,
        }
    }
}

/// A document that is not executed.
pub(super) struct Refused {
    pub(super) errors: Vec<ServerError>,
    /// The operation that was asked for, if the document has it.
    pub(super) operation: Option<(Kind, Option<String>)>,
}

impl From<Vec<ServerError>> for Refused {
    fn from(errors: Vec<ServerError>) -> Self {
        Self { errors, operation: None }
    }
}

impl From<ServerError> for Refused {
    fn from(error: ServerError) -> Self {
        vec![error].into()
    }
}

/// One operation of a valid document.
pub struct Operation {
    parsed: ParsedDocument,
    /// True if the document is in the cache.
    is_kept: bool,
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

    /// A field of a mutation that honors no idempotency key. A query changes nothing, however often it is sent.
    #[must_use]
    pub fn field_without_idempotency(&self) -> Option<String> {
        let operation =
            choose(self.parsed.document(), self.name.as_deref()).ok().filter(|_| self.kind == Kind::Mutation);
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
                        let fragment = self.parsed.document().fragments.get(name).filter(|_| seen.insert(name));
                        sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                    }
                }
            }
        }
        None
    }

    /// Bytes of memory that it takes while it runs, without its variables: those of the framework's
    /// copy of the document, and of the document itself unless it is kept anyway.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let copies = if self.is_kept { 1 } else { 2 };
        usize::try_from(self.parsed.memory_bytes).unwrap_or(usize::MAX).saturating_mul(copies)
    }

    /// The variables that the operation declares, of those that were sent.
    #[must_use]
    pub fn declared(&self, mut variables: Variables) -> Variables {
        let Ok((_, operation)) = choose(self.parsed.document(), self.name.as_deref()) else {
            return Variables::default();
        };
        let definitions = &operation.node.variable_definitions;
        variables.retain(|name, _| definitions.iter().any(|definition| definition.node.name.node == *name));
        variables
    }

    /// The values of its variables, defaults included, as all that follows sees them.
    pub(super) fn coerce(&self, given: Variables) -> Result<Variables, Vec<ServerError>> {
        let (_, operation) = choose(self.parsed.document(), self.name.as_deref()).map_err(|error| vec![error])?;
        let definitions = &operation.node.variable_definitions;
        if definitions.is_empty() {
            return Ok(Variables::default());
        }
        let types = type_system::get().map_err(|error| vec![error])?;
        let refused = |faults| refusals(ErrorCode::BadUserInput, faults);
        let coerced = types.coerce_variables(definitions, given).map_err(refused)?;
        let misplaced = self.parsed.valid.misplaced_null(self.name.as_deref(), &coerced);
        misplaced.map_or(Ok(coerced), |fault| Err(refused(vec![fault])))
    }

    /// The document.
    pub(super) fn valid(&self) -> &Arc<ValidDocument> {
        &self.parsed.valid
    }

    /// The document for an execution with these values, which are coerced.
    pub(super) fn document_for(&self, variables: &Variables) -> Result<ExecutableDocument, Vec<ServerError>> {
        let name = self.name.as_deref();
        let (_, operation) = choose(self.parsed.document(), name).map_err(|error| vec![error])?;
        let types = type_system::get().map_err(|error| vec![error])?;
        Ok(self.parsed.valid.for_execution(types, name, &operation.node, variables))
    }
}

/// Parses and validates documents, and keeps those that are valid.
pub(super) struct Documents {
    limits: Limits,
    valid: DocumentCache,
}

impl Documents {
    /// Keeps documents in this many bytes.
    pub(super) fn new(limits: Limits, cache_bytes: u64) -> Self {
        Self { limits, valid: DocumentCache::new(cache_bytes) }
    }

    pub(super) fn prepare(&self, query: &str, name: Option<&str>) -> Result<Operation, Refused> {
        let (parsed, is_kept) = match self.valid.get(query) {
            Some(parsed) => (parsed, true),
            None => {
                let parsed = self.parse(query, name)?;
                let is_kept = self.valid.insert(query, parsed.clone());
                (parsed, is_kept)
            }
        };
        let (name, operation) = choose(parsed.document(), name)?;
        let kind = Kind::of(operation.node.ty);
        let is_single =
            matches!(&*operation.node.selection_set.node.items, [only] if matches!(only.node, Selection::Field(_)));
        Ok(Operation { parsed, is_kept, name, kind, is_single })
    }

    fn parse(&self, query: &str, name: Option<&str>) -> Result<ParsedDocument, Refused> {
        let size = self.within_limits(query)?;
        let parsed = documents::parse(query).map_err(|fault| refusals(ErrorCode::GraphqlParseFailed, vec![fault]))?;
        self.limits.check(&parsed.document).map_err(|excess| match excess {
            Excess::Over(what, limit) => exceeded(what, limit as usize),
            Excess::Cycle(name) => {
                let message = format!("Cannot spread fragment \"{name}\" within itself.");
                refusal(ErrorCode::GraphqlValidationFailed, message)
            }
            Excess::Introspection => {
                let message = "The schema is hidden here: introspection is switched off.";
                refusal(ErrorCode::GraphqlValidationFailed, message.to_owned())
            }
        })?;
        let suggestions = if self.limits.introspection { Suggestions::Given } else { Suggestions::Withheld };
        let types = type_system::get()?;
        let chosen = choose(&parsed.document, name).ok();
        let chosen = chosen.map(|(name, operation)| (Kind::of(operation.node.ty), name));
        let valid = types.validate(parsed, suggestions).map_err(|faults| Refused {
            errors: refusals(ErrorCode::GraphqlValidationFailed, faults),
            operation: chosen,
        })?;
        Ok(ParsedDocument::new(valid, query.len(), size.tokens))
    }

    /// The size of a text that is worth parsing.
    fn within_limits(&self, query: &str) -> Result<Size, ServerError> {
        let size = measure(query, self.limits.tokens);
        if size.tokens > self.limits.tokens {
            return Err(exceeded("number of tokens", self.limits.tokens as usize));
        }
        if size.is_unfinished {
            let message = "Syntax Error: Unterminated string.";
            return Err(refusal(ErrorCode::GraphqlParseFailed, message.to_owned()));
        }
        if size.nesting > MAX_NESTING {
            return Err(exceeded("nesting", MAX_NESTING as usize));
        }
        if size.longest_word > MAX_NAME_BYTES {
            return Err(exceeded("longest name or number", MAX_NAME_BYTES));
        }
        Ok(size)
    }
}

fn exceeded(what: &str, limit: usize) -> ServerError {
    refusal(ErrorCode::QueryTooComplex, format!("The document's {what} exceeds the limit of {limit}."))
}

fn refusals(reason: ErrorCode, faults: Vec<Fault>) -> Vec<ServerError> {
    let refused = |Fault { message, locations }| ServerError { locations, ..refusal(reason, message) };
    faults.into_iter().map(refused).collect()
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
