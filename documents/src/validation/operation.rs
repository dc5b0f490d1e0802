//! Subscriptions have one root field (GraphQL, section 5.2.4.1).

use std::collections::HashSet;

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{ExecutableDocument, OperationDefinition, OperationType, Selection};
use async_graphql_value::Name;

use crate::Faults;

pub(super) fn check_subscription(
    document: &ExecutableDocument,
    name: Option<&Name>,
    operation: &Positioned<OperationDefinition>,
    faults: &mut Faults,
) {
    if operation.node.ty != OperationType::Subscription {
        return;
    }
    let subscription =
        || name.map_or_else(|| "Anonymous Subscription".to_owned(), |name| format!("Subscription \"{name}\""));
    let (mut seen, mut key) = (HashSet::new(), None);
    let mut waiting: Vec<_> = operation.node.selection_set.node.items.iter().rev().collect();
    while let Some(selection) = waiting.pop() {
        let conditions = ["skip", "include"];
        let directives = selection.node.directives();
        if let Some(condition) = directives.iter().find(|found| conditions.contains(&&*found.node.name.node)) {
            faults.add(condition.pos, || {
                format!("{} must not use `@skip` or `@include` directives in the top level selection.", subscription())
            });
        }
        match &selection.node {
            Selection::Field(field) => {
                let response_key = &field.node.response_key().node;
                if *key.get_or_insert(response_key) != response_key {
                    faults.add(field.pos, || format!("{} must select only one top level field.", subscription()));
                }
                if field.node.name.node.starts_with("__") {
                    let message = "must not select an introspection top level field.";
                    faults.add(field.pos, || format!("{} {message}", subscription()));
                }
            }
            Selection::InlineFragment(inline) => {
                waiting.extend(inline.node.selection_set.node.items.iter().rev());
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if let Some(fragment) = document.fragments.get(name).filter(|_| seen.insert(name)) {
                    waiting.extend(fragment.node.selection_set.node.items.iter().rev());
                }
            }
        }
    }
}
