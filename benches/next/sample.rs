//! What rounds showed: the figures that the tables are made of.

use crate::cell::Cell;

/// What one round of one cell showed.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) requests_per_second: f64,
    /// Not a number where the server is not a process of its own.
    pub(crate) processor_microseconds: f64,
    pub(crate) median_milliseconds: f64,
    pub(crate) tail_milliseconds: f64,
}

/// A cell and its samples, one a round.
pub(crate) struct Row {
    pub(crate) cell: Cell,
    pub(crate) samples: Vec<Sample>,
}
