//! Who is measured, and how: the rows of the table.

use std::fmt;

use clap::ValueEnum;

use crate::{operation::Operation, options::Options};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

impl fmt::Display for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// One server of the comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// axum answering a constant text: what HTTP alone costs.
    Hello,
    /// The same GraphQL over counters in memory: what is lost with the process is not paid for.
    Memory,
    /// The same GraphQL with one transaction a request.
    Naive(Store),
    Cloakroom(Store),
}

impl fmt::Display for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello => formatter.write_str("axum hello"),
            Self::Memory => formatter.write_str("GraphQL in memory"),
            Self::Naive(store) => write!(formatter, "naive, {store}"),
            Self::Cloakroom(store) => write!(formatter, "**Cloakroom, {store}**"),
        }
    }
}

/// One row of the table: a candidate under one load.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) candidate: Candidate,
    pub(crate) operation: Operation,
    pub(crate) users: usize,
    pub(crate) connections: usize,
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { candidate, operation, users, connections } = self;
        write!(formatter, "{candidate}: {operation}, {users} user(s), {connections} connections")
    }
}

pub(crate) const CONNECTIONS: [usize; 2] = [64, 256];

pub(crate) fn candidates(options: &Options) -> Vec<Candidate> {
    let mut candidates = vec![Candidate::Hello, Candidate::Memory];
    for store in options.stores() {
        if !options.references_only {
            candidates.push(Candidate::Cloakroom(store));
        }
        candidates.push(Candidate::Naive(store));
    }
    candidates
}

/// What is compared stands side by side, so that it is also measured side by side.
pub(crate) fn cells(options: &Options) -> Vec<Cell> {
    let mut cells = Vec::new();
    for connections in CONNECTIONS {
        for candidate in candidates(options) {
            let cell = Cell { candidate, operation: Operation::Next, users: 1, connections };
            if candidate == Candidate::Hello {
                cells.push(Cell { operation: Operation::Hello, ..cell });
                continue;
            }
            cells.push(cell);
            cells.push(Cell { users: options.users, ..cell });
            let named = connections == 256 && candidate == Candidate::Cloakroom(Store::Sqlite);
            if named {
                cells.push(Cell { operation: Operation::TakeNumber, ..cell });
            }
        }
    }
    cells
}
