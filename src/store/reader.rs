//! Reading, outside of any transaction.

use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

use crate::store::failure::is_lost;
use crate::store::pool::Pool;
use crate::store::session::Session;

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

/// Runs a statement on a connection of the pool, and again on another one if the database had closed the first. Reading
/// twice does no harm.
macro_rules! run {
    ($reader:ident, $work:expr, $to_error:ident) => {{
        let mut session = $reader.pool.acquire().await?;
        match session.run($reader.limit, $work).await {
            Err(error) if is_lost(&error) => {
                drop(session);
                let mut session = $reader.pool.acquire().await?;
                session.run($reader.limit, $work).await.map_err($to_error)
            }
            outcome => outcome.map_err($to_error),
        }
    }};
}

#[async_trait]
impl ConnectionTrait for DatabaseReader {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        run!(self, async |session: &mut Session| session.execute(statement.clone()).await, exec_error)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        run!(self, async |session: &mut Session| session.execute_unprepared(sql).await, exec_error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        run!(self, async |session: &mut Session| session.query_one(statement.clone()).await, query_error)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        run!(self, async |session: &mut Session| session.query_all(statement.clone()).await, query_error)
    }
}

pub(super) fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

pub(super) fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
