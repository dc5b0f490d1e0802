//! Reading, outside of any transaction.

use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

use crate::store::pool::Pool;

/// Runs statements that only read, each on a connection of the pool. Cheap to clone.
///
/// A statement sees everything that was committed before it began. One that fails or is abandoned
/// had no effect.
#[derive(Clone, Debug)]
pub struct DatabaseReader {
    pub(super) pool: Pool,
    pub(super) backend: DbBackend,
    /// Longest time that an answer may take. None on SQLite, which has no network to get lost in.
    pub(super) limit: Option<Duration>,
}

#[async_trait]
impl ConnectionTrait for DatabaseReader {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut session = self.pool.acquire().await?;
        let run = session.run(self.limit, async move |session| session.execute(statement).await);
        run.await.map_err(exec_error)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut session = self.pool.acquire().await?;
        let run = session.run(self.limit, async |session| session.execute_unprepared(sql).await);
        run.await.map_err(exec_error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut session = self.pool.acquire().await?;
        let run = session.run(self.limit, async move |session| session.query_one(statement).await);
        run.await.map_err(query_error)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut session = self.pool.acquire().await?;
        let run = session.run(self.limit, async move |session| session.query_all(statement).await);
        run.await.map_err(query_error)
    }
}

pub(super) fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

pub(super) fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
