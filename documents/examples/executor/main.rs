//! Executes documents over a schema whose results are computed from their own paths, for a comparison with another
//! implementation: `npm run execution --prefix tests/audits`.
//!
//! `executor --schema` prints the schema. Otherwise each line of the input is a request
//! (`{"query", "variables", "operationName"}`), and gets a line with its response.
//!
//! The result of a field is decided by a number, which is a hash of the parent's number, the field's name and its
//! arguments: a nullable field is null for one number in ten and fails for one in ten, and a required one fails for one
//! in twenty.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program of the test suite ends where it cannot go on")]

mod mock;
mod schema;
mod shown;

use std::io::{BufRead as _, Write as _, stdin, stdout};

use async_graphql::parser::types::DocumentOperations;
use async_graphql::{EmptySubscription, Request, Response, Schema, ServerError, ValidationMode, Variables};
use documents::{Fault, Suggestions, TypeSystem};
use serde::Deserialize;

use schema::{Mutation, Query};

/// A line of the input.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    query: String,
    #[serde(default)]
    variables: Variables,
    operation_name: Option<String>,
}

/// The document and the values of its variables, as the executor takes them.
fn prepare(types: &TypeSystem, line: Line) -> Result<Request, Vec<Fault>> {
    let parsed = documents::parse(&line.query).map_err(|fault| vec![fault])?;
    let valid = types.validate(parsed, Suggestions::Given)?;
    let name = line.operation_name.as_deref();
    let (operation, name) = match &valid.document().operations {
        DocumentOperations::Single(operation) => (Some(operation), None),
        DocumentOperations::Multiple(operations) => (operations.get(name.unwrap_or_default()), name),
    };
    let operation = &operation.expect("the document has the operation").node;
    let variables = types.coerce_variables(&operation.variable_definitions, line.variables)?;
    if let Some(fault) = valid.misplaced_null(name, &variables) {
        return Err(vec![fault]);
    }
    let document = valid.for_execution(types, name, operation, &variables);
    let mut request = Request::new("").variables(variables);
    request.operation_name = name.map(str::to_owned);
    request.set_parsed_query(document);
    Ok(request)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let schema = Schema::build(Query, Mutation, EmptySubscription).validation_mode(ValidationMode::Fast).finish();
    let sdl = schema.sdl();
    if std::env::args().nth(1).as_deref() == Some("--schema") {
        println!("{sdl}");
        return;
    }
    let types = TypeSystem::new(&sdl, &[]).expect("the schema");
    for line in stdin().lock().lines() {
        let line = serde_json::from_str(&line.expect("a line")).expect("a request");
        let response = match prepare(&types, line) {
            Ok(request) => schema.execute(request).await,
            Err(faults) => {
                let errors = faults
                    .into_iter()
                    .map(|Fault { message, locations }| ServerError { locations, ..ServerError::new(message, None) });
                Response::from_errors(errors.collect())
            }
        };
        let mut text = serde_json::to_string(&response).expect("a response");
        text.push('\n');
        stdout().write_all(text.as_bytes()).expect("an output");
    }
}
