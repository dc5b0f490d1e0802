//! Connections to database servers: URLs with several hosts, poolers, limits, ages. SQLite has none of them.

mod codes;
mod granted;
mod hosts;
mod poolers;

use std::path::Path;

use cloakroom::config::{Config, Overrides};
use cloakroom::store::Database;
use sea_orm::{ConnectionTrait as _, Statement};

const NEXT: &str = "mutation { next { value } }";

/// The default settings with this URL.
fn config(url: &str) -> Config {
    let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
    config.database.url = url.parse().expect(url);
    config
}

async fn open(url: &str) -> anyhow::Result<Database> {
    Database::open(&config(url).database, Path::new("")).await
}

/// The refusal of a database that cannot be used.
async fn refusal(url: &str) -> String {
    match open(url).await {
        Ok(_) => panic!("{url} was accepted"),
        Err(error) => format!("{error:#}"),
    }
}

/// The first column of the first row.
async fn ask<T: sea_orm::TryGetable>(database: &Database, sql: &str) -> T {
    let reader = database.reader();
    let statement = Statement::from_string(reader.get_database_backend(), sql);
    let row = reader.query_one_raw(statement).await.expect(sql).expect("a row");
    row.try_get_by_index(0).expect(sql)
}

async fn execute(url: &str, sql: &str) {
    let connection = sea_orm::Database::connect(url).await.expect("the test database server is reachable");
    connection.execute_unprepared(sql).await.expect(sql);
    connection.close().await.expect("the connection closes");
}
