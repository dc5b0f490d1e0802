//! The whole suite: one binary, through the public API.
//!
//! Without configuration it runs on SQLite; `CLOAKROOM_TEST_DATABASE=postgres://…` or `mysql://…` runs the same
//! tests on PostgreSQL or MariaDB, each in a database of its own.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a test that cannot go on says why and ends"
)]

mod support;

mod accounts;
mod bad_input;
mod cli;
mod counters;
mod crash;
mod database;
mod examples;
mod failures;
mod http;
mod idempotency;
mod live;
mod locks;
mod mail;
mod mariadb;
mod photos;
mod schema;
mod store;
mod tidy;
