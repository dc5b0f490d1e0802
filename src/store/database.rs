//! The database: one pool to read, three ways to write.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::{ConnectionTrait as _, DbBackend, QueryResult, Statement};

use crate::error::Error;
use crate::store::open_files::{FileMoved, OpenFiles};
use crate::store::pool::Pool;
use crate::store::postgres::PostgresConnector;
use crate::store::reader::DatabaseReader;
use crate::store::server_lease;
use crate::store::transaction::DatabaseTransaction;
use crate::store::writer::DatabaseWriter;
use crate::store::{mysql, postgres, sqlite};

/// Time that closing waits for connections that are in use.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

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
    pub(super) reader: DatabaseReader,
    pub(super) writer: DatabaseWriter,
    pub(super) group_commit: DatabaseWriter,
    pub(super) blocked: DatabaseWriter,
    pub(super) connector: Connector,
    /// The files of the embedded database that a server has open.
    pub(super) open_files: OpenFiles,
    /// The version of the file that [`Database::was_written_outside`] saw last.
    pub(super) outside_version: Arc<AtomicI64>,
}

/// Opens further connections, with the settings that all of them have.
#[derive(Clone, Debug)]
pub(super) enum Connector {
    Sqlite(sqlite::SqliteConnector),
    Postgres(Arc<PostgresConnector>),
    Mysql(Arc<mysql::MysqlConnector>),
}

/// The pools of a database. On SQLite the three that write are one, with one connection.
pub(super) struct Pools {
    pub(super) reader: Pool,
    pub(super) writer: Pool,
    pub(super) group_commit: Pool,
    pub(super) blocked: Pool,
}

impl Database {
    /// With these pools, each of whose answers may take `limit`.
    pub(super) fn new(connector: Connector, pools: Pools, limit: Option<Duration>) -> Self {
        let backend = connector.backend();
        let open_files = OpenFiles::default();
        let writer = |pool, retries_locked| {
            let open_files = open_files.clone();
            DatabaseWriter { pool, backend, limit, retries_locked, open_files }
        };
        Self {
            reader: DatabaseReader { pool: pools.reader, backend, limit },
            writer: writer(pools.writer, true),
            group_commit: writer(pools.group_commit, false),
            blocked: writer(pools.blocked, false),
            connector,
            open_files,
            outside_version: Arc::default(),
        }
    }

    /// The kind of database this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.connector {
            Connector::Sqlite(_) => Backend::Sqlite,
            Connector::Postgres(_) => Backend::Postgres,
            Connector::Mysql(_) => Backend::Mysql,
        }
    }

    /// Whether other processes may write to this database while it is open.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.backend() != Backend::Sqlite
    }

    /// For reading: sees everything committed before the statement began.
    #[must_use]
    pub fn reader(&self) -> &DatabaseReader {
        &self.reader
    }

    /// The connection of the group commit of counters, which nobody else takes. Its statements wait
    /// for a lock no longer than 200 ms on PostgreSQL and one second on MariaDB, and are not run
    /// again after that: see [`crate::store::is_lock_timeout`].
    #[must_use]
    pub fn group_commit_writer(&self) -> &DatabaseWriter {
        &self.group_commit
    }

    /// The connection for counters whose rows another transaction has locked. Its statements wait
    /// for locks as those of [`Database::group_commit_writer`].
    #[must_use]
    pub fn blocked_writer(&self) -> &DatabaseWriter {
        &self.blocked
    }

    /// Runs `work` in a transaction and commits it; rolls back if it fails.
    ///
    /// It runs in a task of its own: a client that goes away cannot interrupt it. On SQLite it begins
    /// IMMEDIATE. A transaction that the database gives up to resolve a conflict had no effect, and is
    /// run again, five times in all.
    ///
    /// # Errors
    /// Those of `work`; [`Error::DependencyUnavailable`] if nothing was done;
    /// [`Error::OutcomeUnknown`] if the connection was lost during the commit.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, Error>> + Send + Sync + 'static,
    {
        self.writer.write(work).await
    }

    /// Runs one statement that is a transaction by itself, and returns its rows.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write_statement(&self, statement: Statement) -> Result<Vec<QueryResult>, Error> {
        self.writer.write_statement(statement).await
    }

    /// Waits until a file of the embedded database that this server uses is no longer found under its
    /// name. From then on every write is refused. On a database server it never happens.
    pub async fn files_moved(&self) -> FileMoved {
        self.open_files.moved().await
    }

    /// Whether the database answers and accepts writes.
    ///
    /// # Errors
    /// The reason why it does not.
    pub async fn ping(&self) -> anyhow::Result<()> {
        self.open_files.ensure_in_place()?;
        match self.backend() {
            Backend::Sqlite => self.reader.execute_unprepared("SELECT 1").await.map(drop)?,
            Backend::Postgres => postgres::assert_writable(&self.reader).await?,
            Backend::Mysql => mysql::assert_writable(&self.reader).await?,
        }
        Ok(())
    }

    /// Commits a row that nobody ever sees, which takes what every write takes: a connection, a lock,
    /// room on the disk, a sync.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn probe_write(&self) -> Result<(), Error> {
        self.write(|transaction| Box::pin(async move { Ok(server_lease::probe(transaction).await?) })).await
    }

    /// Whether another program has written to the embedded database since this was last asked. On a
    /// database server the answer is always no: read the rows instead.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn was_written_outside(&self) -> Result<bool, Error> {
        if self.is_shared() {
            return Ok(false);
        }
        // Seen from the one connection that writes, it changes with the commits of others alone.
        let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA data_version");
        let rows = self.writer.write_statement(statement).await?;
        let version = rows.first().map(|row| row.try_get_by_index::<i64>(0)).transpose()?.unwrap_or_default();
        Ok(self.outside_version.swap(version, Ordering::SeqCst) != version)
    }

    /// A connection of SeaORM's own, for migrations. It has none of the time limits of the others.
    pub(super) async fn open_for_migrations(&self) -> anyhow::Result<sea_orm::DatabaseConnection> {
        match &self.connector {
            Connector::Sqlite(connector) => connector.open_for_migrations().await,
            Connector::Postgres(connector) => connector.open_for_migrations().await,
            Connector::Mysql(connector) => connector.open_for_migrations().await,
        }
    }

    /// Waits up to five seconds for the transactions under way, and closes every connection.
    pub async fn close(self) {
        let (reader, writer) = (&self.reader.pool, &self.writer.pool);
        let (group_commit, blocked) = (&self.group_commit.pool, &self.blocked.pool);
        // The last connection of SQLite to close folds the log into the file, and only a writer may.
        tokio::join!(group_commit.close(CLOSE_LIMIT), blocked.close(CLOSE_LIMIT), reader.close(CLOSE_LIMIT));
        writer.close(CLOSE_LIMIT).await;
    }
}

impl Connector {
    fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
            Self::Mysql(_) => DbBackend::MySql,
        }
    }
}
