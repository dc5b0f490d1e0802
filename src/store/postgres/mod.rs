//! PostgreSQL: pools of connections to one server, or to the one of several that accepts writes.

mod connector;
mod pooler;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::config::{self, PostgresUrl};
use crate::store::database::{Connector, Database, Pools};
use crate::store::pool::{Open, Pool, PoolLimits};
use crate::store::reader::DatabaseReader;
use crate::store::session::Session;

pub(super) use connector::PostgresConnector;

/// The part of `database.answer_seconds` that a statement waits for a lock; then it is run again. The group commit does not
/// wait for one row at the cost of all others.
const LOCK_TIMEOUTS_IN_ANSWER: u32 = 4;
const LOCK_TIMEOUT_OF_GROUP_COMMIT: Duration = Duration::from_millis(200);

pub(super) async fn open(url: &PostgresUrl, config: &config::Database) -> anyhow::Result<Database> {
    let which = |verb: &str| format!("cannot {verb} the database {url}");
    let connector = Arc::new(PostgresConnector::new(url.clone()));
    let limit = Duration::from_secs(config.answer_seconds);
    let lock_timeout = limit / LOCK_TIMEOUTS_IN_ANSWER;
    // The first connection by itself: a wrong address or password is an answer, not a reason to wait.
    let first = connector.connect(lock_timeout).await.map_err(anyhow::Error::from).with_context(|| which("reach"))?;
    drop(first);
    let limits = PoolLimits::of_server(config);
    let main = Pool::new(opener(&connector, lock_timeout), limits);
    let single = || {
        let limits = PoolLimits { connections: 1, ..limits };
        Pool::backed_by(opener(&connector, LOCK_TIMEOUT_OF_GROUP_COMMIT), limits, main.clone())
    };
    let pools = Pools { reader: main.clone(), writer: main.clone(), group_commit: single(), blocked: single() };
    let database = Database::new(Connector::Postgres(connector), pools, Some(limit));
    check(&database).await.with_context(|| which("use"))?;
    Ok(database)
}

fn opener(connector: &Arc<PostgresConnector>, lock_timeout: Duration) -> Open {
    let connector = Arc::clone(connector);
    Box::new(move || {
        let connector = Arc::clone(&connector);
        Box::pin(async move { Ok(Session::Postgres(Box::new(connector.connect(lock_timeout).await?))) })
    })
}

async fn check(database: &Database) -> anyhow::Result<()> {
    let reader = database.reader();
    pooler::refuse_transaction_pooling(&reader.pool).await?;
    let encoding = show(reader, "server_encoding").await?;
    ensure!(
        encoding == "UTF8",
        "the database's encoding is {encoding}, which cannot store every name: create it with ENCODING 'UTF8'"
    );
    let synchronous = show(reader, "synchronous_commit").await?;
    ensure!(
        ["on", "remote_apply"].contains(&synchronous.as_str()),
        "PostgreSQL refused synchronous_commit=on: a crash would lose acknowledged numbers"
    );
    if show(reader, "fsync").await? != "on" {
        tracing::warn!("PostgreSQL runs with fsync=off: a crash of its machine loses acknowledged numbers");
    }
    // Opened now, so that the other connections leave it its place.
    drop(database.group_commit_writer().pool.acquire().await?);
    Ok(())
}

/// Fails if the server is a standby or read-only.
pub(super) async fn assert_writable(reader: &DatabaseReader) -> anyhow::Result<()> {
    let sql = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'";
    let row = reader.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    if row.context("no answer")?.try_get_by_index(0)? {
        // The connection may lead to the former primary, while new ones lead to the present one.
        reader.pool.discard_idle();
        bail!("the database is read-only");
    }
    Ok(())
}

async fn show(reader: &DatabaseReader, setting: &str) -> anyhow::Result<String> {
    let row = reader.query_one_raw(Statement::from_string(DbBackend::Postgres, format!("SHOW {setting}"))).await?;
    Ok(row.with_context(|| format!("SHOW {setting}: no answer"))?.try_get_by_index(0)?)
}
