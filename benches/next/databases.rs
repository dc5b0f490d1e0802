//! The benchmark's own databases on a PostgreSQL server, dropped when it ends.
//!
//! Their names are fixed: what a killed run left behind is replaced by the next one.

use anyhow::Context;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

/// Absent when PostgreSQL is not measured.
pub(crate) struct Databases(Option<Postgres>);

struct Postgres {
    administration: DatabaseConnection,
    url: String,
}

const PRODUCT: &str = "cloakroom_bench_product";
const NAIVE: &str = "cloakroom_bench_naive";

impl Databases {
    pub(crate) async fn create(url: Option<String>) -> anyhow::Result<Self> {
        let Some(url) = url else { return Ok(Self(None)) };
        let mut options = ConnectOptions::new(&url);
        options.max_connections(1).sqlx_logging(false);
        let administration = Database::connect(options)
            .await
            .context("no PostgreSQL there: name one with --postgres, or leave it out with --only sqlite")?;
        let databases = Self(Some(Postgres { administration, url }));
        databases.drop_all().await?;
        for name in [PRODUCT, NAIVE] {
            databases.run(&format!("CREATE DATABASE {name}")).await?;
        }
        Ok(databases)
    }

    pub(crate) async fn drop_all(&self) -> anyhow::Result<()> {
        for name in [PRODUCT, NAIVE] {
            // FORCE: the servers were killed, and their connections may not have noticed yet.
            self.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        }
        Ok(())
    }

    pub(crate) fn product(&self) -> anyhow::Result<String> {
        self.url_of(PRODUCT)
    }

    pub(crate) fn naive(&self) -> anyhow::Result<String> {
        self.url_of(NAIVE)
    }

    /// `PostgreSQL 15.4`, or nothing without PostgreSQL.
    pub(crate) async fn version(&self) -> anyhow::Result<Option<String>> {
        let Some(postgres) = &self.0 else { return Ok(None) };
        let statement = Statement::from_string(DbBackend::Postgres, "SHOW server_version");
        let row = postgres.administration.query_one_raw(statement).await?.context("PostgreSQL has a version")?;
        let version: String = row.try_get_by_index(0)?;
        Ok(version.split_whitespace().next().map(|number| format!("PostgreSQL {number}")))
    }

    async fn run(&self, sql: &str) -> anyhow::Result<()> {
        if let Some(postgres) = &self.0 {
            postgres.administration.execute_unprepared(sql).await?;
        }
        Ok(())
    }

    /// The server's address with another database's name: `postgres://host/NAME?parameters`.
    fn url_of(&self, name: &str) -> anyhow::Result<String> {
        let url = &self.0.as_ref().context("PostgreSQL is left out of this run")?.url;
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (server, _) = address.rsplit_once('/').context("the address of PostgreSQL names a database")?;
        let mark = if parameters.is_empty() { "" } else { "?" };
        Ok(format!("{server}/{name}{mark}{parameters}"))
    }
}
