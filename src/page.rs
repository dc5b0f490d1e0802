//! Pages by key: which part of an ordered list a client asks for (Relay's cursor connections).
//!
//! A cursor is the key of a row, so that a page stays where it is while rows come and go before it. It names its list:
//! that of another is refused.

use async_graphql::connection::{Connection, Edge, PageInfo};
use async_graphql::{Enum, OutputType};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

/// Rows of a page at most.
pub const MAX_ROWS: usize = 100;
/// Rows of a page when the client does not say.
const DEFAULT_ROWS: usize = 20;
/// Bytes of a cursor at most.
const MAX_CURSOR_BYTES: usize = 1024;

/// Which end of a list comes first.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The oldest first.
    Asc,
    /// The newest first.
    Desc,
}

/// What a client asks for: `first` rows `after` a cursor, or the `last` ones `before` one.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// How many from the beginning.
    pub first: Option<i32>,
    /// Beginning behind this cursor; `""` is the start of the list.
    pub after: Option<String>,
    /// How many from the end.
    pub last: Option<i32>,
    /// Ending before this cursor; `""` is the end of the list.
    pub before: Option<String>,
}

/// The part of the list: keys are strictly between `after` and `before`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The key before its beginning.
    pub after: Option<String>,
    /// The key behind its end.
    pub before: Option<String>,
    /// How many rows at most.
    pub rows: usize,
    /// Whether they are counted from the end.
    pub backward: bool,
}

/// A page of a list, in the list's order.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// Whether the list begins before it.
    pub has_previous: bool,
    /// Whether the list goes on behind it.
    pub has_next: bool,
}

impl Window {
    /// What is asked for of the list with this name, as [`cursor`] has it.
    ///
    /// # Errors
    /// [`Error::BadInput`], naming the argument.
    pub fn of(list: &str, asked: Arguments) -> Result<Self, Error> {
        let (rows, backward) = match (asked.first, asked.last) {
            (Some(_), Some(_)) => return Err(Error::BadInput("Give either first or last, not both.".to_owned())),
            (Some(first), None) => (count("first", first)?, false),
            (None, Some(last)) => (count("last", last)?, true),
            (None, None) => (DEFAULT_ROWS, false),
        };
        let cursor = |name, text: Option<String>| {
            // Clients send "" for the start and the end of a list.
            text.filter(|text| !text.is_empty()).map(|text| decode(list, name, &text)).transpose()
        };
        Ok(Self { after: cursor("after", asked.after)?, before: cursor("before", asked.before)?, rows, backward })
    }

    /// How many rows to ask the database for: one more tells whether the list goes on.
    #[must_use]
    pub fn limit(&self) -> u64 {
        u64::try_from(self.rows).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// The page that `found` makes: up to [`Window::limit`] rows, from the end backwards if so counted.
    #[must_use]
    pub fn page<T>(&self, mut found: Vec<T>) -> Page<T> {
        let goes_on = found.len() > self.rows;
        found.truncate(self.rows);
        if self.backward {
            found.reverse();
            return Page { rows: found, has_previous: goes_on, has_next: self.before.is_some() };
        }
        Page { rows: found, has_previous: self.after.is_some(), has_next: goes_on }
    }
}

impl<T> Page<T> {
    /// The page as a connection: what `edge` makes of a row is its cursor and its node.
    pub fn connection<N: OutputType>(self, edge: impl Fn(T) -> (String, N)) -> Connection<String, N> {
        let mut connection = Connection::new(self.has_previous, self.has_next);
        let edges = self.rows.into_iter().map(edge).map(|(cursor, node)| Edge::new(cursor, node));
        connection.edges.extend(edges);
        connection
    }
}

/// Where a connection's page is in its list.
#[must_use]
pub fn page_info<N: OutputType>(page: &Connection<String, N>) -> PageInfo {
    PageInfo {
        has_previous_page: page.has_previous_page,
        has_next_page: page.has_next_page,
        start_cursor: page.edges.first().map(|edge| edge.cursor.clone()),
        end_cursor: page.edges.last().map(|edge| edge.cursor.clone()),
    }
}

/// The cursor of the row of this list with this key. Clients treat it as opaque.
#[must_use]
pub fn cursor(list: &str, key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}:{key}"))
}

fn decode(list: &str, name: &str, cursor: &str) -> Result<String, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|_| cursor.len() <= MAX_CURSOR_BYTES);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let key = text.as_deref().and_then(|text| text.strip_prefix(list)?.strip_prefix(':'));
    let key = key.filter(|key| !key.is_empty() && !key.contains('\0')).map(str::to_owned);
    key.ok_or_else(|| Error::BadInput(format!("{name}: this is not a cursor of this list.")))
}

fn count(name: &str, asked: i32) -> Result<usize, Error> {
    let asked = usize::try_from(asked).ok().filter(|asked| *asked <= MAX_ROWS);
    asked.ok_or_else(|| Error::BadInput(format!("{name} must be from 0 to {MAX_ROWS}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_the_list_goes_on() {
        let forward = Window::of("list", Arguments { first: Some(2), ..Arguments::default() }).expect("a window");
        let page = forward.page(vec![1, 2, 3]);
        assert_eq!((page.rows, page.has_previous, page.has_next), (vec![1, 2], false, true));
        let arguments = Arguments { last: Some(2), before: Some(cursor("list", "9")), ..Arguments::default() };
        let page = Window::of("list", arguments).expect("a window").page(vec![8, 7, 6]);
        assert_eq!((page.rows, page.has_previous, page.has_next), (vec![7, 8], true, true));
    }

    #[test]
    fn an_empty_cursor_is_the_start_and_the_end() {
        let empty = || Some(String::new());
        let arguments = Arguments { after: empty(), before: empty(), ..Arguments::default() };
        let unbounded = Window::of("list", Arguments::default()).expect("a window");
        assert_eq!(Window::of("list", arguments).ok(), Some(unbounded));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let (nul, empty, other) = (cursor("list", "\0"), cursor("list", ""), cursor("users", "anna"));
        for cursor in ["é", "%", &nul, &empty, &other, &"A".repeat(MAX_CURSOR_BYTES + 4)] {
            let arguments = Arguments { after: Some(cursor.to_owned()), ..Arguments::default() };
            assert!(Window::of("list", arguments).is_err(), "{cursor}");
        }
    }
}
