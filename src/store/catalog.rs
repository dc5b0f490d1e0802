//! Questions to the catalog of the database.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// True if there is a table of this name.
pub(super) async fn has_table(connection: &impl ConnectionTrait, name: &str) -> Result<bool, DbErr> {
    let backend = connection.get_database_backend();
    // Each database has a catalog of its own, which no entity describes.
    let sql = match backend {
        DbBackend::Sqlite => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
        DbBackend::Postgres => "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
        _ => "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
    };
    let statement = Statement::from_sql_and_values(backend, sql, [name.into()]);
    Ok(connection.query_one_raw(statement).await?.is_some())
}
