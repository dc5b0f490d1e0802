//! Brings the database to the schema that this binary expects, and refuses one that it does not
//! know.
//!
//! One process at a time migrates a database ([`MigrationLock`]), one migration per turn, and reads
//! anew in each turn what is pending. A turn is one transaction: the lock, the migration, and the
//! row that records it. MariaDB and MySQL commit every change of a table, so the row says first
//! that the migration is incomplete, and the steps of a migration can be repeated. So a process may
//! be killed at any moment.
//!
//! `migrate up` may run beside servers. `down` and `fresh` may not ([`super::RunningServer`]).

use anyhow::{Context as _, bail};
use migration::seaql_migrations::{ActiveModel, Column, Entity, Model};
use migration::{Migrator, MigratorTrait as _, OnConflict, SchemaManager, Table};
use sea_orm::{
    ActiveValue, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait as _,
    Statement,
};

use crate::clock::Clock;
use crate::store::catalog::has_table;
use crate::store::file_lock::FileLock;
use crate::store::migration_lock::{MigrationLock, connect};
use crate::store::server_lease;
use crate::store::{Backend, Database};

/// The table in which sea-orm-migration records what has been applied, and when.
const BOOKKEEPING: &str = "seaql_migrations";
/// `applied_at` of a migration that is being applied or taken back. It counts as pending; `up` and
/// `down` both complete what an interruption left of it.
const INCOMPLETE: i64 = -1;

/// One migration, and whether this database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The migration's name.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
}

/// Every migration that this binary knows, in order. Reads only: probes of readiness ask for it.
///
/// # Errors
/// A database that cannot be read, or that was migrated by a newer binary.
pub async fn status(database: &Database) -> anyhow::Result<Vec<Status>> {
    status_over(database.reader()).await
}

/// The number of migrations that are to be applied.
///
/// # Errors
/// Those of [`status`].
pub async fn pending(database: &Database) -> anyhow::Result<usize> {
    pending_over(database.reader()).await
}

pub(super) async fn pending_over(connection: &impl ConnectionTrait) -> anyhow::Result<usize> {
    Ok(status_over(connection).await?.iter().filter(|migration| !migration.applied).count())
}

/// Applies what is pending; several processes may try at once.
///
/// # Errors Those of [`status`], or a migration that fails: it is rolled back, those before it
/// stay. MariaDB and MySQL cannot roll back changes of tables: there the migration continues where
/// it stopped when it is applied again.
pub async fn up(database: &Database) -> anyhow::Result<()> {
    let connection = connect(database).await?;
    loop {
        let lock = MigrationLock::acquire(&connection).await?;
        let applied = apply_next(lock.transaction()).await;
        match lock.release(applied).await? {
            Some(name) => tracing::info!("applied migration {name}"),
            None => return Ok(connection.close().await?),
        }
    }
}

/// Takes back the last `steps` migrations, and with them what their tables hold.
///
/// # Errors
/// A server that uses the database; those of [`up`].
pub async fn down(database: &Database, steps: u32) -> anyhow::Result<()> {
    let _lock = lock_file(database).await?;
    let connection = connect(database).await?;
    for _ in 0..steps {
        let lock = MigrationLock::acquire(&connection).await?;
        let taken_back = take_back_last(lock.transaction()).await;
        match lock.release(taken_back).await? {
            Some(name) => tracing::info!("took back migration {name}"),
            None => break,
        }
    }
    Ok(connection.close().await?)
}

/// Drops every table and begins again: everything is lost.
///
/// # Errors
/// A server that uses the database; those of the database.
pub async fn fresh(database: &Database) -> anyhow::Result<()> {
    let _lock = lock_file(database).await?;
    let connection = connect(database).await?;
    // SQLite ignores this setting within a transaction.
    let emptied = match database.backend() {
        Backend::Sqlite => {
            connection.execute_unprepared("PRAGMA foreign_keys = OFF").await?;
            let emptied = empty(&connection).await;
            connection.execute_unprepared("PRAGMA foreign_keys = ON").await?;
            emptied
        }
        Backend::Postgres | Backend::Mysql => empty(&connection).await,
    };
    emptied.context("the database could not be emptied")?;
    connection.close().await?;
    up(database).await
}

/// Keeps servers of a SQLite database from starting, or fails if one runs.
async fn lock_file(database: &Database) -> anyhow::Result<Option<FileLock>> {
    match database.is_shared() {
        true => Ok(None),
        false => FileLock::acquire(database).await.map(Some),
    }
}

