//! The root field of a subscription, for an executor that looks for it nowhere else.

use std::collections::HashSet;

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{ExecutableDocument, Field, OperationType, Selection};

/// Takes the root field of each subscription of a valid document out of fragments, and merges it with
/// what else is selected under its name.
pub fn merge_root_fields(document: &mut ExecutableDocument) {
    use async_graphql_parser::types::DocumentOperations::{Multiple, Single};
    let ExecutableDocument { operations, fragments } = document;
    let operations = match operations {
        Single(operation) => vec![operation],
        Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations {
        let items = &mut operation.node.selection_set.node.items;
        let is_plain = matches!(&items[..], [only] if matches!(only.node, Selection::Field(_)));
        if operation.node.ty != OperationType::Subscription || is_plain {
            continue;
        }
        let (mut merged, mut seen): (Option<Positioned<Field>>, _) = (None, HashSet::new());
        let mut waiting: Vec<&Positioned<Selection>> = items.iter().rev().collect();
        while let Some(selection) = waiting.pop() {
            let within = match &selection.node {
                Selection::Field(field) => {
                    if let Some(first) = &mut merged {
                        let more = &field.node.selection_set.node.items;
                        first.node.selection_set.node.items.extend(more.iter().cloned());
                    } else {
                        merged = Some(field.clone());
                    }
                    continue;
                }
                Selection::InlineFragment(inline) => &inline.node.selection_set,
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let Some(fragment) = fragments.get(name).filter(|_| seen.insert(name)) else { continue };
                    &fragment.node.selection_set
                }
            };
            waiting.extend(within.node.items.iter().rev());
        }
        if let Some(field) = merged {
            *items = vec![Positioned::new(Selection::Field(field.clone()), field.pos)];
        }
    }
}
