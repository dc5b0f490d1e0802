//! The table of failures in the guide, read as an operator reads it.

use std::collections::BTreeSet;

use crate::support::TestDatabase;

/// The guide.
const GUIDE: &str = include_str!("../../../docs/operations.md");
/// The first cell of the table's head.
const HEAD: &str = "| case |";

/// A row of the table, for the backend under test.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) case: String,
    /// True if the failure exists with the backend under test.
    pub(super) applies: bool,
    /// The codes that `next` may end in, or `OK`.
    pub(super) next: BTreeSet<String>,
    /// The codes that `uploadPhotos` may end in, or `OK`.
    pub(super) upload: BTreeSet<String>,
    pub(super) ready: Ready,
    /// The parts that fail.
    pub(super) parts: BTreeSet<String>,
    /// Texts that one line of the log has, in this order.
    pub(super) log: Vec<String>,
}

/// The answer of `/readyz`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Status(u16),
    /// None: the process ends with this exit code.
    Exit(i32),
}

/// All rows, in their order.
pub(super) fn rows() -> Vec<Row> {
    let lines = GUIDE.lines().skip_while(|line| !line.starts_with(HEAD)).skip(2);
    lines.take_while(|line| line.starts_with('|')).map(Row::read).collect()
}

impl Row {
    fn read(line: &str) -> Self {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [case, with, failure, next, upload, ready, parts, log, remedy] = cells[..] else {
            panic!("nine cells, not {line}")
        };
        assert!(failure.ends_with('.') && remedy.ends_with('.'), "sentences: {line}");
        let ready = match here(ready).strip_prefix("exit code ") {
            Some(code) => Ready::Exit(code.parse().expect("an exit code")),
            None => Ready::Status(here(ready).parse().expect("a status")),
        };
        let log = log.strip_prefix('`').and_then(|log| log.strip_suffix('`')).expect("a text in backticks");
        Self {
            case: case.to_owned(),
            applies: with == "all" || with.split(", ").any(|name| name == backend()),
            next: words(here(next), " or "),
            upload: words(here(upload), " or "),
            ready,
            parts: words(here(parts), ", "),
            log: log.split('…').map(|text| text.trim().to_owned()).collect(),
        }
    }

    /// True if a line of the log says what the row says.
    pub(super) fn is_in(&self, log: &str) -> bool {
        log.lines().any(|line| {
            let rest =
                self.log.iter().try_fold(line, |rest, text| rest.split_once(text.as_str()).map(|(_, rest)| rest));
            rest.is_some()
        })
    }
}

fn backend() -> &'static str {
    match TestDatabase::backend() {
        cloakroom::store::Backend::Sqlite => "SQLite",
        cloakroom::store::Backend::Postgres => "PostgreSQL",
        cloakroom::store::Backend::Mysql => "MariaDB",
    }
}

/// The part of a cell for the backend under test.
fn here(cell: &str) -> &str {
    let (all, sqlite) = cell.split_once("; SQLite: ").unwrap_or((cell, cell));
    if TestDatabase::is_sqlite() { sqlite } else { all }
}

fn words(cell: &str, between: &str) -> BTreeSet<String> {
    cell.split(between).filter(|word| *word != "none").map(str::to_owned).collect()
}
