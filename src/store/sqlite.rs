//! SQLite: one file in WAL mode, one connection that writes, a pool that only reads.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, SqlxSqliteConnector, Statement};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Executor as _};

use crate::config;
use crate::store::database::{Connector, Database, Pools};
use crate::store::open_files::beside;
use crate::store::pool::{Open, Pool, PoolLimits};
use crate::store::session::Session;

/// Versions before this one can corrupt a database in WAL mode (the WAL-reset bug).
const OLDEST_SAFE: (u32, u32, u32) = (3, 51, 3);
/// Pages in the WAL before a commit folds them back into the file: 16 MB.
const CHECKPOINT_PAGES: &str = "4000";
/// Bytes that the WAL keeps after a large transaction has been folded back: four checkpoints.
const JOURNAL_SIZE_LIMIT: &str = "67108864";

/// Opens connections to a SQLite file.
#[derive(Clone, Debug)]
pub(super) struct SqliteConnector {
    path: PathBuf,
}

pub(super) async fn open(path: &Path, create: bool, config: &config::Database) -> anyhow::Result<Database> {
    let which = || format!("cannot open the database {}", path.display());
    if create {
        create_private(path).with_context(which)?;
    } else {
        ensure!(path.is_file(), "there is no database {}", path.display());
    }
    assert_one_link(path)?;
    let connector = SqliteConnector { path: path.to_owned() };
    let acquire = Duration::from_secs(config.acquire_seconds);
    let pool = |options: SqliteConnectOptions, connections| {
        let limits = PoolLimits { connections, acquire, lifetime: None };
        Pool::new(opener(options), limits)
    };
    let writer = pool(connector.options(), 1);
    let readers = config.max_connections as usize;
    let reader = pool(connector.options().read_only(true), readers);
    let pools = Pools { reader, writer: writer.clone(), group_commit: writer.clone(), blocked: writer };
    let database = Database::new(Connector::Sqlite(connector), pools, None);
    assert_durable(&database).await.with_context(which)?;
    // A file that is no database is found out here.
    database.reader().execute_unprepared("SELECT 1 FROM sqlite_schema LIMIT 1").await.with_context(which)?;
    Ok(database)
}

/// Opens a file that nobody writes to: not a byte of it changes.
pub(super) fn open_immutable(path: &Path) -> Database {
    let connector = SqliteConnector { path: path.to_owned() };
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let limits = PoolLimits { connections: 1, acquire: Duration::from_secs(60), lifetime: None };
    let pool = Pool::new(opener(options), limits);
    let pools = Pools { reader: pool.clone(), writer: pool.clone(), group_commit: pool.clone(), blocked: pool };
    Database::new(Connector::Sqlite(connector), pools, None)
}

fn opener(options: SqliteConnectOptions) -> Open {
    let options = options.disable_statement_logging();
    Box::new(move || {
        let options = options.clone();
        Box::pin(async move { Ok(Session::Sqlite(Box::new(options.connect().await?))) })
    })
}

/// SQLite gives its side files the mode of the main one, so this is all that privacy needs.
fn create_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

/// SQLite names its `-wal` file after the database, so two programs that open a file under two
/// names corrupt it.
fn assert_one_link(path: &Path) -> anyhow::Result<()> {
    let links = path.metadata()?.nlink();
    ensure!(
        links <= 1,
        "the database {} has {links} hard links, and SQLite would corrupt it if it were used under two names: \
         remove the others, or replace them by copies",
        path.display()
    );
    Ok(())
}

impl SqliteConnector {
    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("journal_size_limit", JOURNAL_SIZE_LIMIT)
            .pragma("cache_size", "-16000")
            .pragma("temp_store", "memory")
            .pragma("fullfsync", "1")
    }

    /// Opens one more connection, which only keeps SQLite from replacing the `-wal` file: the last
    /// connection to close would delete it.
    pub(super) async fn keep_wal(&self) -> anyhow::Result<SqliteConnection> {
        let mut connection = self.options().read_only(true).disable_statement_logging().connect().await?;
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").await?;
        Ok(connection)
    }

    /// The database as the settings name it, and its log as SQLite names it, with links resolved.
    pub(super) fn files(&self) -> std::io::Result<[PathBuf; 2]> {
        Ok([std::path::absolute(&self.path)?, beside(&self.path.canonicalize()?, "-wal")])
    }

    pub(super) async fn open_for_migrations(&self) -> anyhow::Result<DatabaseConnection> {
        let options = self.options().disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
    }
}

async fn assert_durable(database: &Database) -> anyhow::Result<()> {
    let version = ask(database, "SELECT sqlite_version()").await?;
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    ensure!(
        (number(), number(), number()) >= OLDEST_SAFE,
        "SQLite {version} can corrupt a WAL database: 3.51.3 is needed"
    );
    for (pragma, wanted) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
        let found = ask(database, &format!("PRAGMA {pragma}")).await?;
        if found != wanted {
            bail!("SQLite refused PRAGMA {pragma}={wanted}: it is {found}");
        }
    }
    Ok(())
}

async fn ask(database: &Database, sql: &str) -> anyhow::Result<String> {
    let mut session = database.writer.pool.acquire().await?;
    let statement = Statement::from_string(DbBackend::Sqlite, sql);
    let rows = session.run(None, async move |session| session.query_all(statement).await).await?;
    let row = rows.first().with_context(|| format!("{sql}: no answer"))?;
    match row.try_get_by_index::<String>(0) {
        Ok(text) => Ok(text),
        Err(_) => Ok(row.try_get_by_index::<i64>(0)?.to_string()),
    }
}

/// Checks the pages of the whole file; stops at the first that is damaged.
pub(super) async fn quick_check(database: &Database) -> anyhow::Result<()> {
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA quick_check(1)");
    let rows = database.reader().query_all_raw(check).await?;
    let answer = rows.first().map(|row| row.try_get_by_index::<String>(0)).transpose()?;
    ensure!(answer.as_deref() == Some("ok"), "the snapshot is damaged: {}", answer.unwrap_or_default());
    Ok(())
}
