//! Which database a URL means.

use std::path::Path;

use crate::config;
use crate::store::{Database, mysql, postgres, sqlite};

impl Database {
    /// Opens the database of `config`; without a URL, `cloakroom.db` in `data_dir`.
    ///
    /// # Errors
    /// An unknown scheme, a database that cannot be reached, or one that would not keep what it acknowledges.
    pub async fn open(config: &config::Database, data_dir: &Path) -> anyhow::Result<Self> {
        let url = config.url.as_str();
        if url.is_empty() {
            let path = data_dir.join("cloakroom.db");
            return sqlite::open(&path, config).await;
        }
        match url.split_once(':').map(|(scheme, rest)| (scheme, rest.trim_start_matches("//"))) {
            Some(("sqlite", path)) => sqlite::open(Path::new(path), config).await,
            Some(("postgres" | "postgresql", _)) => postgres::open(config).await,
            Some(("mysql" | "mariadb", _)) => mysql::open(config).await,
            _ => anyhow::bail!(
                "database.url {} is neither sqlite://PATH nor postgres://USER:PASSWORD@HOST/NAME nor \
                 mysql://USER:PASSWORD@HOST/NAME",
                config::mask_password(url)
            ),
        }
    }
}
