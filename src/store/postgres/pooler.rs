//! Recognizes a connection pooler that gives each transaction another session.

use std::time::Duration;

use anyhow::bail;
use sea_orm::{DbBackend, Statement};

use crate::store::failure::Failure;
use crate::store::pool::Pool;
use crate::store::pooled_session::PooledSession;

const REFUSED: &str = "database.url leads to a connection pooler in transaction or statement mode, in which LISTEN, \
                       session settings and prepared statements do not work: set pool_mode = session for this \
                       database in the pooler, or connect to PostgreSQL directly";
const LIMIT: Option<Duration> = Some(Duration::from_secs(2));

/// Two connections have two sessions, and each keeps its own: a pooler in transaction mode lends the
/// session of one to the other as soon as its transaction has ended.
pub(super) async fn refuse_transaction_pooling(pool: &Pool) -> anyhow::Result<()> {
    let mut first = pool.acquire().await?;
    // Where the database grants but one connection, nothing can be told.
    let Ok(mut second) = pool.acquire().await else { return Ok(()) };
    for _ in 0..2 {
        match are_separate(&mut first, &mut second).await {
            Ok(true) => std::mem::swap(&mut first, &mut second),
            Ok(false) => bail!(REFUSED),
            Err(error) if is_pooler(&error) => bail!(REFUSED),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn are_separate(first: &mut PooledSession, second: &mut PooledSession) -> sqlx::Result<bool> {
    let before = session_id(first).await?;
    second.enter_transaction();
    second.run(LIMIT, async |session| session.execute_unprepared("BEGIN").await).await?;
    let other = session_id(second).await?;
    let separate = before != other && session_id(first).await? == before;
    second.run(LIMIT, async |session| session.execute_unprepared("ROLLBACK").await).await?;
    second.leave_transaction();
    Ok(separate)
}

async fn session_id(session: &mut PooledSession) -> sqlx::Result<Option<i32>> {
    let statement = Statement::from_string(DbBackend::Postgres, "SELECT pg_backend_pid()");
    let row = session.run(LIMIT, async move |session| session.query_one(statement).await).await?;
    Ok(row.and_then(|row| row.try_get_by_index(0).ok()))
}

/// A prepared statement that belongs to another session, or a transaction that is not allowed.
fn is_pooler(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    Failure::of_driver(error) == Failure::Terminated || code.is_some_and(|code| code == "08P01")
}
