//! Brings the database to the schema that this binary expects, and refuses one that it does not know.
//!
//! One process at a time migrates a database ([`MigrationLock`]), one migration per turn, and reads anew in each turn
//! what is pending. A migration is atomic on SQLite and PostgreSQL, and continues where it stopped on MariaDB and MySQL,
//! so a process may be killed at any moment.
//!
//! `migrate up` may run beside servers. `down` and `fresh` may not ([`super::RunningServer`]).

use anyhow::{Context as _, bail};
use migration::seaql_migrations::{ActiveModel, Column, Entity, Model};
use migration::{Migrator, MigratorTraitSelf as _, OnConflict, Table};
use sea_orm::{
    ActiveValue, ColumnTrait as _, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait as _, QueryFilter as _, Statement,
};

use crate::store::catalog::has_table;
use crate::store::file_lock::FileLock;
use crate::store::migration_lock::{MigrationLock, connect};
use crate::store::server_lease;
use crate::store::{Backend, Database};

/// The table in which sea-orm-migration records what has been applied, and when.
const BOOKKEEPING: &str = "seaql_migrations";
/// `applied_at` of a migration that is being taken back. It counts as pending, so that `up` repairs what an interrupted
/// `down` left of it on MariaDB or MySQL. On the others a transaction hides it.
const TAKING_BACK: i64 = -1;
/// `applied_at` of a pending migration while `down` removes what an interrupted `up` left of it.
const REMOVING_REST: i64 = -2;

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
/// # Errors
/// Those of [`status`], or a migration that fails: it is rolled back, those before it stay. MariaDB and MySQL cannot roll
/// back changes of tables: there the migration continues where it stopped when it is applied again.
pub async fn up(database: &Database) -> anyhow::Result<()> {
    let connection = connect(database);
    loop {
        let lock = MigrationLock::acquire(&connection).await?;
        let applied = apply_next(lock.transaction()).await;
        if !lock.release(applied).await? {
            return Ok(());
        }
    }
}

/// Takes back the last `steps` migrations, and with them what their tables hold.
///
/// # Errors
/// A server that uses the database; those of [`up`].
pub async fn down(database: &Database, steps: u32) -> anyhow::Result<()> {
    let _lock = lock_file(database).await?;
    let connection = connect(database);
    for _ in 0..steps {
        let lock = MigrationLock::acquire(&connection).await?;
        let taken_back = take_back_last(lock.transaction()).await;
        if !lock.release(taken_back).await? {
            break;
        }
    }
    Ok(())
}

/// Drops every table and begins again: everything is lost.
///
/// # Errors
/// A server that uses the database; those of the database.
pub async fn fresh(database: &Database) -> anyhow::Result<()> {
    let _lock = lock_file(database).await?;
    let connection = connect(database);
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
    let known = Migrator::names();
    if let Some(newer) = rows.iter().find(|row| !known.contains(&row.version)) {
        let newer = &newer.version;
        bail!("the database is newer than this binary: it has the migration {newer}, which this version does not know");
    }
    let is_applied = |name: &String| rows.iter().any(|row| row.version == *name && row.applied_at >= 0);
    Ok(known.into_iter().map(|name| Status { applied: is_applied(&name), name }).collect())
}

/// sea-orm's own list begins with a write, and would wait behind the one writer.
async fn bookkeeping(connection: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    match has_table(connection, BOOKKEEPING).await? {
        true => Entity::find().all(connection).await,
        false => Ok(Vec::new()),
    }
}

/// Applies the first migration that is pending; false if none is.
async fn apply_next(transaction: &DatabaseTransaction) -> anyhow::Result<bool> {
    let status = status_over(transaction).await?;
    let Some(next) = status.into_iter().find(|migration| !migration.applied) else { return Ok(false) };
    let migrator = Migrator::new(transaction.get_database_backend());
    migrator.install(transaction).await?;
    Entity::delete_many().filter(Column::AppliedAt.lt(0)).exec(transaction).await?;
    migrator.up(transaction, Some(1)).await.with_context(|| format!("the migration {} failed", next.name))?;
    Ok(true)
}

/// Takes back the last migration that has been applied; false if none has been.
async fn take_back_last(transaction: &DatabaseTransaction) -> anyhow::Result<bool> {
    let status = status_over(transaction).await?;
    server_lease::assert_no_server(transaction).await?;
    let Some(marks) = marks(&status, &bookkeeping(transaction).await?) else { return Ok(false) };
    let migrator = Migrator::new(transaction.get_database_backend());
    for (name, mark) in marks {
        let row = ActiveModel { version: ActiveValue::Set(name.clone()), applied_at: ActiveValue::Set(mark) };
        let replace = OnConflict::column(Column::Version).update_column(Column::AppliedAt).to_owned();
        Entity::insert(row).on_conflict(replace).exec_without_returning(transaction).await?;
        migrator.down(transaction, Some(1)).await.with_context(|| format!("{name} could not be taken back"))?;
    }
    Ok(true)
}

/// The migrations to take back, in this order, each with the mark for the time being: the last one that has been
/// applied, and before it the next one, of which an interrupted `up` may have left something. Or only the one that an
/// interrupted `down` was taking back.
fn marks(status: &[Status], rows: &[Model]) -> Option<Vec<(String, i64)>> {
    if let Some(interrupted) = rows.iter().find(|row| row.applied_at == TAKING_BACK) {
        return Some(vec![(interrupted.version.clone(), TAKING_BACK)]);
    }
    let last = status.iter().rposition(|migration| migration.applied)?;
    let next = status.get(last + 1).map(|next| (next.name.clone(), REMOVING_REST));
    let last = status.get(last).map(|last| (last.name.clone(), TAKING_BACK));
    Some(next.into_iter().chain(last).collect())
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
        return Ok(Migrator::new(backend).fresh(transaction).await?);
    }
    // sea-orm drops one table after the other, and the list of migrations behind tables that it says are there. With one
    // statement all are gone, or the list at least.
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
