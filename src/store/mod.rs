//! Where everything lasts: the SQL database and its migrations.
//!
//! One embedded SQLite file by default, PostgreSQL by URL. The slices see one [`Database`] with a pool to
//! read from and one function to write through; they never learn which backend it is, except where a
//! statement must differ.
//!
//! **Invariant:** a write that was answered is on disk: SQLite runs with `synchronous=FULL`, PostgreSQL with
//! `synchronous_commit=on`, and both are asserted when the pool opens.
//! **Invariant:** a transaction that has begun runs to its end, even if the request that wanted it is gone.

mod database;
pub mod migrations;
mod open;
mod postgres;
mod sqlite;

pub use database::{Backend, Database};
