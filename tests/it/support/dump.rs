//! All that the database holds, as text: whoever says that a secret is not kept can look for it.

use cloakroom::store::Backend;
use sea_orm::{ConnectionTrait as _, Statement};

use super::TestApp;

/// SQLite's files byte by byte, or every row of every table of the others'.
pub async fn dump(test: &TestApp) -> String {
    if test.app.database.backend() == Backend::Sqlite {
        let files = ["cloakroom.db", "cloakroom.db-wal"].map(|name| std::fs::read(test.data_dir().join(name)));
        let bytes: Vec<u8> = files.into_iter().flatten().flatten().collect();
        assert!(!bytes.is_empty(), "SQLite's file is found");
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let mut text = String::new();
    let mysql = test.app.database.backend() == Backend::Mysql;
    let tables = match mysql {
        true => "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
        false => "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
    };
    for table in ask(test, tables).await {
        let rows = match mysql {
            true => format!("SELECT CONCAT_WS(' ', {}) FROM `{table}`", columns(test, &table).await),
            false => format!("SELECT t::text FROM \"{table}\" t"),
        };
        for row in ask(test, &rows).await {
            text.push_str(&row);
            text.push('\n');
        }
    }
    text
}

/// Each as text, the bytes of ids in hexadecimal.
async fn columns(test: &TestApp, table: &str) -> String {
    let column = "IF(data_type = 'binary', CONCAT('HEX(`', column_name, '`)'), CONCAT('`', column_name, '`'))";
    let columns = "FROM information_schema.columns WHERE table_schema = DATABASE()";
    ask(test, &format!("SELECT {column} {columns} AND table_name = '{table}'")).await.join(", ")
}

async fn ask(test: &TestApp, sql: &str) -> Vec<String> {
    let reader = test.app.database.reader();
    let rows = reader.query_all_raw(Statement::from_string(reader.get_database_backend(), sql)).await.expect(sql);
    rows.iter().map(|row| row.try_get_by_index::<String>(0).expect("text")).collect()
}
