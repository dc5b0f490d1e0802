//! What the migrations make of an empty MariaDB, as one script: there each of their steps waits for the disk, and a
//! test of something else would wait for all of them.

use std::path::Path;

use cloakroom::config::{Config, Overrides};
use cloakroom::store::{Database, migrations};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use tokio::sync::OnceCell;

use super::TestDatabase;
use super::database::execute;

static SCRIPT: OnceCell<String> = OnceCell::const_new();

/// Brings the empty database with this URL to the shape that the migrations would.
pub async fn fill(url: &str) {
    execute(url, SCRIPT.get_or_init(write).await).await;
}

async fn write() -> String {
    let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
    let _dropped = TestDatabase::create_empty(&mut config).await;
    let database = Database::open(&config.database, Path::new("")).await.expect("the database opens");
    migrations::up(&database).await.expect("the migrations apply");
    let mut script = "SET foreign_key_checks = 0".to_owned();
    for table in ask(&database, "SHOW TABLES", 0).await {
        script.push_str(";\n");
        script.push_str(&ask(&database, &format!("SHOW CREATE TABLE `{table}`"), 1).await.concat());
    }
    for version in ask(&database, "SELECT version FROM seaql_migrations", 0).await {
        script.push_str(&format!(";\nINSERT INTO seaql_migrations (version, applied_at) VALUES ('{version}', 0)"));
    }
    database.close().await;
    script
}

async fn ask(database: &Database, sql: &str, column: usize) -> Vec<String> {
    let rows = database.reader().query_all_raw(Statement::from_string(DbBackend::MySql, sql)).await.expect(sql);
    rows.iter().map(|row| row.try_get_by_index(column).expect("text")).collect()
}
