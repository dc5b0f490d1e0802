//! Who is measured, and how: the rows of the table.

use crate::{
    cell::{Candidate, Cell, Store},
    operation::Operation,
    options::Options,
};

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
            let Candidate::Cloakroom(store) = candidate else { continue };
            if connections == 256 {
                if store == Store::Sqlite {
                    cells.push(Cell { operation: Operation::TakeNumber, ..cell });
                }
                let further = [Operation::Range, Operation::FreshKey, Operation::Replay];
                cells.extend(further.map(|operation| Cell { operation, ..cell }));
            }
        }
    }
    cells
}
