//! The lock under which one process at a time changes the schema.
//!
//! It belongs to a transaction and its connection, over which the migration runs as well. SQLite:
//! BEGIN IMMEDIATE. PostgreSQL: an advisory lock that ends with the transaction. MariaDB and MySQL,
//! whose DDL would end the transaction: a named lock that ends with the connection. So a process
//! that is killed leaves no lock behind, and one that falls silent loses it after a minute.

use std::time::{Duration, Instant};

use anyhow::ensure;
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait as _,
};

use crate::store::Database;

/// Limits of the role or the server must not end the wait for the lock; silence ends the
/// transaction.
const SETTINGS_POSTGRES: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                                 SET LOCAL idle_in_transaction_session_timeout = 60000";
/// Any number; all servers of one database take the same lock.
const TRY_POSTGRES: &str = "SELECT pg_try_advisory_xact_lock(3227106112)::int::bigint";
const WAIT_POSTGRES: &str = "SELECT 1::bigint FROM pg_advisory_xact_lock(3227106112)";

/// COMMIT, because an idle transaction would be ended after 3 seconds.
const SETTINGS_MYSQL: &str = "COMMIT; SET SESSION wait_timeout = 60 /*M! , max_statement_time = 0 */";
/// The name belongs to the whole server, and must be short.
const TRY_MYSQL: &str = "SELECT GET_LOCK(CONCAT('cloakroom ', MD5(DATABASE())), 0)";
const WAIT_MYSQL: &str = "SELECT GET_LOCK(CONCAT('cloakroom ', MD5(DATABASE())), 86400)";
const RELEASE_MYSQL: &str = "DO RELEASE_LOCK(CONCAT('cloakroom ', MD5(DATABASE())))";

/// The longest wait for the lock on SQLite, as on MySQL.
const WAIT_SQLITE: Duration = Duration::from_secs(86_400);
/// The pause between two attempts on SQLite, each of which also waits for `busy_timeout`.
const PAUSE_SQLITE: Duration = Duration::from_millis(50);
const SQLITE_BUSY: u32 = 5;

/// Opens the connection over which migrations run: SeaORM's own, because its migrations take no
/// other.
pub(super) async fn connect(database: &Database) -> anyhow::Result<DatabaseConnection> {
    database.open_for_migrations().await
}

/// The lock, and the transaction in which to change the schema.
pub(super) struct MigrationLock {
    transaction: DatabaseTransaction,
}

impl MigrationLock {
    /// Waits until no other process migrates the database, up to a day.
    pub(super) async fn acquire(connection: &DatabaseConnection) -> anyhow::Result<Self> {
        let transaction = begin(connection).await?;
        let (settings, attempt, wait) = match transaction.get_database_backend() {
            DbBackend::Postgres => (SETTINGS_POSTGRES, TRY_POSTGRES, WAIT_POSTGRES),
            DbBackend::MySql => (SETTINGS_MYSQL, TRY_MYSQL, WAIT_MYSQL),
            _ => return Ok(Self { transaction }),
        };
        transaction.execute_unprepared(settings).await?;
        if !is_one(&transaction, attempt).await? {
            log_wait();
            ensure!(is_one(&transaction, wait).await?, "another process has been migrating the database for a day");
        }
        Ok(Self { transaction })
    }

    /// The transaction in which to change the schema. On MySQL and MariaDB every statement commits.
    pub(super) fn transaction(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// Commits if the work succeeded, rolls back if not, and unlocks.
    pub(super) async fn release<T>(self, outcome: anyhow::Result<T>) -> anyhow::Result<T> {
        let released = self.end(outcome.is_ok()).await;
        // The first error is the cause of the second.
        let value = outcome?;
        released?;
        Ok(value)
    }

    async fn end(self, succeeded: bool) -> Result<(), DbErr> {
        let transaction = self.transaction;
        if transaction.get_database_backend() == DbBackend::MySql {
            // Before the transaction gives its connection back, but after its end.
            let end = if succeeded { "COMMIT" } else { "ROLLBACK" };
            transaction.execute_unprepared(&format!("{end}; {RELEASE_MYSQL}")).await?;
        }
        match succeeded {
            true => transaction.commit().await,
            false => transaction.rollback().await,
        }
    }
}

async fn begin(connection: &DatabaseConnection) -> anyhow::Result<DatabaseTransaction> {
    let begun = Instant::now();
    let mut is_first = true;
    loop {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        match connection.begin_with_options(options).await {
            Err(error) if is_sqlite_busy(&error) && begun.elapsed() < WAIT_SQLITE => {
                if is_first {
                    log_wait();
                }
                is_first = false;
                tokio::time::sleep(PAUSE_SQLITE).await;
            }
            begun => return Ok(begun?),
        }
    }
}

fn is_sqlite_busy(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // Extended codes have the primary one in their lowest byte.
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

async fn is_one(transaction: &DatabaseTransaction, sql: &str) -> anyhow::Result<bool> {
    let statement = Statement::from_string(transaction.get_database_backend(), sql);
    let row = transaction.query_one_raw(statement).await?;
    let number = row.map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten();
    Ok(number == Some(1))
}

fn log_wait() {
    tracing::info!("waiting for another process that is migrating the database");
}