async fn status_over(connection: &impl ConnectionTrait) -> anyhow::Result<Vec<Status>> {
    let rows = bookkeeping(connection).await.context("cannot read the list of migrations")?;
    let known: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    if let Some(newer) = rows.iter().find(|row| !known.contains(&row.version)) {
        let newer = &newer.version;
        bail!("the database is newer than this binary: it has the migration {newer}, which this version does not know");
    }
    let is_applied = |name: &String| rows.iter().any(|row| row.version == *name && row.applied_at != INCOMPLETE);
    Ok(known.into_iter().map(|name| Status { applied: is_applied(&name), name }).collect())
}

/// sea-orm's own list begins with a write, and would wait behind the one writer.
async fn bookkeeping(connection: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    match has_table(connection, BOOKKEEPING).await? {
        true => Entity::find().all(connection).await,
        false => Ok(Vec::new()),
    }
}

/// Applies the first migration that is pending. Returns its name; `None` if none is.
async fn apply_next(transaction: &DatabaseTransaction) -> anyhow::Result<Option<String>> {
    let status = status_over(transaction).await?;
    let mut pending = Migrator::migrations().into_iter().zip(status).filter(|(_, status)| !status.applied);
    let Some((migration, Status { name, .. })) = pending.next() else { return Ok(None) };
    Migrator::install(transaction).await?;
    record(transaction, &name, INCOMPLETE).await?;
    migration.up(&SchemaManager::new(transaction)).await.with_context(|| format!("the migration {name} failed"))?;
    record(transaction, &name, Clock::System.now().timestamp()).await?;
    Ok(Some(name))
}

/// Takes back the last migration that has been applied, in whole or in part. Returns its name;
/// `None` if none has been.
async fn take_back_last(transaction: &DatabaseTransaction) -> anyhow::Result<Option<String>> {
    status_over(transaction).await?;
    server_lease::assert_no_server(transaction).await?;
    let rows = bookkeeping(transaction).await?;
    let is_recorded = |name: &str| rows.iter().any(|row| row.version == name);
    let last = Migrator::migrations().into_iter().rfind(|migration| is_recorded(migration.name()));
    let Some(migration) = last else { return Ok(None) };
    let name = migration.name();
    record(transaction, name, INCOMPLETE).await?;
    migration
        .down(&SchemaManager::new(transaction))
        .await
        .with_context(|| format!("{name} could not be taken back"))?;
    Entity::delete_by_id(name).exec(transaction).await?;
    Ok(Some(name.to_owned()))
}

async fn record(transaction: &DatabaseTransaction, name: &str, applied_at: i64) -> Result<(), DbErr> {
    let row = ActiveModel { version: ActiveValue::Set(name.to_owned()), applied_at: ActiveValue::Set(applied_at) };
    let replace = OnConflict::column(Column::Version).update_column(Column::AppliedAt).to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(transaction).await.map(drop)
}

async fn empty(connection: &DatabaseConnection) -> anyhow::Result<()> {
    let lock = MigrationLock::acquire(connection).await?;
    let emptied = drop_tables(lock.transaction()).await;
    lock.release(emptied).await
}

async fn drop_tables(transaction: &DatabaseTransaction) -> anyhow::Result<()> {
    server_lease::assert_no_server(transaction).await?;
    let backend = transaction.get_database_backend();
    if backend != DbBackend::MySql {
        return Ok(Migrator::fresh(transaction).await?);
    }
    // sea-orm drops one table after the other, and the list of migrations behind tables that it
    // says are there. With one statement all are gone, or the list at least.
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
                  AND table_type = 'BASE TABLE' ORDER BY table_name <> 'seaql_migrations'";
    let mut drop = Table::drop();
    drop.if_exists();
    let rows = transaction.query_all_raw(Statement::from_string(backend, tables)).await?;
    if rows.is_empty() {
        return Ok(());
    }
    for row in rows {
        drop.table(row.try_get_by_index::<String>(0)?);
    }
    transaction.execute_unprepared("SET SESSION foreign_key_checks = 0").await?;
    let dropped = transaction.execute(&drop).await;
    transaction.execute_unprepared("SET SESSION foreign_key_checks = 1").await?;
    Ok(dropped.map(|_| ())?)
}
