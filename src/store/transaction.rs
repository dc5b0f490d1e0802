//! A transaction: on one connection from BEGIN to COMMIT or ROLLBACK.

use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio::sync::Mutex;

use crate::store::failure::is_lost;
use crate::store::pool::Pool;
use crate::store::pooled_session::PooledSession;
use crate::store::reader::{exec_error, query_error};

/// A transaction that has begun. Dropped before its end, its connection is closed, and the database
/// undoes it.
pub struct DatabaseTransaction {
    session: Mutex<PooledSession>,
    backend: DbBackend,
    limit: Option<Duration>,
}

impl DatabaseTransaction {
    /// On SQLite it begins IMMEDIATE: a transaction that turns from reading to writing fails at once
    /// if another one writes. A connection that the database had closed is replaced.
    pub(super) async fn begin(pool: &Pool, backend: DbBackend, limit: Option<Duration>) -> Result<Self, DbErr> {
        let begin = if backend == DbBackend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        let mut is_second = false;
        loop {
            let mut session = pool.acquire().await?;
            session.enter_transaction();
            match session.run(limit, async |session| session.execute_unprepared(begin).await).await {
                Ok(_) => return Ok(Self { session: Mutex::new(session), backend, limit }),
                Err(error) if is_lost(&error) && !is_second => is_second = true,
                Err(error) => return Err(exec_error(error)),
            }
        }
    }

    /// Commits. After an error the connection is closed: SQLite may be left in a transaction, and a
    /// server in a state that nobody knows.
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        self.end("COMMIT").await
    }

    /// Undoes what was done.
    pub(super) async fn rollback(self) -> Result<(), DbErr> {
        self.end("ROLLBACK").await
    }

    async fn end(self, sql: &str) -> Result<(), DbErr> {
        let mut session = self.session.into_inner();
        let ended = session.run(self.limit, async |session| session.execute_unprepared(sql).await);
        match ended.await {
            Ok(_) => {
                session.leave_transaction();
                Ok(())
            }
            Err(error) => {
                session.close().await;
                Err(exec_error(error))
            }
        }
    }
}

#[async_trait]
impl ConnectionTrait for DatabaseTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut session = self.session.lock().await;
        let run = session.run(self.limit, async move |session| session.execute(statement).await);
        run.await.map_err(exec_error)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut session = self.session.lock().await;
        let run = session.run(self.limit, async |session| session.execute_unprepared(sql).await);
        run.await.map_err(exec_error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut session = self.session.lock().await;
        let run = session.run(self.limit, async move |session| session.query_one(statement).await);
        run.await.map_err(query_error)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut session = self.session.lock().await;
        let run = session.run(self.limit, async move |session| session.query_all(statement).await);
        run.await.map_err(query_error)
    }
}
