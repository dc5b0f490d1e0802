//! The schema, its limits, and the road of a document through it.

mod cached_documents;
mod error_codes;
mod exported;
mod fragments;
mod introspection;
mod large_documents;
mod limits;
mod merged_fields;
mod node;
mod refusals;
mod root_fields;
mod same_schema;
mod secrets;
mod specification;
mod variables;

use serde_json::Value;

use crate::support::Caller;

/// The query that graphql-js' `getIntrospectionQuery` writes, and with it most tools.
const STANDARD_INTROSPECTION: &str = include_str!("introspection.graphql");

/// The schema as the running server describes it.
async fn introspect(caller: &Caller) -> Value {
    caller.run(STANDARD_INTROSPECTION).await.data()["__schema"].clone()
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value[key].as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Types of the schema that are its own, not GraphQL's.
fn own_types(schema: &Value) -> Vec<&Value> {
    const BUILT_IN: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];
    let own = |kind: &&Value| !text(kind, "name").starts_with("__") && !BUILT_IN.contains(&text(kind, "name"));
    list(schema, "types").filter(own).collect()
}
