//! Bringing the database to the shape that this binary expects, and refusing one that it does not know.

use anyhow::{Context as _, bail};
use migration::{Migrator, MigratorTrait, Query, SchemaManager};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};

use crate::store::{Backend, Database};

/// Any number; all servers of one database take the same lock.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(3227106112)";
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
/// Those of [`status`], or a migration that fails: it is rolled back, those before it stay.
pub async fn up(database: &Database) -> anyhow::Result<()> {
    let lock = lock(database).await?;
    status(database).await?;
    Migrator::up(database.writer(), None).await.context("a migration failed")?;
    release(lock).await
}

/// Takes back the last `steps` migrations, and with them what their tables hold.
///
/// # Errors
/// Those of [`up`].
pub async fn down(database: &Database, steps: u32) -> anyhow::Result<()> {
    let lock = lock(database).await?;
    status(database).await?;
    Migrator::down(database.writer(), Some(steps)).await.context("a migration could not be taken back")?;
    release(lock).await
}

/// Drops every table and begins again: everything is lost.
///
/// # Errors
/// What the database says.
pub async fn fresh(database: &Database) -> anyhow::Result<()> {
    Migrator::fresh(database.writer()).await.context("the database could not be emptied")
}

/// Reads only, because probes of readiness ask for it: sea-orm's own list begins by writing, and would wait
/// behind the one writer.
async fn applied(reader: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    if !SchemaManager::new(reader).has_table(LIST).await? {
        return Ok(Vec::new());
    }
    let versions = Query::select().column("version").from(LIST).to_owned();
    reader.query_all(&versions).await?.iter().map(|row| row.try_get("", "version")).collect()
}

/// None on SQLite: the migrations need its one writer, which takes turns by itself.
async fn lock(database: &Database) -> anyhow::Result<Option<DatabaseTransaction>> {
    if database.backend() == Backend::Sqlite {
        return Ok(None);
    }
    let transaction = database.writer().begin().await?;
    // It is idle on purpose while the migrations run over other connections.
    transaction.execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
    transaction.execute_unprepared(MIGRATION_LOCK).await?;
    Ok(Some(transaction))
}

async fn release(lock: Option<DatabaseTransaction>) -> anyhow::Result<()> {
    if let Some(transaction) = lock {
        transaction.commit().await?;
    }
    Ok(())
}
