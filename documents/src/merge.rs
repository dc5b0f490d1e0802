//! Fields that are selected several times under one response key, merged (GraphQL, section 6.3.2).
//!
//! The specification merges them as it executes, the executor runs each of them: twice the work, two errors, and a value
//! where one of the two must be null. So the document is rewritten instead.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, InlineFragment, OperationDefinition, OperationType,
    Selection, SelectionSet, TypeCondition,
};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::{ConstValue, Name, Value, Variables};

use crate::TypeSystem;
use crate::type_system::{Composite, NamedType};

/// A document without fragments.
pub(crate) struct Merged {
    document: ExecutableDocument,
    /// True if the executor needs it: a response key was selected twice, or the root field of a subscription is in a
    /// fragment.
    pub(crate) is_needed: bool,
    /// True if there are conditions whose variable had no value; what they control is selected.
    pub(crate) has_open_conditions: bool,
    pub(crate) selections: usize,
}

impl Merged {
    pub(crate) fn take(&mut self) -> ExecutableDocument {
        let empty =
            ExecutableDocument { operations: DocumentOperations::Multiple(HashMap::new()), fragments: HashMap::new() };
        std::mem::replace(&mut self.document, empty)
    }
}

/// Merges the fields of a valid document's operations, or of one of them. The conditions `@skip` and `@include` are
/// decided with these values.
///
/// The result has at most as many selections as the document with its fragments written out, and those of an interface
/// or union once for each object type. Recursion is as deep as the fields are nested.
pub(crate) fn merge(
    types: &TypeSystem,
    document: &ExecutableDocument,
    variables: Option<&Variables>,
    only: Option<&str>,
) -> Merged {
    let merge = Merge {
        types,
        document,
        variables,
        is_needed: Cell::new(false),
        has_open_conditions: Cell::new(false),
        selections: Cell::new(0),
    };
    let operations = match &document.operations {
        DocumentOperations::Single(operation) => DocumentOperations::Single(merge.operation(operation)),
        DocumentOperations::Multiple(operations) => {
            let chosen = operations.iter().filter(|(name, _)| only.is_none_or(|only| only == name.as_str()));
            let merged = chosen.map(|(name, operation)| (name.clone(), merge.operation(operation)));
            DocumentOperations::Multiple(merged.collect())
        }
    };
    Merged {
        document: ExecutableDocument { operations, fragments: HashMap::new() },
        is_needed: merge.is_needed.get(),
        has_open_conditions: merge.has_open_conditions.get(),
        selections: merge.selections.get(),
    }
}

/// The fields of one object, by response key.
type Fields<'d> = IndexMap<&'d Name, Vec<&'d Positioned<Field>>>;

struct Merge<'d> {
    types: &'d TypeSystem,
    document: &'d ExecutableDocument,
    variables: Option<&'d Variables>,
    is_needed: Cell<bool>,
    has_open_conditions: Cell<bool>,
    selections: Cell<usize>,
}

impl<'d> Merge<'d> {
    fn operation(&self, operation: &'d Positioned<OperationDefinition>) -> Positioned<OperationDefinition> {
        let OperationDefinition { ty, variable_definitions, directives, selection_set } = &operation.node;
        let is_plain = matches!(&selection_set.node.items[..], [only] if matches!(only.node, Selection::Field(_)));
        if *ty == OperationType::Subscription && !is_plain {
            self.is_needed.set(true);
        }
        let items = self.types.root(*ty).map(|root| self.items(root, &[selection_set])).unwrap_or_default();
        let merged = OperationDefinition {
            ty: *ty,
            variable_definitions: variable_definitions.clone(),
            directives: directives.clone(),
            selection_set: Positioned::new(SelectionSet { items }, selection_set.pos),
        };
        Positioned::new(merged, operation.pos)
    }

