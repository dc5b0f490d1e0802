//! The steps of migrations, and the column types that differ between databases.
//!
//! **Invariant:** a step that has been done already is skipped, on every database. MySQL and
//! MariaDB commit each step, so a migration that was interrupted there is completed, or taken back,
//! by running it again. The same repairs SQLite databases that an early version, whose migrations
//! were not transactions, left half migrated.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DatabaseBackend};

/// How MySQL compares text: byte for byte, also what is only spaces at its end. MariaDB reads the first comment alone,
/// MySQL the second.
const COLLATION: &str = "/*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */";

/// MySQL's moments, to the microsecond. Its TIMESTAMP ends in 2038; what is in a DATETIME is UTC, because all is.
const DATETIME: &str = "DATETIME(6)";

/// A moment.
pub(crate) fn moment(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    match is_mysql(manager) {
        true => custom(name, DATETIME),
        false => timestamp_with_time_zone(name),
    }
}

/// A moment that may be missing.
pub(crate) fn moment_null(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    match is_mysql(manager) {
        true => custom_null(name, DATETIME),
        false => timestamp_with_time_zone_null(name),
    }
}

pub(crate) async fn create_table(manager: &SchemaManager<'_>, mut table: TableCreateStatement) -> Result<(), DbErr> {
    table.if_not_exists();
    if is_mysql(manager) {
        table.engine("InnoDB").character_set("utf8mb4").collate(COLLATION);
    }
    manager.create_table(table).await
}

pub(crate) async fn drop_table(manager: &SchemaManager<'_>, table: &'static str) -> Result<(), DbErr> {
    manager.drop_table(Table::drop().table(table).if_exists().to_owned()).await
}

pub(crate) async fn create_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    mut index: IndexCreateStatement,
) -> Result<(), DbErr> {
    let name = index.get_index_spec().get_name().unwrap_or_default().to_owned();
    if manager.has_index(table, name).await? {
        return Ok(());
    }
    manager.create_index(index.table(table).take()).await
}

/// Drops an index. SQLite drops no column that has one.
pub(crate) async fn drop_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
) -> Result<(), DbErr> {
    if !manager.has_index(table, name).await? {
        return Ok(());
    }
    manager.drop_index(Index::drop().name(name).table(table).to_owned()).await
}

pub(crate) async fn add_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: ColumnDef,
) -> Result<(), DbErr> {
    if manager.has_column(table, column.get_column_name()).await? {
        return Ok(());
    }
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}

pub(crate) async fn drop_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &'static str,
) -> Result<(), DbErr> {
    if !manager.has_column(table, column).await? {
        return Ok(());
    }
    manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await
}

/// Runs a statement that fills new columns or tables. It may run more than once.
pub(crate) async fn fill(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(sql).await.map(drop)
}

/// Runs a statement that reads or fills a column, where the table has it.
pub(crate) async fn fill_with(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &'static str,
    sql: &str,
) -> Result<(), DbErr> {
    if manager.has_column(table, column).await? { fill(manager, sql).await } else { Ok(()) }
}

/// Text that is empty where nothing was written.
pub(crate) fn text_or_empty(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    match is_mysql(manager) {
        // As an expression, because MySQL's TEXT has no constant.
        true => text(name).default(Expr::cust("('')")).take(),
        false => text(name).default("").take(),
    }
}

pub(crate) fn is_mysql(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DatabaseBackend::MySql
}

pub(crate) async fn has_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &'static str,
) -> Result<bool, DbErr> {
    manager.has_column(table, column).await
}

/// The connection on which a migration reads and writes rows. It may do so more than once.
pub(crate) fn connection<'c>(manager: &'c SchemaManager<'c>) -> &'c SchemaManagerConnection<'c> {
    manager.get_connection()
}
