//! Where everything lasts: the SQL database and its migrations.
//!
//! One embedded SQLite file by default, PostgreSQL or MariaDB by URL. The slices see one [`Database`] with a pool to
//! read from and one function to write through; they never learn which backend it is, except where a
//! statement must differ.
//!
//! **Invariant:** a write that was answered is on disk: SQLite runs with `synchronous=FULL`, PostgreSQL with
//! `synchronous_commit=on`, MariaDB with `innodb_flush_log_at_trx_commit=1` and, if it has a binary log,
//! `sync_binlog=1`; all are asserted when the pool opens. PostgreSQL's `fsync=off`, which its operator chose for the
//! whole server, only warns.
//! **Invariant:** a transaction that has begun runs to its end, even if the request that wanted it is gone.

mod batches;
mod catalog;
mod database;
mod database_clock;
mod failure;
mod file_lock;
mod keepalive;
mod locks;
mod migration_lock;
pub mod migrations;
mod mysql;
mod open;
mod open_files;
mod pool;
mod pooled_session;
mod postgres;
mod reader;
mod running_server;
pub mod server_lease;
mod session;
mod signals;
mod snapshot;
mod sqlite;
mod transaction;
mod writer;

pub use batches::{MAX_BATCH_ROWS, Pace};
pub use database::{Backend, Database};
pub use database_clock::current_time;
pub use failure::is_lock_timeout;
pub use file_lock::FileLock;
pub use locks::{PRIMARY, delete_locked, lock_keys, locked, write_locked};
pub use open_files::FileMoved;
pub use reader::DatabaseReader;
pub use running_server::RunningServer;
pub use signals::{MAX_SIGNAL_BYTES, Signals};
pub use transaction::DatabaseTransaction;
pub use writer::DatabaseWriter;
