//! What can stand at the cursor: the tokens before it are walked with the schema in hand.

use std::collections::BTreeSet;

use crate::cli::console::input::{COMMANDS, is_command};
use crate::cli::console::names::{Names, Type};
use crate::cli::console::tokens::{Ending, Kind, Token, tokens};
use crate::cli::console::walk::{Awaits, Frame, OPENING, Place, Walk};

/// Where the word at `cursor` begins, and what it can become, in order.
pub(super) fn complete(names: &Names, text: &str, cursor: usize) -> (usize, Vec<String>) {
    let before = text.get(..cursor).unwrap_or_default();
    if is_command(before) {
        return complete_command(names, before);
    }
    let (mut walked, ending) = tokens(before);
    if ending != Ending::Whole {
        return (cursor, Vec::new());
    }
    let touched = walked.pop_if(|last| last.end() == cursor && last.kind != Kind::Sign);
    if touched.is_some_and(|word| word.kind != Kind::Name) {
        return (cursor, Vec::new());
    }
    let word = touched.map_or("", |word| word.text);
    let mut candidates = Walk::of(names, &walked).candidates(&tokens(text).0);
    candidates.retain(|candidate| candidate.starts_with(word));
    candidates.sort();
    (cursor - word.len(), candidates)
}

fn complete_command(names: &Names, before: &str) -> (usize, Vec<String>) {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let start = before.len() - word.len();
    let fits = |name: &&str| name.starts_with(word);
    let candidates = match before.get(..start).map(str::trim) {
        Some("") => COMMANDS.iter().map(|command| command.name).filter(fits).map(str::to_owned).collect(),
        Some(".schema") => names.types.keys().map(String::as_str).filter(fits).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    (start, candidates)
}

impl Walk<'_, '_> {
    /// What fits, in a text of these tokens.
    fn candidates(&self, all: &[Token<'_>]) -> Vec<String> {
        let Some(frame) = self.frames.last() else { return Vec::new() };
        match (&frame.place, frame.awaits) {
            (_, Awaits::OwnName) => Vec::new(),
            (_, Awaits::Directive) => vec!["include".to_owned(), "skip".to_owned()],
            (_, Awaits::Variable) if matches!(frame.place, Place::Definitions) => Vec::new(),
            (_, Awaits::Variable) => names_after(all, "$"),
            (_, Awaits::Condition) => self.conditions(frame),
            (_, Awaits::Spread) => names_after(all, "fragment").into_iter().chain(["on".to_owned()]).collect(),
            (Place::Document, _) => self.beginnings(),
            (Place::Selection(of), _) => of.map_or_else(Vec::new, selectable),
            (Place::Definitions, Awaits::Value) => self.names_of(Type::is_givable),
            (Place::Values { fields, given }, Awaits::Item) => {
                let left = fields.iter().flat_map(|fields| fields.keys()).filter(|name| !given.contains(name.as_str()));
                left.map(|name| format!("{name}: ")).collect()
            }
            (_, Awaits::Value) => frame.opens.map_or_else(Vec::new, |of| of.values.clone()),
            _ => Vec::new(),
        }
    }

    /// How a document can begin: a selection from queries needs no brackets around it here.
    fn beginnings(&self) -> Vec<String> {
        let bare = self.names.root("query").filter(|_| self.is_first).map_or_else(Vec::new, selectable);
        OPENING
            .iter()
            .filter(|word| self.names.root(word).is_some() || **word == "fragment")
            .map(|word| (*word).to_owned())
            .chain(bare)
            .collect()
    }

    /// The types that an object in the selection can have.
    fn conditions(&self, frame: &Frame<'_, '_>) -> Vec<String> {
        match frame.place {
            Place::Selection(Some(around)) => self.names_of(|of| !of.possible.is_disjoint(&around.possible)),
            _ => self.names_of(Type::is_selectable),
        }
    }

    fn names_of(&self, fits: impl Fn(&Type) -> bool) -> Vec<String> {
        self.names.types.iter().filter(|(_, of)| fits(of)).map(|(name, _)| name.clone()).collect()
    }
}

fn selectable(of: &Type) -> Vec<String> {
    of.fields.keys().cloned().chain(["__typename".to_owned()]).collect()
}

/// The names that stand after this word or sign.
fn names_after(tokens: &[Token<'_>], mark: &str) -> Vec<String> {
    let pairs = tokens.iter().zip(tokens.iter().skip(1));
    let after = pairs.filter(|(one, next)| one.text == mark && next.kind == Kind::Name);
    let names: BTreeSet<String> = after.map(|(_, next)| next.text.to_owned()).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDL: &str = r#"
        interface Node { id: ID! }
        type Query { viewer: Viewer user(username: String!, deleted: Boolean): User node(id: ID!): Node search: [Found!]! }
        type Viewer { user: User! emails(order: Order, kinds: [Order!], filter: Filter): [String!] }
        type User implements Node { id: ID! username: String! friend(first: Int, after: String): User }
        type Counter implements Node { id: ID! value: Int }
        type Server { up: Boolean }
        union Found = User | Counter
        enum Order { UP DOWN }
        input Filter { order: Order, inner: Filter, list: [Filter!] }
        type Mutation { next(input: Filter!): Counter }
    "#;

    /// The candidates where `|` stands.
    fn at(text: &str) -> Vec<String> {
        let cursor = text.find('|').expect("a cursor");
        complete(&Names::read(SDL).expect("a schema"), &text.replacen('|', "", 1), cursor).1
    }

    #[test]
    fn a_document_begins_with_a_word_or_with_a_field_of_queries() {
        assert_eq!(at("vie|"), ["viewer"]);
        assert_eq!(at("|"), ["__typename", "fragment", "mutation", "node", "query", "search", "user", "viewer"]);
        assert_eq!(at("{ viewer { user } } q|"), ["query"]);
        assert_eq!(at("query { viewer { user } } |"), ["fragment", "mutation", "query"]);
        assert_eq!(at("query |").len() + at("query N|").len() + at("fragment |").len(), 0, "the author's own");
    }

    #[test]
    fn fields_are_those_of_the_type_around() {
        for text in ["{ viewer { u| } }", "viewer { u|", "query Q { viewer { emails u| }", "{ x: viewer { y: u|"] {
            assert_eq!(at(text), ["user"], "{text}");
        }
        assert_eq!(at("mutation { n|"), ["next"]);
        assert_eq!(at("mutation { next(input: { order: UP }) { |"), ["__typename", "id", "value"]);
        assert_eq!(at("{ user(username: \"a } {\", deleted: true) @skip(if: true) { fri|"), ["friend"]);
        assert_eq!(at("{ viewer { user { friend { friend { username } us|"), ["username"]);
        assert_eq!(at("{ viewer { user { id } } no|"), ["node"]);
        assert_eq!(at("{ nothing { |").len() + at("{ search { id { |").len(), 0, "of what is unknown nothing is known");
        assert_eq!(at("{ viewer { u| } } }"), ["user"], "what comes after the cursor does not matter");
    }

    #[test]
    fn the_cursor_may_stand_within_a_word() {
        let names = Names::read(SDL).expect("a schema");
        assert_eq!(complete(&names, "{ viewer { user } }", 5), (2, vec!["viewer".to_owned()]));
        assert_eq!(complete(&names, "user(username: \"é\") vie", 24), (21, vec!["viewer".to_owned()]), "bytes");
    }

    #[test]
    fn arguments_are_those_that_are_not_given_yet() {
        assert_eq!(at("{ user(|"), ["deleted: ", "username: "]);
        assert_eq!(at("{ user(username: \"a\", |"), ["deleted: "]);
        assert_eq!(at("{ user(username: $name de|"), ["deleted: "]);
        assert_eq!(at("{ viewer { emails(filter: { inner: { order: UP, l|"), ["list: "]);
        assert_eq!(at("{ viewer { emails(filter: { list: [{ order: UP }, { or|"), ["order: "]);
        assert_eq!(at("{ viewer { emails(filter: { inner: {} } or|"), ["order: "]);
    }

    #[test]
    fn values_are_those_of_an_enum_a_boolean_or_a_variable() {
        assert_eq!(at("{ viewer { emails(order: |"), ["DOWN", "UP"]);
        assert_eq!(at("{ viewer { emails(kinds: [UP, D|"), ["DOWN"]);
        assert_eq!(at("{ viewer { emails(kinds: [UP, DOWN], fil|"), ["filter: "]);
        assert_eq!(at("{ user(deleted: t|"), ["true"]);
        assert_eq!(at("query($name: String, $no: Boolean) { user(username: $|) }"), ["name", "no"]);
        assert_eq!(at("query($a: [Or|"), ["Order"]);
        assert_eq!(at("query($a: [Order!]! = [UP], $b: F|"), ["Filter", "Float"]);
        assert_eq!(at("query($a: [Order!]!) { viewer { us|"), ["user"]);
    }

    #[test]
    fn fragments_and_directives_are_known() {
        assert_eq!(at("{ node(id: 1) { ... on |"), ["Counter", "Found", "Node", "User"]);
        assert_eq!(at("{ search { ... on |"), ["Counter", "Found", "Node", "User"]);
        assert_eq!(at("{ node(id: 1) { ... on User { user|"), ["username"]);
        assert_eq!(at("{ node(id: 1) { ...|} } fragment F on User { id }"), ["F", "on"]);
        assert_eq!(at("{ node(id: 1) { ...F i|"), ["id"]);
        assert_eq!(at("{ viewer { ... @include(if: true) { us|"), ["user"]);
        assert_eq!(at("fragment F on Us|"), ["User"]);
        assert_eq!(at("fragment F on User { fri|"), ["friend"]);
        assert_eq!(at("... on Query { vie|"), ["viewer"]);
        assert_eq!(at("{ viewer @s|"), ["skip"]);
    }

    #[test]
    fn in_strings_comments_and_numbers_nothing_is_offered() {
        for text in ["{ user(username: \"vi|", "{ # vi|", "{ user(a: \"\"\"\nvi|", "{ user(a: 1|", "{ user(a: \"b\"|"] {
            assert_eq!(at(text).len(), 0, "{text}");
        }
    }

    #[test]
    fn commands_and_their_types_are_completed() {
        assert_eq!(at(".s|"), [".schema"]);
        assert_eq!(at("|.").len() + at(".as an|").len(), at("|").len());
        assert_eq!(at(".schema Us|"), ["User"]);
        assert_eq!(at(".|").len(), COMMANDS.len());
    }

    #[test]
    fn no_text_brings_it_down() {
        let names = Names::read(SDL).expect("a schema");
        let text = "}{ é... on )](@ $x: [{\"\"\" on query fragment ((((";
        for (cursor, _) in text.char_indices() {
            complete(&names, text, cursor);
            complete(&names, text.get(cursor..).expect("a boundary"), 0);
        }
        complete(&names, text, 1000);
        complete(&names, &"{ a(b: [".repeat(20_000), 160_000);
    }
}
