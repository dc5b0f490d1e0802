//! The obvious durable counter: one transaction a request, and the answer after its commit.
//!
//! It is given what a careful author would give it: WAL, one writer, a prepared statement, one round trip to
//! PostgreSQL, no ping of a connection before its use.

use std::time::Duration;

use anyhow::Context;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement,
    TransactionTrait,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

use super::Place;

pub(super) struct Counters {
    database: DatabaseConnection,
    backend: DbBackend,
}

impl Counters {
    /// A table with a row for every user: in PostgreSQL when there is a `--database`, else in a SQLite file.
    pub(super) async fn open(place: &Place, users: usize) -> anyhow::Result<Self> {
        let (backend, connections, mut connect) = match &place.database {
            Some(url) => (DbBackend::Postgres, 16, ConnectOptions::new(url)),
            None => {
                let file = place.data_dir.join("naive.sqlite3");
                (DbBackend::Sqlite, 1, ConnectOptions::new(format!("sqlite://{}?mode=rwc", file.display())))
            }
        };
        connect
            .min_connections(connections)
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(60))
            .test_before_acquire(false)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|sqlite| {
                sqlite.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
            });
        let database = Database::connect(connect).await?;
        database.execute_unprepared("CREATE TABLE counters (id BIGINT PRIMARY KEY, value BIGINT NOT NULL)").await?;
        let rows = format!(
            "WITH RECURSIVE ids (id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM ids WHERE id + 1 < {users}) \
             INSERT INTO counters SELECT id, 0 FROM ids"
        );
        database.execute_unprepared(&rows).await?;
        Ok(Self { database, backend })
    }

    pub(super) async fn next(&self, user: usize) -> anyhow::Result<i64> {
        let user = i64::try_from(user)?;
        let row = match self.backend {
            DbBackend::Sqlite => self.next_in_sqlite(user).await?,
            _ => self.next_in_postgres(user).await?,
        };
        Ok(row.context("there is no such user")?.try_get_by_index(0)?)
    }

    /// SQLite hands a row out before its statement's commit, which may still fail: so the commit is spelled out.
    async fn next_in_sqlite(&self, user: i64) -> Result<Option<QueryResult>, DbErr> {
        let sql = "UPDATE counters SET value = value + 1 WHERE id = ? RETURNING value";
        let statement = Statement::from_sql_and_values(self.backend, sql, [user.into()]);
        let transaction = self.database.begin().await?;
        let row = transaction.query_one_raw(statement).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// In PostgreSQL the statement alone is the transaction, and its row arrives with its commit.
    async fn next_in_postgres(&self, user: i64) -> Result<Option<QueryResult>, DbErr> {
        let sql = "UPDATE counters SET value = value + 1 WHERE id = $1 RETURNING value";
        self.database.query_one_raw(Statement::from_sql_and_values(self.backend, sql, [user.into()])).await
    }
}
