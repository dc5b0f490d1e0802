//! Which database a URL means.

use std::path::Path;

use crate::config::{self, DatabaseUrl};
use crate::store::{Database, mysql, postgres, sqlite};

impl Database {
    /// Opens the database of `config`; without a URL, `cloakroom.db` in `data_dir`.
    ///
    /// # Errors
    /// A database that cannot be reached, or that would not keep what it acknowledges.
    pub async fn open(config: &config::Database, data_dir: &Path) -> anyhow::Result<Self> {
        match &config.url {
            DatabaseUrl::Embedded => sqlite::open(&data_dir.join("cloakroom.db"), true, config).await,
            DatabaseUrl::Sqlite(url) => sqlite::open(&url.path, url.create, config).await,
            DatabaseUrl::Postgres(url) => postgres::open(url, config).await,
            DatabaseUrl::Mysql(url) => mysql::open(url, config).await,
        }
    }
}
