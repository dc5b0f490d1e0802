//! Walks a definition with the types at hand: fields, fragments, directives.

use std::collections::HashSet;

use async_graphql_parser::types::{
    Directive, DirectiveLocation, ExecutableDocument, Field, FragmentDefinition, InlineFragment, OperationDefinition,
    OperationType, Selection, SelectionSet, TypeCondition, VariableDefinition,
};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::Name;

use crate::fault::{did_you_mean, sentence};
use crate::type_system::{FieldRule, Kind, NamedType, inner_name};
use crate::validation::usage::Notes;
use crate::{Faults, Suggestions, TypeSystem};

pub(super) struct Walk<'s, 'd, 'f> {
    pub(super) types: &'s TypeSystem,
    document: &'d ExecutableDocument,
    suggestions: Suggestions,
    pub(super) faults: &'f mut Faults,
    pub(super) notes: Notes<'s, 'd>,
    /// Integers of more than 64 bits that stand for an ID.
    pub(super) oversized_ids: HashSet<Name>,
}

impl<'s, 'd, 'f> Walk<'s, 'd, 'f> {
    pub(super) fn new(
        types: &'s TypeSystem,
        document: &'d ExecutableDocument,
        suggestions: Suggestions,
        faults: &'f mut Faults,
    ) -> Self {
        Self { types, document, suggestions, faults, notes: Notes::default(), oversized_ids: HashSet::new() }
    }

