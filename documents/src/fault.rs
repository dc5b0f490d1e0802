//! Faults of a document: a message and the places in the text that it is about.

use async_graphql_parser::Pos;

/// Faults beyond this number are not looked for.
const MAX_FAULTS: usize = 10;
/// A wrong name is compared with this many others at most.
const MAX_COMPARED: usize = 200;
/// Names that a message suggests.
const MAX_SUGGESTED: usize = 5;

/// A fault of a document or of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The message for the client.
    pub message: String,
    /// Lines and columns, from 1; empty if the fault is in no one place.
    pub locations: Vec<Pos>,
}

impl Fault {
    /// A fault at one place.
    #[must_use]
    pub fn new(message: impl Into<String>, location: Pos) -> Self {
        Self { message: message.into(), locations: vec![location] }
    }
}

/// The faults of a document, up to a number.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault; the message is written only if there is room for it.
    pub(crate) fn add(&mut self, location: Pos, message: impl FnOnce() -> String) {
        if !self.is_full() {
            self.0.push(Fault::new(message(), location));
        }
    }

    /// Adds a fault that two places are about.
    pub(crate) fn add_pair(&mut self, one: Pos, other: Pos, message: impl FnOnce() -> String) {
        if !self.is_full() {
            self.0.push(Fault { message: message(), locations: vec![one, other] });
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= MAX_FAULTS
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in the order of their places in the text.
    pub(crate) fn into_sorted(mut self) -> Vec<Fault> {
        self.0.sort_by(|one, other| one.locations.cmp(&other.locations));
        self.0
    }
}

/// Names like `wrong`, the closest first, as graphql-js suggests them; empty if there are none.
pub(crate) fn did_you_mean<'n>(wrong: &str, known: impl Iterator<Item = &'n str>) -> String {
    let limit = (wrong.chars().count() * 2 / 5) + 1;
    let lower = wrong.to_lowercase();
    let mut close: Vec<(usize, &str)> = known
        .take(MAX_COMPARED)
        .filter(|name| name.len().abs_diff(wrong.len()) <= limit)
        .map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    close.sort_unstable();
    let names: Vec<&str> = close.into_iter().take(MAX_SUGGESTED).map(|(_, name)| name).collect();
    sentence("Did you mean ", &names)
}

/// ` Did you mean "a", "b", or "c"?`, or nothing for no names.
pub(crate) fn sentence(beginning: &str, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match &names[..] {
        [] => String::new(),
        [only] => format!(" {beginning}{only}?"),
        [one, other] => format!(" {beginning}{one} or {other}?"),
        [first @ .., last] => format!(" {beginning}{}, or {last}?", first.join(", ")),
    }
}
