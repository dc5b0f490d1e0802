//! Fields with one response name must merge (GraphQL, section 5.3.2).
//!
//! The specification compares each pair of fields. This compares each field with the first of its name
//! instead, in two passes: one for names and arguments of those that one object may have, one for the
//! shapes of all fields (the algorithm of Simon Adameit, as Sangria and apollo-compiler have it).

use std::collections::{HashMap, HashSet};

use async_graphql_parser::types::{BaseType, ExecutableDocument, Field, Selection, SelectionSet, Type};
use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::{Name, Value};

use crate::type_system::{Kind, NamedType, inner_name};
use crate::{Faults, TypeSystem};

/// Fields that the comparison may look at, each as often as it is part of a merge.
const MAX_WORK: usize = 300_000;

/// A field, and the type that it is selected on.
#[derive(Clone, Copy)]
struct Selected<'s, 'd> {
    field: &'d Positioned<Field>,
    parent: &'s NamedType,
    ty: &'s Type,
}

type Group<'s, 'd> = Vec<Selected<'s, 'd>>;

/// Compares the fields of a valid document's operations.
pub(super) fn check(types: &TypeSystem, document: &ExecutableDocument, faults: &mut Faults) {
    let mut merging = Merging { types, document, faults, seen: [HashSet::new(), HashSet::new()], work: 0 };
    for (_, operation) in document.operations.iter() {
        let Some(root) = types.root(operation.node.ty) else { continue };
        let sets = [(&operation.node.selection_set, root)];
        for pass in [Pass::Names, Pass::Shapes] {
            if merging.faults.is_empty() {
                merging.sets(&sets, pass);
            }
        }
        if merging.work > MAX_WORK {
            let message = "Too many fields merge. Ask for fewer fields, or for less of them within each other.";
            faults.add(operation.pos, || message.to_owned());
            return;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// The types of all fields with one response name.
    Shapes,
    /// The names and arguments of the fields that one object may have.
    Names,
}

struct Merging<'s, 'd, 'f> {
    types: &'s TypeSystem,
    document: &'d ExecutableDocument,
    faults: &'f mut Faults,
    /// The groups of fields that either pass has compared.
    seen: [HashSet<Vec<*const Field>>; 2],
    work: usize,
}

impl<'s, 'd> Merging<'s, 'd, '_> {
    fn sets(&mut self, sets: &[(&'d Positioned<SelectionSet>, &'s NamedType)], pass: Pass) {
        let mut groups: IndexMap<&Name, Group<'s, 'd>> = IndexMap::new();
        let mut fragments = HashSet::new();
        for (set, parent) in sets {
            self.collect(set, parent, &mut groups, &mut fragments);
        }
        for group in groups.values() {
            if self.faults.is_full() || self.work > MAX_WORK {
                return;
            }
            match pass {
                Pass::Shapes => self.shapes(group),
                Pass::Names => self.names(group),
            }
        }
    }

    fn collect(
        &mut self,
        set: &'d Positioned<SelectionSet>,
        parent: &'s NamedType,
        groups: &mut IndexMap<&'d Name, Group<'s, 'd>>,
        fragments: &mut HashSet<&'d Name>,
    ) {
        for selection in &set.node.items {
            self.work += 1;
            match &selection.node {
                Selection::Field(field) => {
                    if let Some(rule) = self.types.field(parent, &field.node.name.node) {
                        let selected = Selected { field, parent, ty: &rule.ty };
                        groups.entry(&field.node.response_key().node).or_default().push(selected);
                    }
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    let within = condition.and_then(|condition| self.types.types.get(&condition.node.on.node));
                    self.collect(&inline.node.selection_set, within.unwrap_or(parent), groups, fragments);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment = self.document.fragments.get(name).filter(|_| fragments.insert(name));
                    let Some(fragment) = fragment.map(|fragment| &fragment.node) else { continue };
                    if let Some(within) = self.types.types.get(&fragment.type_condition.node.on.node) {
                        self.collect(&fragment.selection_set, within, groups, fragments);
                    }
                }
            }
        }
    }

    fn shapes(&mut self, group: &Group<'s, 'd>) {
        let Some((first, others)) = group.split_first() else { return };
        for other in others {
            if !self.has_same_shape(first.ty, other.ty) {
                let (one, two) = (first.ty, other.ty);
                self.refuse(first, other.field.pos, || {
                    format!("they return conflicting types \"{one}\" and \"{two}\"")
                });
                return;
            }
        }
        self.within(group, Pass::Shapes);
    }

    fn names(&mut self, group: &Group<'s, 'd>) {
        let (objects, abstracts): (Group<'s, 'd>, Group<'s, 'd>) = group
            .iter()
            .copied()
            .partition(|selected| matches!(&selected.parent.kind, Kind::Composite(composite) if composite.is_object));
        let mut by_object: HashMap<&Name, Group<'s, 'd>> = HashMap::new();
        for selected in objects {
            by_object.entry(&selected.parent.name).or_default().push(selected);
        }
        if by_object.is_empty() {
            self.same(&abstracts);
            return;
        }
        for mut selected in by_object.into_values() {
            selected.extend(&abstracts);
            self.same(&selected);
        }
    }

    /// Refuses fields that one object may have unless they are the same.
    fn same(&mut self, group: &Group<'s, 'd>) {
        let Some((first, others)) = group.split_first() else { return };
        for other in others {
            let (one, two) = (&first.field.node, &other.field.node);
            if one.name.node != two.name.node {
                self.refuse(first, other.field.pos, || {
                    format!("\"{}\" and \"{}\" are different fields", one.name.node, two.name.node)
                });
                return;
            }
            if !has_same_arguments(one, two) {
                self.refuse(first, other.field.pos, || "they have differing arguments".to_owned());
                return;
            }
        }
        self.within(group, Pass::Names);
    }

    /// Merges what the fields select, unless the same fields were merged before.
    fn within(&mut self, group: &Group<'s, 'd>, pass: Pass) {
        let parents = group.iter().filter(|selected| !selected.field.node.selection_set.node.items.is_empty());
        let sets: Vec<_> = parents
            .filter_map(|selected| {
                Some((&selected.field.node.selection_set, self.types.types.get(inner_name(selected.ty))?))
            })
            .collect();
        if sets.is_empty() {
            return;
        }
        let mut key: Vec<*const Field> =
            group.iter().map(|selected| std::ptr::from_ref(&selected.field.node)).collect();
        key.sort_unstable();
        let [shapes, names] = &mut self.seen;
        let seen = if pass == Pass::Shapes { shapes } else { names };
        if seen.insert(key) {
            self.sets(&sets, pass);
        }
    }

    fn refuse(&mut self, first: &Selected<'_, '_>, other: Pos, reason: impl Fn() -> String) {
        let key = &first.field.node.response_key().node;
        self.faults.add_pair(first.field.pos, other, || {
            format!(
                "Fields \"{key}\" conflict because {}. Use different aliases on the fields to fetch both if this was \
                 intentional.",
                reason()
            )
        });
    }

    /// SameResponseShape(), without what is selected.
    fn has_same_shape(&self, one: &Type, two: &Type) -> bool {
        if one.nullable != two.nullable {
            return false;
        }
        match (&one.base, &two.base) {
            (BaseType::List(one), BaseType::List(two)) => self.has_same_shape(one, two),
            (BaseType::Named(one), BaseType::Named(two)) => {
                let is_composite = |name| self.types.types.get(name).is_some_and(|ty| ty.composite().is_some());
                one == two || (is_composite(one) && is_composite(two))
            }
            _ => false,
        }
    }
}

fn has_same_arguments(one: &Field, two: &Field) -> bool {
    let value = |name: &Name| -> Option<&Value> { Some(&two.get_argument(name)?.node) };
    one.arguments.len() == two.arguments.len()
        && one.arguments.iter().all(|(name, given)| value(&name.node) == Some(&given.node))
}
