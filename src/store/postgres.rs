//! PostgreSQL: one pool for reading and writing, shared by any number of replicas.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::config;
use crate::store::database::{Backend, Database, pool_options};

/// A connection that was idle for longer may have died unnoticed, and is asked first.
const PING_AFTER: Duration = Duration::from_secs(1);

/// After how many milliseconds of silence a transaction is given up by the server, with its locks: a replica that
/// was stopped or cut off in the midst of one holds up the others no longer, and cannot write later.
const SILENCE_MILLISECONDS: &str = "3000";

pub(super) async fn open(config: &config::Database) -> anyhow::Result<Database> {
    let mut options = pool_options(config.url.clone(), config.max_connections.max(2), config.acquire_seconds);
    options.test_before_acquire_if_idle_for(PING_AFTER).map_sqlx_postgres_opts(|options| {
        // What is acknowledged is on disk, whatever the server's or the role's default says.
        options.application_name("cloakroom").options([
            ("synchronous_commit", "on"),
            ("default_transaction_isolation", "read committed"),
            ("idle_in_transaction_session_timeout", SILENCE_MILLISECONDS),
        ])
    });
    let pool = sea_orm::Database::connect(options)
        .await
        .with_context(|| format!("cannot reach the database {}", config::mask_password(&config.url)))?;
    ensure!(show(&pool, "synchronous_commit").await? == "on", "PostgreSQL refused synchronous_commit=on");
    if show(&pool, "fsync").await? != "on" {
        tracing::warn!("PostgreSQL runs with fsync=off: a crash of its machine loses acknowledged numbers");
    }
    let limit = Duration::from_secs(config.answer_seconds);
    Ok(Database::new(Backend::Postgres, pool.clone(), pool, Some(limit)))
}

async fn show(pool: &DatabaseConnection, setting: &str) -> anyhow::Result<String> {
    let row = pool.query_one_raw(Statement::from_string(DbBackend::Postgres, format!("SHOW {setting}"))).await?;
    Ok(row.with_context(|| format!("SHOW {setting}: no answer"))?.try_get_by_index(0)?)
}
