//! What the slices ask the database through: SeaORM's connections, but for two things.
//!
//! **How long an answer may take.** A database server that vanishes without closing its connections would be waited for
//! without end: the driver has no limit, and where nothing is left to be sent, TCP has none either. What is given up so
//! may have happened.
//!
//! **How MariaDB is told a moment.** SeaORM would send it as a TIMESTAMP. MariaDB takes what lies behind 2038 for none and
//! stores NULL, without an error: a key would never expire. As a DATETIME it is kept to the year 9999.

use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement, Value, Values,
};

/// A pool of connections, or a transaction.
#[derive(Clone, Debug)]
pub struct Connection<C> {
    pub(super) inner: C,
    pub(super) limit: Limit,
}

/// How long the database may take for one answer; none for the embedded one, which has no network to get lost in and
/// must not be torn from its work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit(pub(super) Option<Duration>);

impl Limit {
    /// Waits for an answer, so long.
    pub(super) async fn wait<T>(self, answer: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let Some(limit) = self.0 else { return answer.await };
        let silent = |_| Err(DbErr::Custom(format!("the database was silent for {} s", limit.as_secs())));
        tokio::time::timeout(limit, answer).await.unwrap_or_else(silent)
    }
}

/// A pool to read from.
pub type DatabaseReader = Connection<DatabaseConnection>;
/// A transaction that has begun.
pub type DatabaseTransaction = Connection<sea_orm::DatabaseTransaction>;

#[async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Connection<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.limit.wait(self.inner.execute_raw(with_moments(statement))).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.limit.wait(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.limit.wait(self.inner.query_one_raw(with_moments(statement))).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.limit.wait(self.inner.query_all_raw(with_moments(statement))).await
    }
}

fn with_moments(mut statement: Statement) -> Statement {
    if statement.db_backend == DbBackend::MySql
        && let Some(Values(values)) = &mut statement.values
    {
        for value in values {
            if let Value::ChronoDateTimeUtc(moment) = value {
                *value = Value::ChronoDateTime(moment.map(|moment| moment.naive_utc()));
            }
        }
    }
    statement
}
