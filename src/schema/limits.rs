//! How much a document may ask for, found out before async-graphql sees it.
//!
//! Fragments count as if they were written out, and each is walked once: its cost is remembered. A bomb of
//! fragments that spread the next one twice costs as many steps as it has fragments.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value};

use crate::config::Config;

/// Brackets within brackets, and selections within selections with fragments written out: the parser and the
/// executor recurse.
pub(super) const MAX_NESTING: u32 = 64;
/// Bytes of a name or number: they are compared, suggested and repeated in messages.
pub(super) const MAX_NAME_BYTES: usize = 256;
/// Objects that one request may name.
pub(super) const MAX_NODES: usize = 100;
/// Lists of the schema within lists of the schema: the standard query needs one, each more multiplies.
pub(super) const MAX_INTROSPECTION_LISTS: u32 = 3;
/// Complexity of an argument `search` beside its field: the database compares every row with it.
pub(super) const SEARCH_COMPLEXITY: u32 = 100;
/// Complexity of `totalCount`: the database counts the rows of the whole list.
pub(super) const COUNT_COMPLEXITY: u32 = 20;
/// The fields of the introspection types whose lists lead on to further types.
const INTROSPECTION_LISTS: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];

/// The limits of a request, as `server { limits }` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nested selections.
    pub depth: u32,
    /// Selected fields; a search and a count weigh as much as many of them.
    pub complexity: u32,
    /// Renamed fields.
    pub aliases: u32,
    /// Directives.
    pub directives: u32,
    /// Names, values and punctuators.
    pub tokens: u32,
    /// Bytes of the body.
    pub request_bytes: usize,
    /// Whether the schema may be asked for.
    pub introspection: bool,
    /// Bytes of a picture's file.
    pub photo_bytes: u64,
    /// Pixels of a picture.
    pub photo_pixels: u64,
    /// Files of an upload.
    pub photos_per_upload: usize,
}

impl From<&Config> for Limits {
    fn from(config: &Config) -> Self {
        Self {
            depth: config.graphql.max_depth,
            complexity: config.graphql.max_complexity,
            aliases: config.graphql.max_aliases,
            directives: config.graphql.max_directives,
            tokens: config.graphql.max_tokens,
            request_bytes: config.http.max_body_bytes,
            introspection: config.graphql.introspection,
            photo_bytes: config.photos.max_bytes,
            photo_pixels: config.photos.max_pixels,
            photos_per_upload: config.photos.max_per_upload,
        }
    }
}

/// Why a document is not executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// It exceeds a limit: what, how many are allowed.
    Over(&'static str, u32),
    /// A fragment leads back to itself.
    Cycle(Name),
    /// It asks for the schema, which is hidden.
    Introspection,
}

impl Limits {
    /// Checks every operation of the document, not only the one that is to run.
    pub(super) fn check(&self, document: &ExecutableDocument) -> Result<(), Excess> {
        let mut weighing = Weighing { document, fragments: HashMap::new(), level: 0 };
        for (_, operation) in document.operations.iter() {
            let mut cost = weighing.selection_set(&operation.node.selection_set)?;
            cost.directives = cost.directives.saturating_add(count(operation.node.directives.len()));
            if cost.introspects && !self.introspection {
                return Err(Excess::Introspection);
            }
            for (what, found, limit) in [
                ("depth", cost.depth, self.depth),
                ("complexity", cost.fields, self.complexity),
                ("aliases", cost.aliases, self.aliases),
                ("directives", cost.directives, self.directives),
                ("nesting", cost.levels, MAX_NESTING),
                ("nested introspection lists", cost.introspection_lists, MAX_INTROSPECTION_LISTS),
            ] {
                if found > limit {
                    return Err(Excess::Over(what, limit));
                }
            }
        }
        Ok(())
    }
}

/// What a selection asks for, fragments written out. Sums stop at the greatest number.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    depth: u32,
    fields: u32,
    aliases: u32,
    directives: u32,
    levels: u32,
    introspection_lists: u32,
    introspects: bool,
}

impl Cost {
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            levels: self.levels.max(other.levels),
            introspection_lists: self.introspection_lists.max(other.introspection_lists),
            introspects: self.introspects || other.introspects,
        }
    }
}

enum Fragment {
    BeingWeighed,
    Weighed(Cost),
}

struct Weighing<'d> {
    document: &'d ExecutableDocument,
    fragments: HashMap<&'d Name, Fragment>,
    /// How deep this walk is itself.
    level: u32,
}

impl<'d> Weighing<'d> {
    fn selection_set(&mut self, set: &'d Positioned<SelectionSet>) -> Result<Cost, Excess> {
        self.level += 1;
        if self.level > MAX_NESTING {
            return Err(Excess::Over("nesting", MAX_NESTING));
        }
        let mut cost = Cost::default();
        for selection in &set.node.items {
            cost = cost.beside(self.selection(&selection.node)?);
        }
        self.level -= 1;
        cost.levels = cost.levels.saturating_add(u32::from(!set.node.items.is_empty()));
        Ok(cost)
    }

    fn selection(&mut self, selection: &'d Selection) -> Result<Cost, Excess> {
        let (mut cost, directives) = match selection {
            Selection::Field(field) => {
                let mut cost = self.selection_set(&field.node.selection_set)?;
                cost.depth = cost.depth.saturating_add(1);
                cost.fields = cost.fields.saturating_add(complexity(&field.node));
                cost.aliases = cost.aliases.saturating_add(u32::from(field.node.alias.is_some()));
                let name = field.node.name.node.as_str();
                if INTROSPECTION_LISTS.contains(&name) {
                    cost.introspection_lists = cost.introspection_lists.saturating_add(1);
                }
                cost.introspects |= matches!(name, "__schema" | "__type");
                (cost, &field.node.directives)
            }
            Selection::InlineFragment(inline) => {
                (self.selection_set(&inline.node.selection_set)?, &inline.node.directives)
            }
            Selection::FragmentSpread(spread) => {
                (self.fragment(&spread.node.fragment_name.node)?, &spread.node.directives)
            }
        };
        cost.directives = cost.directives.saturating_add(count(directives.len()));
        Ok(cost)
    }

    fn fragment(&mut self, name: &'d Name) -> Result<Cost, Excess> {
        match self.fragments.get(name) {
            Some(Fragment::Weighed(cost)) => return Ok(*cost),
            Some(Fragment::BeingWeighed) => return Err(Excess::Cycle(name.clone())),
            None => {}
        }
        // That it does not exist is the validation's to say. It costs something all the same: else a bomb that
        // spreads nothing else would weigh nothing.
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Cost { fields: 1, ..Cost::default() });
        };
        self.fragments.insert(name, Fragment::BeingWeighed);
        let mut cost = self.selection_set(&fragment.node.selection_set)?;
        cost.directives = cost.directives.saturating_add(count(fragment.node.directives.len()));
        self.fragments.insert(name, Fragment::Weighed(cost));
        Ok(cost)
    }
}

/// The complexity of a field by itself. The values of variables are not known yet, so any variable is a search.
fn complexity(field: &Field) -> u32 {
    let search = field.get_argument("search").map(|value| value.node.clone().into_const());
    let is_search = search.is_some_and(|value| value != Some(Value::Null));
    let count = if field.name.node == "totalCount" { COUNT_COMPLEXITY } else { 1 };
    if is_search { count.saturating_add(SEARCH_COMPLEXITY) } else { count }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
