//! Arguments of fields and directives (GraphQL, section 5.4).

use async_graphql_parser::{Pos, Positioned};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::{Name, Value};

use crate::type_system::InputRule;
use crate::validation::literal::Place;
use crate::validation::walk::Walk;

type Argument = (Positioned<Name>, Positioned<Value>);

impl<'s, 'd> Walk<'s, 'd, '_> {
    /// Checks the arguments of `owner`, which `requirer` begins a sentence with.
    pub(super) fn arguments(
        &mut self,
        arguments: &'d [Argument],
        rules: &'s IndexMap<Name, InputRule>,
        pos: Pos,
        owner: impl Fn() -> String,
        requirer: impl Fn() -> String,
    ) {
        let mut given: Vec<&Positioned<Name>> = Vec::with_capacity(arguments.len().min(rules.len()));
        for (name, value) in arguments {
            if self.faults.is_full() {
                return;
            }
            let Some(rule) = rules.get(&name.node) else {
                let close = self.did_you_mean(&name.node, rules.keys().map(Name::as_str));
                self.faults.add(name.pos, || format!("Unknown argument \"{}\" on {}.{close}", name.node, owner()));
                self.untyped(&value.node, value.pos);
                continue;
            };
            // No more than the rules, which are few.
            if let Some(first) = given.iter().find(|first| first.node == name.node) {
                self.faults.add_pair(first.pos, name.pos, || {
                    format!("There can be only one argument named \"{}\".", name.node)
                });
            } else {
                given.push(name);
            }
            self.literal(&value.node, Place::of_input(rule, value.pos));
        }
        for (name, rule) in rules {
            if rule.is_required() && !given.iter().any(|given| given.node == *name) {
                self.faults.add(pos, || {
                    let requirer = requirer();
                    let ty = &rule.ty;
                    format!("{requirer} argument \"{name}\" of type \"{ty}\" is required, but it was not provided.")
                });
            }
        }
    }

    /// Notes the variables of arguments that nothing is known about.
    pub(super) fn untyped_arguments(&mut self, arguments: &'d [Argument]) {
        for (_, value) in arguments {
            self.untyped(&value.node, value.pos);
        }
    }
}
