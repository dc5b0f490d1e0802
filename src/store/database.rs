//! The database: chosen by the URL's scheme, one pool to read, one way to write.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, QueryResult, RuntimeErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use sqlx::mysql::MySqlDatabaseError;

use crate::error::Error;
use crate::store::connection::{Connection, DatabaseReader, DatabaseTransaction, Limit};

/// The codes for a transaction that was given up: serialization_failure, which is MariaDB's deadlock as well, and
/// PostgreSQL's deadlock_detected.
const GIVEN_UP: [&str; 2] = ["40001", "40P01"];
/// MariaDB's number for a lock that did not come free in time. The statement is undone; we undo the transaction.
const LOCK_WAIT_TIMEOUT: u16 = 1205;
/// How often a transaction that was given up is run.
const ATTEMPTS: usize = 5;

/// The kinds of database. A statement that must differ asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The embedded database: one file, one process.
    Sqlite,
    /// A server that several replicas may share.
    Postgres,
    /// Another such server: MariaDB or MySQL.
    Mysql,
}

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    backend: Backend,
    writer: Connection<DatabaseConnection>,
    reader: DatabaseReader,
    /// What [`Database::was_written_outside`] saw last.
    outside_version: Arc<AtomicI64>,
}

impl Database {
    /// With one pool to write to and one to read from, each of whose answers may take `limit`.
    pub(super) fn new(
        backend: Backend,
        writer: DatabaseConnection,
        reader: DatabaseConnection,
        limit: Option<Duration>,
    ) -> Self {
        let [writer, reader] = [writer, reader].map(|inner| Connection { inner, limit: Limit(limit) });
        Self { backend, writer, reader, outside_version: Arc::default() }
    }

    /// Which kind of database this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Whether other processes may write to this database while it is open.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.backend != Backend::Sqlite
    }

    /// For reading: sees everything committed before the statement began.
    #[must_use]
    pub fn reader(&self) -> &DatabaseReader {
        &self.reader
    }

    /// For migrations, which make their own transactions.
    #[must_use]
    pub(super) fn writer(&self) -> &DatabaseConnection {
        &self.writer.inner
    }

    /// Runs `work` in a transaction and commits it; rolls back if it fails.
    ///
    /// It runs in a task of its own: a client that goes away cannot tear it apart. On SQLite it begins
    /// IMMEDIATE, because a transaction that turns from reading to writing fails at once under load. One that
    /// the database gave up to break a deadlock had no effect, and is run again.
    ///
    /// # Errors
    /// What `work` or the database says. An error from the commit leaves the outcome unknown.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, Error>> + Send + Sync + 'static,
    {
        let writer = self.writer.clone();
        let task = tokio::spawn(async move {
            let mut attempt = 1;
            loop {
                match write_once(&writer, &work).await {
                    Err(error) if attempt < ATTEMPTS && was_given_up(&error) => attempt += 1,
                    outcome => return outcome,
                }
            }
        });
        task.await.map_err(Error::internal)?
    }

    /// Runs one statement that is a transaction by itself, and returns its rows.
    ///
    /// To the last row: on SQLite the commit happens after it, and `query_one` would not wait for it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write_statement(&self, statement: Statement) -> Result<Vec<QueryResult>, Error> {
        let mut attempt = 1;
        loop {
            match self.writer.query_all_raw(statement.clone()).await.map_err(Error::from) {
                Err(error) if attempt < ATTEMPTS && was_given_up(&error) => attempt += 1,
                rows => return rows,
            }
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.reader.execute_unprepared("SELECT 1").await.map(drop)?)
    }

    /// Whether another program has written to the embedded database since this was last asked. Whoever shares a
    /// database server must ask for the rows themselves.
    ///
    /// # Errors
    /// What the database says.
    pub async fn was_written_outside(&self) -> Result<bool, Error> {
        if self.is_shared() {
            return Ok(false);
        }
        // Seen from the one connection that writes, it changes with the commits of others alone.
        let statement = Statement::from_string(self.writer.get_database_backend(), "PRAGMA data_version");
        let rows = self.writer.query_all_raw(statement).await?;
        let version = rows.first().map(|row| row.try_get_by_index::<i64>(0)).transpose()?.unwrap_or_default();
        Ok(self.outside_version.swap(version, Ordering::SeqCst) != version)
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(self) {
        for pool in [self.reader, self.writer] {
            if let Err(error) = pool.inner.close().await {
                tracing::warn!(%error, "the database did not close cleanly");
            }
        }
    }
}

async fn write_once<T, F>(writer: &Connection<DatabaseConnection>, work: &F) -> Result<T, Error>
where
    F: for<'t> Fn(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, Error>>,
{
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let limit = writer.limit;
    let transaction = Connection { inner: limit.wait(writer.inner.begin_with_options(options)).await?, limit };
    match work(&transaction).await {
        Ok(value) => {
            limit.wait(transaction.inner.commit()).await?;
            Ok(value)
        }
        Err(error) => {
            // Why the work failed says more than that the connection failed after it: either way nothing stays.
            if let Err(error) = limit.wait(transaction.inner.rollback()).await {
                tracing::warn!(%error, "a transaction could not be rolled back");
            }
            Err(error)
        }
    }
}

/// Whether the database itself undid the transaction, so that running it again cannot do anything twice.
fn was_given_up(error: &Error) -> bool {
    let Error::Internal(cause) = error else { return false };
    let Some(DbErr::Query(RuntimeErr::SqlxError(cause)) | DbErr::Exec(RuntimeErr::SqlxError(cause))) =
        cause.downcast_ref()
    else {
        return false;
    };
    let Some(error) = cause.as_database_error() else { return false };
    let number = error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
    number == Some(LOCK_WAIT_TIMEOUT) || error.code().is_some_and(|code| GIVEN_UP.contains(&code.as_ref()))
}

/// What every backend asks of a pool.
pub(super) fn pool_options(url: String, connections: u32, acquire_seconds: u64) -> sea_orm::ConnectOptions {
    let mut options = sea_orm::ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(acquire_seconds))
        .idle_timeout(None)
        .max_lifetime(None)
        // A ping before every use would double the round trips of a busy pool.
        .test_before_acquire(false)
        .sqlx_logging(false);
    options
}
