//! MariaDB and MySQL: one pool for reading and writing, shared by any number of replicas.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sqlx::Executor as _;

use crate::config;
use crate::store::database::{Backend, Database, pool_options};

/// A connection that was idle for longer may have died unnoticed, and is asked first.
const PING_AFTER: Duration = Duration::from_secs(1);

/// What every connection begins with. What stands in `/*M! */` is read by MariaDB alone, in `/*!80017 */` by MySQL alone.
///
/// * Text is compared byte for byte: one form of a name or a key is not another, also if a space follows.
/// * A statement sees what was committed before it, and a lock of rows locks no gaps between them.
/// * After 3 seconds of silence MariaDB gives a transaction up, with its locks: a replica that was stopped or cut off
///   in the midst of one holds up the others no longer, and cannot write later. MySQL has no such setting.
/// * Whoever waits for a lock for 5 seconds begins again.
const SETTINGS: &str = "SET NAMES utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */, \
    time_zone = '+00:00', \
    sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,\
                PIPES_AS_CONCAT', \
    /*M! idle_transaction_timeout = 3, */ \
    innodb_lock_wait_timeout = 5; \
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// The first versions with all that is asked of them, such as `JSON_TABLE`.
const OLDEST_MARIADB: (u32, u32, u32) = (10, 6, 0);
const OLDEST_MYSQL: (u32, u32, u32) = (8, 0, 17);

pub(super) async fn open(config: &config::Database) -> anyhow::Result<Database> {
    let url = config.url.replacen("mariadb:", "mysql:", 1);
    let mut options = pool_options(url, config.max_connections.max(2), config.acquire_seconds);
    options
        .test_before_acquire_if_idle_for(PING_AFTER)
        // All in one round trip, and ours.
        .map_sqlx_mysql_opts(|options| {
            options.set_names(false).timezone(None).pipes_as_concat(false).no_engine_substitution(false)
        })
        .map_sqlx_mysql_pool_opts(|pool| {
            pool.after_connect(|connection, _| Box::pin(async move { connection.execute(SETTINGS).await.map(drop) }))
        });
    let pool = sea_orm::Database::connect(options)
        .await
        .with_context(|| format!("cannot reach the database {}", config::mask_password(&config.url)))?;
    assert_new_enough(&pool).await?;
    assert_durable(&pool).await?;
    let limit = Duration::from_secs(config.answer_seconds);
    Ok(Database::new(Backend::Mysql, pool.clone(), pool, Some(limit)))
}

async fn assert_new_enough(pool: &DatabaseConnection) -> anyhow::Result<()> {
    let version = show(pool, "version").await?.unwrap_or_default();
    let mut numbers = version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    let (name, oldest) = match version.contains("MariaDB") {
        true => ("MariaDB", OLDEST_MARIADB),
        false => ("MySQL", OLDEST_MYSQL),
    };
    let (major, minor, patch) = oldest;
    let found = (number(), number(), number());
    ensure!(found >= oldest, "{name} {version} is too old: {major}.{minor}.{patch} is needed");
    Ok(())
}

/// A commit is on disk when it is acknowledged; where there is a binary log, in it as well, because after a crash what
/// is missing there is undone. Neither can be set for a session.
async fn assert_durable(pool: &DatabaseConnection) -> anyhow::Result<()> {
    let mut wanted = vec![("innodb_flush_log_at_trx_commit", "1")];
    if show(pool, "log_bin").await?.as_deref() == Some("ON") {
        wanted.push(("sync_binlog", "1"));
        let format = show(pool, "binlog_format").await?.unwrap_or_default();
        ensure!(format != "STATEMENT", "binlog_format is STATEMENT: READ COMMITTED needs ROW or MIXED");
    }
    for (variable, wanted) in wanted {
        let found = show(pool, variable).await?.unwrap_or_default();
        ensure!(
            found == wanted,
            "{variable} is {found}: a crash would lose acknowledged numbers; set it to {wanted} on the database server"
        );
    }
    Ok(())
}

async fn show(pool: &DatabaseConnection, variable: &str) -> anyhow::Result<Option<String>> {
    let sql = format!("SHOW GLOBAL VARIABLES WHERE Variable_name = '{variable}'");
    let row = pool.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await?;
    Ok(row.map(|row| row.try_get_by_index(1)).transpose()?)
}
