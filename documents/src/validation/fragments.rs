//! Fragments: used, and never within themselves (GraphQL, sections 5.5.1.4 and 5.5.2.2).

use std::collections::{HashMap, HashSet};

use async_graphql_parser::Positioned;
use async_graphql_parser::types::FragmentDefinition;
use async_graphql_value::Name;

use crate::Faults;
use crate::validation::usage::FragmentNotes;

/// The fragments that an operation spreads, directly or through others.
pub(super) type Reached<'d> = HashSet<&'d Name>;

/// A fragment and its name.
pub(super) type Fragment<'d> = (&'d Name, &'d Positioned<FragmentDefinition>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    OnPath,
    Done,
}

/// Follows the spreads depth first, with a path instead of a recursion: it may be long.
pub(super) fn refuse_cycles<'d>(fragments: &[Fragment<'d>], notes: &FragmentNotes<'_, 'd>, faults: &mut Faults) {
    let mut states: HashMap<&Name, State> = HashMap::new();
    for (start, _) in fragments {
        if states.contains_key(start) {
            continue;
        }
        states.insert(*start, State::OnPath);
        let mut path: Vec<(&Name, usize)> = vec![(*start, 0)];
        while let Some((name, next)) = path.last_mut() {
            let spread = notes.get(*name).and_then(|notes| notes.spreads.get(*next));
            let Some(spread) = spread else {
                states.insert(*name, State::Done);
                path.pop();
                continue;
            };
            *next += 1;
            let target = &spread.node;
            match states.get(target) {
                Some(State::Done) => {}
                Some(State::OnPath) => {
                    let cycle = path.iter().map(|(name, _)| *name).skip_while(|name| *name != target);
                    let via: Vec<String> = cycle.skip(1).take(10).map(|name| format!("\"{name}\"")).collect();
                    let via = if via.is_empty() { String::new() } else { format!(" via {}", via.join(", ")) };
                    faults.add(spread.pos, || format!("Cannot spread fragment \"{target}\" within itself{via}."));
                }
                None => {
                    states.insert(target, State::OnPath);
                    path.push((target, 0));
                }
            }
        }
    }
}

pub(super) fn refuse_unused(fragments: &[Fragment<'_>], reached: &Reached<'_>, faults: &mut Faults) {
    for (name, fragment) in fragments {
        if !reached.contains(*name) {
            faults.add(fragment.pos, || format!("Fragment \"{name}\" is never used."));
        }
    }
}
