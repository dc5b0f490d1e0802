//! The description of the schema itself. async-graphql has no setting for it: it answers
//! `__schema { description }` with a text of its own, and exports none.

use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql::{Name, Response, Value};

/// The description, in lines as long as the others of `schema.graphql`.
const DESCRIPTION: &str = "\
The API of Cloakroom: accounts, counters without gaps, and photos. Send an access token or an API
key in the header `Authorization: Bearer`. Validation errors are data, in the `userErrors` of a
payload. All other errors have a code in `extensions.code`, which is one of `server { errorCodes }`.";

/// Adds the description to the schema definition of an export.
pub(super) fn describe_export(sdl: &str) -> String {
    sdl.replacen("\nschema {", &format!("\n\"\"\"\n{DESCRIPTION}\n\"\"\"\nschema {{"), 1)
}

/// Puts the description into the results of `__schema`.
pub(super) fn describe_results(document: &ExecutableDocument, operation: Option<&str>, response: &mut Response) {
    let Value::Object(data) = &mut response.data else { return };
    let operations = document.operations.iter();
    for (_, executed) in operations.filter(|(name, _)| name.map(Name::as_str) == operation) {
        for schema in fields(document, &executed.node.selection_set.node, "__schema") {
            let Some(Value::Object(result)) = data.get_mut(&schema.response_key().node) else { continue };
            for description in fields(document, &schema.selection_set.node, "description") {
                // A condition may have left it out.
                if let Some(text) = result.get_mut(&description.response_key().node) {
                    *text = Value::from(DESCRIPTION);
                }
            }
        }
    }
}

/// Returns the selected fields with this name, those in fragments included. `limits` has bounded
/// the document and refused cycles.
fn fields<'d>(document: &'d ExecutableDocument, selections: &'d SelectionSet, name: &str) -> Vec<&'d Field> {
    let mut found = Vec::new();
    for selection in &selections.items {
        match &selection.node {
            Selection::Field(field) if field.node.name.node == name => found.push(&field.node),
            Selection::Field(_) => {}
            Selection::InlineFragment(fragment) => {
                found.extend(fields(document, &fragment.node.selection_set.node, name));
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    found.extend(fields(document, &fragment.node.selection_set.node, name));
                }
            }
        }
    }
    found
}
