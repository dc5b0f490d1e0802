//! The shape of a database, its tables, columns, indexes and constraints as text; and the rows of
//! its tables.

use std::collections::BTreeMap;

use cloakroom::store::{Backend, Database};
use sea_orm::{ConnectionTrait as _, Statement};

use super::TestDatabase;

/// The rows of one table, each with the values of these columns.
#[derive(Debug, PartialEq, Eq)]
pub struct TableRows {
    pub columns: Vec<String>,
    pub rows: Vec<String>,
}

/// The rows of each table.
pub type AllRows = BTreeMap<String, TableRows>;

/// sea-orm's list of migrations, whose rows say when each was applied.
const BOOKKEEPING: &str = "seaql_migrations";

const POSTGRES_SHAPE: &str = "\
    SELECT concat_ws(' ', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
                     pg_get_expr(d.adbin, d.adrelid)) \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' \
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() \
    UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
    FROM pg_constraint WHERE connamespace = current_schema()::regnamespace ORDER BY 1";

/// Not the text of CREATE TABLE, in which a column that a repetition adds comes behind the others.
const SQLITE_SHAPE: &str = "\
    SELECT concat_ws(' ', t.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk) \
    FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' \
    UNION ALL SELECT concat_ws(' ', t.name, f.\"from\", f.\"table\", f.\"to\", f.on_delete) \
    FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) f WHERE t.type = 'table' \
    UNION ALL SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1";

/// Columns that a later migration fills than the one that adds them.
const FILLED_LATER: [&str; 1] = ["idempotency_records"];

/// The definition of everything in the database, sorted.
pub async fn shape(database: &Database) -> Vec<String> {
    match TestDatabase::backend() {
        Backend::Sqlite => texts(database, SQLITE_SHAPE, 0).await,
        Backend::Postgres => texts(database, POSTGRES_SHAPE, 0).await,
        Backend::Mysql => {
            let mut shape = Vec::new();
            for table in tables(database).await {
                let definition = texts(database, &format!("SHOW CREATE TABLE `{table}`"), 1).await.concat();
                // A column that a repetition adds comes behind the others.
                shape.extend(definition.lines().map(|line| format!("{table}: {}", line.trim_end_matches(','))));
            }
            shape.sort();
            shape
        }
    }
}

/// Every row of every table, without the bookkeeping of migrations.
pub async fn all_rows(database: &Database) -> AllRows {
    let mut all = AllRows::new();
    for table in tables(database).await.into_iter().filter(|table| table != BOOKKEEPING) {
        let mut columns = columns(database, &table).await;
        columns.retain(|column| !FILLED_LATER.contains(&column.as_str()));
        let rows = rows(database, &table, &columns).await;
        all.insert(table, TableRows { columns, rows });
    }
    all
}

/// The rows of a table, sorted, with these columns alone.
pub async fn rows(database: &Database, table: &str, columns: &[String]) -> Vec<String> {
    let text = |column: &String| match TestDatabase::backend() {
        Backend::Sqlite => format!("quote({column})"),
        Backend::Postgres => format!("coalesce({column}::text, 'NULL')"),
        Backend::Mysql => format!("coalesce(hex(`{column}`), 'NULL')"),
    };
    let row = columns.iter().map(text).collect::<Vec<_>>().join(", ");
    texts(database, &format!("SELECT concat_ws(' ', {row}) FROM {table} ORDER BY 1"), 0).await
}

/// The names of all tables.
pub async fn tables(database: &Database) -> Vec<String> {
    let sql = match TestDatabase::backend() {
        Backend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
        Backend::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1",
        Backend::Mysql => "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1",
    };
    texts(database, sql, 0).await
}

async fn columns(database: &Database, table: &str) -> Vec<String> {
    let sql = match TestDatabase::backend() {
        Backend::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
        Backend::Postgres => format!(
            "SELECT column_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
        ),
        Backend::Mysql => format!(
            "SELECT column_name FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = '{table}' ORDER BY ordinal_position"
        ),
    };
    texts(database, &sql, 0).await
}

async fn texts(database: &Database, sql: &str, column: usize) -> Vec<String> {
    let reader = database.reader();
    let rows = reader.query_all_raw(Statement::from_string(reader.get_database_backend(), sql)).await.expect(sql);
    rows.iter().map(|row| row.try_get_by_index::<String>(column).expect("text")).collect()
}
