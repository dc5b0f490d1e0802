//! From the beginning of a text to its end, with the schema in hand: what stands in which brackets.

use std::collections::BTreeSet;

use crate::cli::console::names::{Fields, Names, Type};
use crate::cli::console::tokens::{Kind, Token};

/// The words with which an operation or fragment begins.
pub(super) const OPENING: [&str; 4] = ["fragment", "mutation", "query", "subscription"];

/// Whether an operation or fragment begins with this word.
pub(super) fn opens(word: &str) -> bool {
    OPENING.contains(&word)
}

/// What comes next in a pair of brackets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    /// A field, an argument, an operation.
    Item,
    /// After `...`.
    Spread,
    /// After `on`.
    Condition,
    /// After `@`.
    Directive,
    /// After a colon, or in a list.
    Value,
    /// After `$`.
    Variable,
    /// A name that is its author's own.
    OwnName,
}

/// What stands in a pair of brackets; an unknown type has no names to offer.
pub(super) enum Place<'n, 't> {
    Document,
    Selection(Option<&'n Type>),
    Values { fields: Option<&'n Fields>, given: BTreeSet<&'t str> },
    List(Option<&'n Type>),
    Definitions,
}

/// A pair of brackets that is open.
pub(super) struct Frame<'n, 't> {
    pub(super) place: Place<'n, 't>,
    pub(super) awaits: Awaits,
    /// What `{` would open; also the type of a value that is awaited.
    pub(super) opens: Option<&'n Type>,
    /// What `(` would open.
    takes: Option<&'n Fields>,
    /// After a directive `(` belongs to it.
    in_directive: bool,
}

/// Where a text has led.
pub(super) struct Walk<'n, 't> {
    pub(super) names: &'n Names,
    /// Never empty: the document itself is the first.
    pub(super) frames: Vec<Frame<'n, 't>>,
    /// Whether nothing has come yet.
    pub(super) is_first: bool,
}

impl<'n, 't> Frame<'n, 't> {
    fn new(place: Place<'n, 't>) -> Self {
        let awaits = if matches!(place, Place::List(_)) { Awaits::Value } else { Awaits::Item };
        let opens = match place {
            Place::Selection(of) | Place::List(of) => of,
            _ => None,
        };
        Self { place, awaits, opens, takes: None, in_directive: false }
    }

    /// What comes after a value.
    fn after_value(&self) -> Awaits {
        if matches!(self.place, Place::List(_)) { Awaits::Value } else { Awaits::Item }
    }
}

impl<'n, 't> Walk<'n, 't> {
    /// From the beginning of a text to the end of these tokens of it.
    pub(super) fn of(names: &'n Names, tokens: &[Token<'t>]) -> Self {
        let document = Frame { opens: names.root("query"), ..Frame::new(Place::Document) };
        let mut walk = Self { names, frames: vec![document], is_first: true };
        let starts_bare =
            tokens.first().is_some_and(|first| first.text == "..." || (first.kind == Kind::Name && !opens(first.text)));
        if starts_bare {
            walk.frames.push(Frame::new(Place::Selection(names.root("query"))));
        }
        for token in tokens {
            walk.is_first = false;
            walk.step(token);
        }
        walk
    }

    fn step(&mut self, token: &Token<'t>) {
        let names = self.names;
        let Some(frame) = self.frames.last_mut() else { return };
        match (token.kind, token.text) {
            (Kind::Name, name) => frame.name(names, name),
            (Kind::Number | Kind::Text, _) => frame.awaits = frame.after_value(),
            (_, "(" | "{" | "[") => self.open(token.text),
            (_, ")" | "}" | "]") => self.close(token.text),
            (_, "...") => {
                frame.awaits = Awaits::Spread;
                frame.takes = None;
                frame.opens = if let Place::Selection(of) = frame.place { of } else { None };
            }
            (_, "@") => frame.awaits = Awaits::Directive,
            (_, "$") => frame.awaits = Awaits::Variable,
            (_, ":") if !matches!(frame.place, Place::Selection(_)) => frame.awaits = Awaits::Value,
            (_, "=") => frame.awaits = Awaits::OwnName,
            _ => {}
        }
    }

    fn open(&mut self, bracket: &str) {
        let Some(frame) = self.frames.last_mut() else { return };
        let inside = match (bracket, &frame.place) {
            // Lists in the type of a variable.
            ("[", Place::Definitions) => return,
            ("(", Place::Document) if !frame.in_directive => Place::Definitions,
            ("(", _) => {
                frame.in_directive = false;
                Place::Values { fields: frame.takes.take(), given: BTreeSet::new() }
            }
            ("{", Place::Document | Place::Selection(_)) => Place::Selection(frame.opens),
            ("{", _) => Place::Values { fields: frame.opens.map(|of| &of.fields), given: BTreeSet::new() },
            _ => Place::List(frame.opens),
        };
        frame.awaits = frame.after_value();
        self.frames.push(Frame::new(inside));
    }

    fn close(&mut self, bracket: &str) {
        let is_type =
            bracket == "]" && self.frames.last().is_some_and(|frame| matches!(frame.place, Place::Definitions));
        if is_type || self.frames.len() < 2 {
            return;
        }
        self.frames.pop();
        if let Some(frame) = self.frames.last_mut()
            && matches!(frame.place, Place::Document)
            && bracket == "}"
        {
            *frame = Frame { opens: self.names.root("query"), ..Frame::new(Place::Document) };
        }
    }
}

impl<'n, 't> Frame<'n, 't> {
    fn name(&mut self, names: &'n Names, name: &'t str) {
        match self.awaits {
            Awaits::Directive => {
                self.takes = None;
                self.in_directive = true;
                self.awaits = Awaits::Item;
                return;
            }
            Awaits::Spread if name == "on" => return self.awaits = Awaits::Condition,
            Awaits::Condition => {
                self.opens = names.types.get(name);
                return self.awaits = Awaits::Item;
            }
            Awaits::Spread => return self.awaits = Awaits::Item,
            Awaits::Value | Awaits::Variable if !matches!(self.place, Place::Selection(_)) => {
                return self.awaits = self.after_value();
            }
            _ => {}
        }
        self.awaits = Awaits::Item;
        match &mut self.place {
            Place::Document if name == "on" => self.awaits = Awaits::Condition,
            Place::Document if opens(name) => {
                self.opens = names.root(name);
                self.awaits = Awaits::OwnName;
            }
            Place::Document => self.awaits = Awaits::OwnName,
            Place::Selection(of) => {
                let field = of.and_then(|of| of.fields.get(name));
                self.opens = field.and_then(|field| names.of(field));
                self.takes = field.map(|field| &field.arguments);
                self.in_directive = false;
            }
            Place::Values { fields, given } => {
                given.insert(name);
                self.opens = fields.and_then(|fields| fields.get(name)).and_then(|field| names.of(field));
            }
            Place::List(_) | Place::Definitions => {}
        }
    }
}