    /// The merged selections of a type's selection sets.
    fn items(&self, parent: &'d NamedType, sets: &[&'d Positioned<SelectionSet>]) -> Vec<Positioned<Selection>> {
        let Some(composite) = parent.composite() else { return Vec::new() };
        if composite.is_object {
            return self.fields(parent, self.collect(&parent.name, sets));
        }
        let each = self.possible(composite).map(|object| (object, self.collect(&object.name, sets)));
        let each: Vec<_> = each.collect();
        let is_repeated = each.iter().any(|(_, fields)| fields.values().any(|fields| fields.len() > 1));
        if !is_repeated {
            return sets.iter().flat_map(|set| self.as_selected(parent, set)).collect();
        }
        let Some(pos) = sets.first().map(|set| set.pos) else { return Vec::new() };
        let fragments = each.into_iter().map(|(object, fields)| {
            let fragment = InlineFragment {
                type_condition: Some(Positioned::new(
                    TypeCondition { on: Positioned::new(object.name.clone(), pos) },
                    pos,
                )),
                directives: Vec::new(),
                selection_set: Positioned::new(SelectionSet { items: self.fields(object, fields) }, pos),
            };
            Positioned::new(Selection::InlineFragment(Positioned::new(fragment, pos)), pos)
        });
        fragments.collect()
    }

    /// The object types of an interface or a union, in the order of their names.
    fn possible(&self, composite: &'d Composite) -> impl Iterator<Item = &'d NamedType> {
        let mut names: Vec<&Name> = composite.possible.iter().collect();
        names.sort();
        names.into_iter().filter_map(|name| self.types.types.get(name))
    }

    /// Selections on an interface or a union of which none is repeated, in their own order.
    fn as_selected(&self, parent: &'d NamedType, set: &'d Positioned<SelectionSet>) -> Vec<Positioned<Selection>> {
        let mut items = Vec::with_capacity(set.node.items.len());
        for selection in &set.node.items {
            if !self.is_selected(selection.node.directives()) {
                continue;
            }
            let (within, condition) = match &selection.node {
                Selection::Field(field) => {
                    items.extend(self.field(parent, &[field]));
                    continue;
                }
                Selection::InlineFragment(inline) => {
                    (&inline.node.selection_set, inline.node.type_condition.as_ref().map(|condition| &condition.node))
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments.get(&spread.node.fragment_name.node);
                    let Some(fragment) = fragment else { continue };
                    (&fragment.node.selection_set, Some(&fragment.node.type_condition.node))
                }
            };
            let on = condition.map_or(&parent.name, |condition| &condition.on.node);
            let Some(on) = self.types.types.get(on) else { continue };
            let condition = TypeCondition { on: Positioned::new(on.name.clone(), selection.pos) };
            let fragment = InlineFragment {
                type_condition: Some(Positioned::new(condition, selection.pos)),
                directives: Vec::new(),
                selection_set: Positioned::new(SelectionSet { items: self.items(on, &[within]) }, within.pos),
            };
            let fragment = Selection::InlineFragment(Positioned::new(fragment, selection.pos));
            items.push(Positioned::new(fragment, selection.pos));
        }
        items
    }

    fn fields(&self, parent: &'d NamedType, fields: Fields<'d>) -> Vec<Positioned<Selection>> {
        fields.into_values().filter_map(|fields| self.field(parent, &fields)).collect()
    }

    /// The first of the fields, with the selections of all. Validation guarantees that their names and arguments are
    /// the same.
    fn field(&self, parent: &'d NamedType, fields: &[&'d Positioned<Field>]) -> Option<Positioned<Selection>> {
        let (first, others) = fields.split_first()?;
        if !others.is_empty() {
            self.is_needed.set(true);
        }
        self.selections.set(self.selections.get().saturating_add(1));
        let sets: Vec<_> = fields.iter().map(|field| &field.node.selection_set).collect();
        let ty = self.types.field(parent, &first.node.name.node).and_then(|rule| self.types.named(&rule.ty));
        let items = ty.map(|ty| self.items(ty, &sets)).unwrap_or_default();
        let is_decided = |directive: &&Positioned<Directive>| ["skip", "include"].contains(&&*directive.node.name.node);
        let field = Field {
            alias: first.node.alias.clone(),
            name: first.node.name.clone(),
            arguments: first.node.arguments.clone(),
            directives: first.node.directives.iter().filter(|found| !is_decided(found)).cloned().collect(),
            selection_set: Positioned::new(SelectionSet { items }, first.node.selection_set.pos),
        };
        Some(Positioned::new(Selection::Field(Positioned::new(field, first.pos)), first.pos))
    }

    /// CollectFields() for an object of this type.
    fn collect(&self, object: &Name, sets: &[&'d Positioned<SelectionSet>]) -> Fields<'d> {
        let (mut fields, mut seen) = (Fields::new(), HashSet::new());
        let mut waiting: Vec<&'d Positioned<Selection>> =
            sets.iter().rev().flat_map(|set| set.node.items.iter().rev()).collect();
        while let Some(selection) = waiting.pop() {
            if !self.is_selected(selection.node.directives()) {
                continue;
            }
            let (within, condition) = match &selection.node {
                Selection::Field(field) => {
                    fields.entry(&field.node.response_key().node).or_default().push(field);
                    continue;
                }
                Selection::InlineFragment(inline) => {
                    (&inline.node.selection_set, inline.node.type_condition.as_ref().map(|condition| &condition.node))
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = self.document.fragments.get(name).filter(|_| seen.insert(name));
                    let Some(fragment) = fragment else { continue };
                    (&fragment.node.selection_set, Some(&fragment.node.type_condition.node))
                }
            };
            if condition.is_none_or(|condition| self.has_type(object, &condition.on.node)) {
                waiting.extend(within.node.items.iter().rev());
            }
        }
        fields
    }

    /// Returns whether an object of this type is of the other type, too.
    fn has_type(&self, object: &Name, condition: &Name) -> bool {
        let condition = self.types.types.get(condition).and_then(NamedType::composite);
        condition.is_some_and(|condition| condition.possible.contains(object))
    }

    fn is_selected(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().all(|directive| {
            let wanted = match directive.node.name.node.as_str() {
                "skip" => false,
                "include" => true,
                _ => return true,
            };
            let given = match directive.node.get_argument("if").map(|value| &value.node) {
                Some(Value::Boolean(given)) => Some(*given),
                Some(Value::Variable(name)) => match self.variables.and_then(|values| values.get(name)) {
                    Some(ConstValue::Boolean(given)) => Some(*given),
                    _ => None,
                },
                _ => None,
            };
            if given.is_none() {
                self.has_open_conditions.set(true);
            }
            given.is_none_or(|given| given == wanted)
        })
    }
}