    /// Names like one that does not exist. Nothing, if no fault is added anyway.
    pub(super) fn did_you_mean<'n>(&self, wrong: &str, known: impl Iterator<Item = &'n str>) -> String {
        match self.suggestions {
            Suggestions::Given if !self.faults.is_full() => did_you_mean(wrong, known),
            _ => String::new(),
        }
    }

    pub(super) fn operation(&mut self, operation: &'d Positioned<OperationDefinition>) -> Notes<'s, 'd> {
        let OperationDefinition { ty, variable_definitions, directives, selection_set } = &operation.node;
        let (location, kind) = match ty {
            OperationType::Query => (DirectiveLocation::Query, "query"),
            OperationType::Mutation => (DirectiveLocation::Mutation, "mutation"),
            OperationType::Subscription => (DirectiveLocation::Subscription, "subscription"),
        };
        for definition in variable_definitions {
            self.variable_definition(definition);
        }
        self.directives(directives, location);
        let root = self.types.root(*ty);
        if root.is_none() {
            self.faults.add(operation.pos, || format!("The schema has no {kind} type."));
        }
        self.selection_set(selection_set, root);
        std::mem::take(&mut self.notes)
    }

    pub(super) fn fragment(&mut self, name: &Name, fragment: &'d Positioned<FragmentDefinition>) -> Notes<'s, 'd> {
        let FragmentDefinition { type_condition, directives, selection_set } = &fragment.node;
        let parent = self.type_condition(&type_condition.node, || format!("Fragment \"{name}\""));
        self.directives(directives, DirectiveLocation::FragmentDefinition);
        self.selection_set(selection_set, parent);
        std::mem::take(&mut self.notes)
    }

    fn variable_definition(&mut self, definition: &'d Positioned<VariableDefinition>) {
        let VariableDefinition { name, var_type, directives, default_value } = &definition.node;
        let type_name = inner_name(&var_type.node);
        match self.types.types.get(type_name) {
            None => self.unknown_type(type_name, var_type.pos),
            Some(found) if !found.is_input() => self.faults.add(var_type.pos, || {
                format!("Variable \"${}\" cannot be non-input type \"{}\".", name.node, var_type.node)
            }),
            Some(_) => {
                if let Some(default) = default_value {
                    self.constant(&default.node, &var_type.node, default.pos);
                }
            }
        }
        self.directives(directives, DirectiveLocation::VariableDefinition);
    }

    fn selection_set(&mut self, set: &'d Positioned<SelectionSet>, parent: Option<&'s NamedType>) {
        for selection in &set.node.items {
            if self.faults.is_full() {
                return;
            }
            match &selection.node {
                Selection::Field(field) => self.field(field, parent),
                Selection::InlineFragment(inline) => self.inline_fragment(inline, parent),
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives, DirectiveLocation::FragmentSpread);
                    let name = &spread.node.fragment_name;
                    let Some(fragment) = self.document.fragments.get(&name.node) else {
                        self.faults.add(name.pos, || format!("Unknown fragment \"{}\".", name.node));
                        continue;
                    };
                    self.notes.spreads.push(name);
                    let condition = self.types.types.get(&fragment.node.type_condition.node.on.node);
                    let label = || format!("Fragment \"{}\"", name.node);
                    self.check_spread(parent, condition, selection.pos, label);
                }
            }
        }
    }

    fn inline_fragment(&mut self, inline: &'d Positioned<InlineFragment>, parent: Option<&'s NamedType>) {
        let InlineFragment { type_condition, directives, selection_set } = &inline.node;
        let within = match type_condition {
            None => parent,
            Some(condition) => {
                let within = self.type_condition(&condition.node, || "Fragment".to_owned());
                self.check_spread(parent, within, inline.pos, || "Fragment".to_owned());
                within
            }
        };
        self.directives(directives, DirectiveLocation::InlineFragment);
        self.selection_set(selection_set, within);
    }

    /// The type that a fragment is for, if it is one that has fields.
    fn type_condition(&mut self, condition: &TypeCondition, label: impl Fn() -> String) -> Option<&'s NamedType> {
        let name = &condition.on;
        let Some(found) = self.types.types.get(&name.node) else {
            self.unknown_type(&name.node, name.pos);
            return None;
        };
        if found.composite().is_none() {
            self.faults
                .add(name.pos, || format!("{} cannot condition on non composite type \"{}\".", label(), name.node));
            return None;
        }
        Some(found)
    }

    /// Refuses a fragment for objects that the place can never have.
    fn check_spread(
        &mut self,
        parent: Option<&'s NamedType>,
        condition: Option<&'s NamedType>,
        pos: Pos,
        label: impl Fn() -> String,
    ) {
        let (Some(parent), Some(condition)) = (parent, condition) else { return };
        let (Some(here), Some(there)) = (parent.composite(), condition.composite()) else { return };
        if parent.name != condition.name && here.possible.is_disjoint(&there.possible) {
            self.faults.add(pos, || {
                let (label, parent, condition) = (label(), &parent.name, &condition.name);
                format!(
                    "{label} cannot be spread here as objects of type \"{parent}\" can never be of type \
                     \"{condition}\"."
                )
            });
        }
    }

    fn field(&mut self, field: &'d Positioned<Field>, parent: Option<&'s NamedType>) {
        let Field { name, arguments, directives, selection_set, .. } = &field.node;
        self.directives(directives, DirectiveLocation::Field);
        let rule = parent.and_then(|parent| self.types.field(parent, &name.node));
        match (parent, rule) {
            (Some(parent), Some(rule)) => {
                let owner = || format!("field \"{}.{}\"", parent.name, name.node);
                let requirer = || format!("Field \"{}\"", name.node);
                self.arguments(arguments, &rule.arguments, field.pos, owner, requirer);
                self.check_leaf(field, rule);
            }
            (Some(parent), None) => {
                self.unknown_field(parent, name);
                self.untyped_arguments(arguments);
            }
            (None, _) => self.untyped_arguments(arguments),
        }
        let within = rule.and_then(|rule| self.types.named(&rule.ty)).filter(|ty| ty.composite().is_some());
        self.selection_set(selection_set, within);
    }

    /// Leaf fields have no selections, and all others need some.
    fn check_leaf(&mut self, field: &Positioned<Field>, rule: &FieldRule) {
        let Field { name, selection_set, .. } = &field.node;
        let is_composite = self.types.named(&rule.ty).is_none_or(|ty| ty.composite().is_some());
        let (name, ty) = (&name.node, &rule.ty);
        match (is_composite, selection_set.node.items.is_empty()) {
            (false, false) => self.faults.add(selection_set.pos, || {
                format!("Field \"{name}\" must not have a selection since type \"{ty}\" has no subfields.")
            }),
            (true, true) => self.faults.add(field.pos, || {
                format!(
                    "Field \"{name}\" of type \"{ty}\" must have a selection of subfields. Did you mean \"{name} \
                     {{ ... }}\"?"
                )
            }),
            _ => {}
        }
    }

    fn unknown_field(&mut self, parent: &'s NamedType, name: &Positioned<Name>) {
        let suggestion = match self.suggestions {
            Suggestions::Given if !self.faults.is_full() => suggestion(self.types, parent, &name.node),
            _ => String::new(),
        };
        self.faults
            .add(name.pos, || format!("Cannot query field \"{}\" on type \"{}\".{suggestion}", name.node, parent.name));
    }

    fn unknown_type(&mut self, name: &Name, pos: Pos) {
        let close = self.did_you_mean(name, self.types.types.keys().map(Name::as_str));
        self.faults.add(pos, || format!("Unknown type \"{name}\".{close}"));
    }

    fn directives(&mut self, directives: &'d [Positioned<Directive>], location: DirectiveLocation) {
        let mut seen: Vec<&Positioned<Name>> = Vec::new();
        for directive in directives {
            if self.faults.is_full() {
                return;
            }
            let Directive { name, arguments } = &directive.node;
            let Some(rule) = self.types.directives.get(&name.node) else {
                self.faults.add(directive.pos, || format!("Unknown directive \"@{}\".", name.node));
                self.untyped_arguments(arguments);
                continue;
            };
            if !rule.locations.contains(&location) {
                self.faults.add(directive.pos, || {
                    format!("Directive \"@{}\" may not be used on {}.", name.node, location_name(location))
                });
            }
            let first = seen.iter().find(|other| other.node == name.node).filter(|_| !rule.is_repeatable);
            if let Some(first) = first {
                self.faults.add_pair(first.pos, name.pos, || {
                    format!("The directive \"@{}\" can only be used once at this location.", name.node)
                });
            } else {
                seen.push(name);
            }
            let owner = || format!("directive \"@{}\"", name.node);
            let requirer = || format!("Directive \"@{}\"", name.node);
            self.arguments(arguments, &rule.arguments, directive.pos, owner, requirer);
        }
    }
}

