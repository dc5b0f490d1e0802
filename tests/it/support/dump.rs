//! All that the database holds, as text: whoever says that a secret is not kept can look for it.

use cloakroom::store::Backend;
use sea_orm::{ConnectionTrait as _, Statement};

use super::TestApp;

/// SQLite's files byte by byte, or every row of every table of PostgreSQL's.
pub async fn dump(test: &TestApp) -> String {
    if test.app.database.backend() == Backend::Sqlite {
        let files = ["cloakroom.db", "cloakroom.db-wal"].map(|name| std::fs::read(test.data_dir().join(name)));
        let bytes: Vec<u8> = files.into_iter().flatten().flatten().collect();
        assert!(!bytes.is_empty(), "SQLite's file is found");
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let mut text = String::new();
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    for table in ask(test, tables).await {
        for row in ask(test, &format!("SELECT t::text FROM \"{table}\" t")).await {
            text.push_str(&row);
            text.push('\n');
        }
    }
    text
}

async fn ask(test: &TestApp, sql: &str) -> Vec<String> {
    let reader = test.app.database.reader();
    let rows = reader.query_all_raw(Statement::from_string(reader.get_database_backend(), sql)).await.expect(sql);
    rows.iter().map(|row| row.try_get_by_index::<String>(0).expect("text")).collect()
}
