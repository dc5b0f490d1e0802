//! SQLite: one file in WAL mode, one connection that writes, a pool that only reads.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use crate::config;
use crate::store::database::{Backend, Database, pool_options};

/// Versions before this one can corrupt a database in WAL mode (the WAL-reset bug).
const OLDEST_SAFE: (u32, u32, u32) = (3, 51, 3);
/// Pages in the WAL before a commit folds them back into the file: 16 MB.
const CHECKPOINT_PAGES: &str = "4000";

pub(super) async fn open(path: &Path, config: &config::Database) -> anyhow::Result<Database> {
    let which = || format!("cannot open the database {}", path.display());
    create_private(path).with_context(which)?;
    let writer = connect(path, 1, config, |options| options).await.with_context(which)?;
    assert_durable(&writer).await?;
    let reader = connect(path, config.max_connections, config, |options| options.read_only(true)).await?;
    Ok(Database::new(Backend::Sqlite, writer, reader, None))
}

/// SQLite gives its side files the mode of the main one, so this is all that privacy needs.
fn create_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

async fn connect(
    path: &Path,
    connections: u32,
    config: &config::Database,
    adapt: impl Fn(SqliteConnectOptions) -> SqliteConnectOptions + Send + Sync + 'static,
) -> anyhow::Result<DatabaseConnection> {
    let path = path.to_owned();
    let mut options = pool_options("sqlite:".to_owned(), connections, config.acquire_seconds);
    options.map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_reusable(connection))));
    // The only place that reaches every connection: a PRAGMA sent through the pool reaches just one.
    options.map_sqlx_sqlite_opts(move |options| {
        adapt(options.filename(&path))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("journal_size_limit", "67108864")
            .pragma("cache_size", "-16000")
            .pragma("temp_store", "memory")
            .pragma("fullfsync", "1")
    });
    Ok(sea_orm::Database::connect(options).await?)
}

/// A connection that is still in a transaction after its release is closed.
///
/// When a sync fails or the disk is full, SQLite rolls back by itself; sqlx's own ROLLBACK then fails, and sqlx
/// counts one transaction too many from then on. Its next BEGIN would be a SAVEPOINT, and after a rollback to
/// that one nothing would ever be committed, though every statement succeeds.
async fn is_reusable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // Behind a rollback that is under way.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

async fn assert_durable(writer: &DatabaseConnection) -> anyhow::Result<()> {
    let version = ask(writer, "SELECT sqlite_version()").await?;
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    ensure!(
        (number(), number(), number()) >= OLDEST_SAFE,
        "SQLite {version} can corrupt a WAL database: 3.51.3 is needed"
    );
    for (pragma, wanted) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
        let found = ask(writer, &format!("PRAGMA {pragma}")).await?;
        if found != wanted {
            bail!("SQLite refused PRAGMA {pragma}={wanted}: it is {found}");
        }
    }
    Ok(())
}

async fn ask(connection: &DatabaseConnection, sql: &str) -> anyhow::Result<String> {
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
    let row = rows.first().with_context(|| format!("{sql}: no answer"))?;
    match row.try_get_by_index::<String>(0) {
        Ok(text) => Ok(text),
        Err(_) => Ok(row.try_get_by_index::<i64>(0)?.to_string()),
    }
}