/// Types that have the field, or fields with a similar name.
fn suggestion(types: &TypeSystem, parent: &NamedType, name: &str) -> String {
    let Kind::Composite(composite) = &parent.kind else { return String::new() };
    if !composite.is_object {
        let has_field = |ty: &&Name| types.types.get(*ty).is_some_and(|ty| types.field(ty, name).is_some());
        let mut having: Vec<&str> = composite.possible.iter().filter(has_field).map(Name::as_str).collect();
        if !having.is_empty() {
            having.sort_unstable();
            having.truncate(5);
            return sentence("Did you mean to use an inline fragment on ", &having);
        }
    }
    did_you_mean(name, composite.fields.keys().map(Name::as_str))
}

fn location_name(location: DirectiveLocation) -> &'static str {
    match location {
        DirectiveLocation::Query => "QUERY",
        DirectiveLocation::Mutation => "MUTATION",
        DirectiveLocation::Subscription => "SUBSCRIPTION",
        DirectiveLocation::FragmentDefinition => "FRAGMENT_DEFINITION",
        DirectiveLocation::FragmentSpread => "FRAGMENT_SPREAD",
        DirectiveLocation::InlineFragment => "INLINE_FRAGMENT",
        DirectiveLocation::VariableDefinition => "VARIABLE_DEFINITION",
        // The others are in schemas only.
        _ => "FIELD",
    }
}
