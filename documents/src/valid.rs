//! A valid document, and what of it an execution needs.

use std::collections::HashSet;

use async_graphql_parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::{ConstValue, Name, Value, Variables};

use crate::merge::merge;
use crate::syntax::{is_oversized, number_of};
use crate::{Fault, TypeSystem};

/// A variable that may be null, in a place that has a default and may not.
#[derive(Debug)]
pub(crate) struct NeverNull {
    pub(crate) operation: Option<Name>,
    pub(crate) variable: Name,
    /// The type of the place.
    pub(crate) expected: String,
    pub(crate) pos: Pos,
}

/// The findings of a validation that the execution needs.
pub(crate) struct Found {
    pub(crate) never_null: Vec<NeverNull>,
    /// Integers of more than 64 bits that stand for an ID.
    pub(crate) oversized_ids: HashSet<Name>,
}

/// When the fields that are selected several times under one response key are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merging {
    /// There are none, or they are merged.
    Done,
    /// For each execution: variables decide which of them are selected.
    Each,
}

/// A document that was found valid.
#[derive(Debug)]
pub struct ValidDocument {
    document: ExecutableDocument,
    never_null: Vec<NeverNull>,
    merging: Merging,
    selections: usize,
}

impl ValidDocument {
    pub(crate) fn new(types: &TypeSystem, document: ExecutableDocument, found: Found) -> Self {
        let Found { never_null, oversized_ids } = found;
        let mut merged = merge(types, &document, None, None);
        let (merging, selections) = (merged.when(), merged.selections);
        let mut document = if merged.is_needed && merging == Merging::Done { merged.take() } else { document };
        each_selection_set(&mut document, &mut |set| replace_oversized_integers(set, &oversized_ids));
        Self { document, never_null, merging, selections }
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &ExecutableDocument {
        &self.document
    }

    /// The number of selections that an execution has, at most: those of fragments once for each spread if fields are
    /// merged, and else once.
    #[must_use]
    pub fn selections(&self) -> usize {
        self.selections
    }

    /// The first of an operation's variables that is null where null has no meaning: in a place of a type that is not
    /// nullable, but has a default. Validation allows such a variable (section 5.8.5, IsVariableUsageAllowed()).
    #[must_use]
    pub fn misplaced_null(&self, operation: Option<&str>, variables: &Variables) -> Option<Fault> {
        let is_null = |found: &&NeverNull| {
            found.operation.as_deref() == operation && variables.get(&found.variable) == Some(&ConstValue::Null)
        };
        self.never_null.iter().find(is_null).map(|NeverNull { variable, expected, pos, .. }| {
            let message =
                format!("Variable \"${variable}\" must not be null where the type \"{expected}\" is expected.");
            Fault::new(message, *pos)
        })
    }

    /// The document for an execution of one operation, with the values of its variables. No response key is selected
    /// twice for one object: the executor would run such a field as often. Arguments and input fields whose variable
    /// has no value are left out, so that their own defaults apply (sections 3.10 and 6.4.1); the executor takes them
    /// as null.
    #[must_use]
    pub fn for_execution(
        &self,
        types: &TypeSystem,
        name: Option<&str>,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> ExecutableDocument {
        let mut document = match self.merging {
            Merging::Done => self.document.clone(),
            Merging::Each => merge(types, &self.document, Some(variables), name).take(),
        };
        let names = operation.variable_definitions.iter().map(|definition| &definition.node.name.node);
        let absent: HashSet<Name> = names.filter(|name| !variables.contains_key(*name)).cloned().collect();
        if !absent.is_empty() {
            each_selection_set(&mut document, &mut |set| leave_out(set, &absent));
        }
        document
    }
}

impl crate::merge::Merged {
    fn when(&self) -> Merging {
        if self.is_needed && self.has_open_conditions { Merging::Each } else { Merging::Done }
    }
}

/// Calls `change` with the selection sets of all operations and fragments.
fn each_selection_set(document: &mut ExecutableDocument, change: &mut dyn FnMut(&mut SelectionSet)) {
    let ExecutableDocument { operations, fragments } = document;
    let mut waiting: Vec<&mut SelectionSet> = match operations {
        DocumentOperations::Single(operation) => vec![&mut operation.node.selection_set.node],
        DocumentOperations::Multiple(operations) => {
            operations.values_mut().map(|operation| &mut operation.node.selection_set.node).collect()
        }
    };
    waiting.extend(fragments.values_mut().map(|fragment| &mut fragment.node.selection_set.node));
    while let Some(set) = waiting.pop() {
        change(set);
        for selection in &mut set.items {
            match &mut selection.node {
                Selection::Field(field) => waiting.push(&mut field.node.selection_set.node),
                Selection::InlineFragment(inline) => waiting.push(&mut inline.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

fn fields(set: &mut SelectionSet) -> impl Iterator<Item = &mut Field> {
    set.items.iter_mut().filter_map(|selection| match &mut selection.node {
        Selection::Field(field) => Some(&mut field.node),
        Selection::InlineFragment(_) | Selection::FragmentSpread(_) => None,
    })
}

/// Integers of more than 64 bits become text where they stand for an ID, and else a number with a fraction: they are valid
/// in no other place. An integer that stands for both in one document is text.
fn replace_oversized_integers(set: &mut SelectionSet, ids: &HashSet<Name>) {
    fn replace(value: &mut Value, ids: &HashSet<Name>) {
        match value {
            Value::Enum(text) if is_oversized(text) => {
                if ids.contains(text) {
                    *value = Value::String(text.to_string());
                } else if let Some(number) = number_of(text) {
                    *value = Value::Number(number);
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| replace(item, ids)),
            Value::Object(fields) => fields.values_mut().for_each(|value| replace(value, ids)),
            _ => {}
        }
    }
    for (_, value) in fields(set).flat_map(|field| &mut field.arguments) {
        replace(&mut value.node, ids);
    }
}

/// Leaves out what stands for a variable without a value.
fn leave_out(set: &mut SelectionSet, absent: &HashSet<Name>) {
    fn within(value: &mut Value, is_absent: &dyn Fn(&Value) -> bool) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| within(item, is_absent)),
            Value::Object(fields) => {
                fields.retain(|_, value| !is_absent(value));
                fields.values_mut().for_each(|value| within(value, is_absent));
            }
            _ => {}
        }
    }
    let is_absent = |value: &Value| matches!(value, Value::Variable(name) if absent.contains(name));
    for field in fields(set) {
        field.arguments.retain(|(_, Positioned { node: value, .. })| !is_absent(value));
        for (_, value) in &mut field.arguments {
            within(&mut value.node, &is_absent);
        }
    }
}
