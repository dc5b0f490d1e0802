//! What is measured, one by one: a store, a server on it, and a server under one load.

use std::fmt;

use clap::ValueEnum;

use crate::operation::Operation;

#[derive(Clone, Copy, PartialEq, Eq)]
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

/// What a run can be narrowed down to.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    Sqlite,
    Postgres,
    Redis,
    Pgbench,
    Apollo,
    Postgraphile,
    Flask,
}

/// A server that others wrote, or that one would write with other means, over HTTP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Apollo,
    Postgraphile,
    /// The integer service in memory, on Flask's own server.
    FlaskDevelopment,
    /// The same under gunicorn, with 4 workers of 8 threads.
    FlaskGunicorn,
    /// The integer service on SQLAlchemy, under gunicorn with 2 workers of 16 threads.
    FlaskSqlalchemy,
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Apollo => "Apollo Server 5, pg",
            Self::Postgraphile => "PostGraphile 5",
            Self::FlaskDevelopment => "Flask in memory, own server",
            Self::FlaskGunicorn => "Flask in memory, gunicorn -w 4",
            Self::FlaskSqlalchemy => "Flask, SQLAlchemy, PostgreSQL, gunicorn -w 2",
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
    Peer(Peer),
}

impl fmt::Display for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello => formatter.write_str("axum hello"),
            Self::Memory => formatter.write_str("GraphQL in memory"),
            Self::Naive(store) => write!(formatter, "naive, {store}"),
            Self::Peer(peer) => peer.fmt(formatter),
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
