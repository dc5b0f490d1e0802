//! Bringing the database to the shape that this binary expects, and refusing one that it does not know.

use anyhow::{Context as _, bail, ensure};
use migration::{Migrator, MigratorTrait, Query};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement, TransactionTrait,
};

use crate::store::{Backend, Database, DatabaseReader};

/// Any number; all servers of one database take the same lock. The transaction is idle on purpose while the migrations
/// run over other connections.
const LOCK_POSTGRES: &str =
    "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock(3227106112)";
/// The lock is the connection's, which is silent on purpose, and not in a transaction because that may not be silent.
const BEFORE_LOCK_MYSQL: &str = "COMMIT; SET SESSION wait_timeout = 86400";
/// Its name belongs to the whole server, and must be short.
const LOCK_MYSQL: &str = "SELECT GET_LOCK(CONCAT('cloakroom ', MD5(DATABASE())), 86400)";
const UNLOCK_MYSQL: &str = "SELECT RELEASE_LOCK(CONCAT('cloakroom ', MD5(DATABASE())))";
/// The table that sea-orm keeps its list in.
const LIST: &str = "seaql_migrations";

/// One migration, and whether this database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The migration's name.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
}

/// Every migration that this binary knows, in order.
///
/// # Errors
/// A database that cannot be read, or that was migrated by a newer binary.
pub async fn status(database: &Database) -> anyhow::Result<Vec<Status>> {
    let applied = applied(database.reader()).await.context("cannot read the list of migrations")?;
    let known: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    if let Some(newer) = applied.iter().find(|version| !known.contains(version)) {
        bail!("the database is newer than this binary: it has the migration {newer}, which this version does not know");
    }
    Ok(known.into_iter().map(|name| Status { applied: applied.contains(&name), name }).collect())
}

/// How many migrations wait to be applied.
///
/// # Errors
/// Those of [`status`].
pub async fn pending(database: &Database) -> anyhow::Result<usize> {
    Ok(status(database).await?.iter().filter(|migration| !migration.applied).count())
}

/// Applies what is pending; several replicas may try at once.
///
/// # Errors
/// Those of [`status`], or a migration that fails: it is rolled back, those before it stay. MariaDB cannot roll a change
/// of tables back: there the migration goes on where it stopped when it is applied again.
pub async fn up(database: &Database) -> anyhow::Result<()> {
    alone(database, async |connection| {
        status(database).await?;
        Migrator::up(connection, None).await.context("a migration failed")
    })
    .await
}

/// Takes back the last `steps` migrations, and with them what their tables hold.
///
/// # Errors
/// Those of [`up`].
pub async fn down(database: &Database, steps: u32) -> anyhow::Result<()> {
    alone(database, async |connection| {
        status(database).await?;
        Migrator::down(connection, Some(steps)).await.context("a migration could not be taken back")
    })
    .await
}

/// Drops every table and begins again: everything is lost.
///
/// # Errors
/// What the database says.
pub async fn fresh(database: &Database) -> anyhow::Result<()> {
    Migrator::fresh(&database.open_for_migrations().await?).await.context("the database could not be emptied")
}

/// Reads only, because probes of readiness ask for it: sea-orm's own list begins by writing, and would wait
/// behind the one writer.
async fn applied(reader: &DatabaseReader) -> Result<Vec<String>, DbErr> {
    let backend = reader.get_database_backend();
    let exists = match backend {
        DbBackend::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
        DbBackend::Postgres => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
        _ => {
            "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'seaql_migrations'"
        }
    };
    if reader.query_one_raw(Statement::from_string(backend, exists)).await?.is_none() {
        return Ok(Vec::new());
    }
    let versions = Query::select().column("version").from(LIST).to_owned();
    reader.query_all(&versions).await?.iter().map(|row| row.try_get("", "version")).collect()
}

/// Does it while no other server migrates this database.
async fn alone(
    database: &Database,
    work: impl AsyncFnOnce(&DatabaseConnection) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let connection = database.open_for_migrations().await?;
    let lock = lock(database, &connection).await?;
    let outcome = work(&connection).await;
    let unlocked = match lock {
        Some(transaction) => unlock(database, transaction).await,
        None => Ok(()),
    };
    // Why the work failed says more than that the connection failed after it.
    outcome.and(unlocked).and(connection.close().await.map_err(anyhow::Error::from))
}

/// None on SQLite: the migrations need its one writer, which takes turns by itself.
async fn lock(database: &Database, pool: &DatabaseConnection) -> anyhow::Result<Option<DatabaseTransaction>> {
    if database.backend() == Backend::Sqlite {
        return Ok(None);
    }
    let connection = pool.begin().await?;
    if database.backend() == Backend::Postgres {
        connection.execute_unprepared(LOCK_POSTGRES).await?;
    } else {
        connection.execute_unprepared(BEFORE_LOCK_MYSQL).await?;
        let answer = connection.query_one_raw(Statement::from_string(DbBackend::MySql, LOCK_MYSQL)).await?;
        let locked = answer.map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten();
        ensure!(locked == Some(1), "another server has been migrating the database for a day");
    }
    Ok(Some(connection))
}

async fn unlock(database: &Database, connection: DatabaseTransaction) -> anyhow::Result<()> {
    if database.backend() == Backend::Mysql {
        connection.execute_unprepared(UNLOCK_MYSQL).await?;
    }
    Ok(connection.commit().await?)
}
