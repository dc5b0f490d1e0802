//! Variables: defined once, used, and only where their type fits (GraphQL, section 5.8).

use std::collections::{HashMap, HashSet};

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{BaseType, OperationDefinition, Type, VariableDefinition};
use async_graphql_value::{ConstValue, Name};

use crate::valid::NeverNull;
use crate::validation::fragments::Reached;
use crate::validation::literal::Place;
use crate::{Faults, TypeSystem};

/// Variables and fragments that an operation or a fragment refers to.
#[derive(Default)]
pub(super) struct Notes<'s, 'd> {
    pub(super) usages: Vec<Usage<'s, 'd>>,
    pub(super) spreads: Vec<&'d Positioned<Name>>,
}

/// A variable in a value.
pub(super) struct Usage<'s, 'd> {
    pub(super) name: &'d Name,
    pub(super) place: Place<'s>,
}

impl Notes<'_, '_> {
    /// Keeps one usage of each variable for each kind of place, and one spread of each fragment: every
    /// operation that reaches a fragment looks at its notes.
    pub(super) fn deduplicated(mut self) -> Self {
        let mut seen = HashSet::new();
        self.usages.retain(|usage| {
            let Place { ty, has_default, one_of, .. } = usage.place;
            seen.insert((usage.name, ty.map(std::ptr::from_ref::<Type>), has_default, one_of.is_some()))
        });
        let mut seen = HashSet::new();
        self.spreads.retain(|spread| seen.insert(&spread.node));
        self
    }
}

pub(super) type FragmentNotes<'s, 'd> = HashMap<&'d Name, Notes<'s, 'd>>;

/// Checks the variables of an operation, those in the fragments that it reaches included. Returns those that may be null
/// in a place that may not.
pub(super) fn check_variables<'s, 'd>(
    types: &'s TypeSystem,
    operation: (Option<&'d Name>, &'d Positioned<OperationDefinition>),
    notes: &Notes<'s, 'd>,
    fragments: &FragmentNotes<'s, 'd>,
    reached: &mut Reached<'d>,
    faults: &mut Faults,
) -> Vec<NeverNull> {
    let (name, operation) = operation;
    let mut never_null = Vec::new();
    let within = |beginning: &str| name.map(|name| format!("{beginning} \"{name}\"")).unwrap_or_default();
    let definitions = definitions(&operation.node, faults);
    let mut used = HashSet::new();
    let mut seen = HashSet::new();
    let mut waiting = vec![notes];
    while let Some(notes) = waiting.pop() {
        for usage in &notes.usages {
            let Some(definition) = definitions.get(usage.name) else {
                faults.add_pair(usage.place.pos, operation.pos, || {
                    format!("Variable \"${}\" is not defined{}.", usage.name, within(" by operation"))
                });
                continue;
            };
            used.insert(usage.name);
            if let Some(expected) = check_position(types, definition, usage, faults) {
                let (operation, variable) = (name.cloned(), usage.name.clone());
                never_null.push(NeverNull { operation, variable, expected, pos: usage.place.pos });
            }
        }
        for spread in &notes.spreads {
            if seen.insert(&spread.node) {
                reached.insert(&spread.node);
                waiting.extend(fragments.get(&spread.node));
            }
        }
    }
    for definition in &operation.node.variable_definitions {
        let variable = &definition.node.name.node;
        if !used.contains(variable) {
            faults
                .add(definition.pos, || format!("Variable \"${variable}\" is never used{}.", within(" in operation")));
        }
    }
    never_null
}

fn definitions<'d>(
    operation: &'d OperationDefinition,
    faults: &mut Faults,
) -> HashMap<&'d Name, &'d Positioned<VariableDefinition>> {
    let mut definitions: HashMap<&Name, &Positioned<VariableDefinition>> = HashMap::new();
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        if let Some(first) = definitions.get(name) {
            faults.add_pair(first.pos, definition.pos, || format!("There can be only one variable named \"${name}\"."));
        } else {
            definitions.insert(name, definition);
        }
    }
    definitions
}

/// Returns the type of the place if it is not nullable while the variable is: it has a default then.
fn check_position(
    types: &TypeSystem,
    definition: &Positioned<VariableDefinition>,
    usage: &Usage<'_, '_>,
    faults: &mut Faults,
) -> Option<String> {
    let VariableDefinition { name, var_type, default_value, .. } = &definition.node;
    let (name, given, Place { ty, pos, has_default, one_of }) = (&name.node, &var_type.node, usage.place);
    // A type that does not exist is refused already.
    let expected = ty.filter(|_| types.named(given).is_some())?;
    let has_default = has_default || default_value.as_ref().is_some_and(|value| value.node != ConstValue::Null);
    let is_allowed = if !expected.nullable && given.nullable {
        has_default && is_base_allowed(&given.base, &expected.base)
    } else {
        is_allowed(given, expected)
    };
    if !is_allowed {
        faults.add_pair(definition.pos, pos, || {
            format!("Variable \"${name}\" of type \"{given}\" used in position expecting type \"{expected}\".")
        });
    }
    if let Some(input) = one_of.filter(|_| given.nullable) {
        faults.add_pair(definition.pos, pos, || {
            format!(
                "Variable \"${name}\" is of type \"{given}\" but must be non-nullable to be used for OneOf Input \
                 Object \"{input}\"."
            )
        });
    }
    (!expected.nullable && given.nullable).then(|| expected.to_string())
}

/// AreTypesCompatible().
fn is_allowed(given: &Type, expected: &Type) -> bool {
    (expected.nullable || !given.nullable) && is_base_allowed(&given.base, &expected.base)
}

fn is_base_allowed(given: &BaseType, expected: &BaseType) -> bool {
    match (given, expected) {
        (BaseType::Named(given), BaseType::Named(expected)) => given == expected,
        (BaseType::List(given), BaseType::List(expected)) => is_allowed(given, expected),
        _ => false,
    }
}
