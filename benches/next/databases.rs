//! The benchmark's own databases on a PostgreSQL server, dropped when it ends.
//!
//! Their names are fixed: what a killed run left behind is replaced by the next one.

use anyhow::Context;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};

/// Absent when PostgreSQL is not measured.
pub(crate) struct Databases(Option<Postgres>);

struct Postgres {
    administration: DatabaseConnection,
    url: String,
    names: Vec<&'static str>,
}

/// So that nobody else's database is dropped.
const PREFIX: &str = "cloakroom_bench_";

impl Databases {
    pub(crate) async fn create(url: Option<String>, names: Vec<&'static str>) -> anyhow::Result<Self> {
        let Some(url) = url else { return Ok(Self(None)) };
        let administration = connect(&url)
            .await
            .context("no PostgreSQL there: name one with --postgres, or leave it out with --only")?;
        let databases = Self(Some(Postgres { administration, url, names }));
        databases.drop_all().await?;
        for name in databases.names() {
            databases.run(&format!("CREATE DATABASE {PREFIX}{name}")).await?;
        }
        Ok(databases)
    }

    pub(crate) async fn drop_all(&self) -> anyhow::Result<()> {
        for name in self.names() {
            // FORCE: the servers were killed, and their connections may not have noticed yet.
            self.run(&format!("DROP DATABASE IF EXISTS {PREFIX}{name} WITH (FORCE)")).await?;
        }
        Ok(())
    }

    /// Runs statements in one of the databases.
    pub(crate) async fn execute(&self, name: &str, sql: &str) -> anyhow::Result<()> {
        connect(&self.url_of(name)?).await?.execute_unprepared(sql).await?;
        Ok(())
    }

    /// The one number that a query in one of the databases answers.
    pub(crate) async fn number(&self, name: &str, sql: &str) -> anyhow::Result<u64> {
        let database = connect(&self.url_of(name)?).await?;
        let row = database.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        let number: i64 = row.context("the query answers a row")?.try_get_by_index(0)?;
        Ok(u64::try_from(number)?)
    }

    /// `PostgreSQL 15.4`, or nothing without PostgreSQL.
    pub(crate) async fn version(&self) -> anyhow::Result<Option<String>> {
        let Some(postgres) = &self.0 else { return Ok(None) };
        let statement = Statement::from_string(DbBackend::Postgres, "SHOW server_version");
        let row = postgres.administration.query_one_raw(statement).await?.context("PostgreSQL has a version")?;
        let version: String = row.try_get_by_index(0)?;
        Ok(version.split_whitespace().next().map(|number| format!("PostgreSQL {number}")))
    }

    fn names(&self) -> &[&'static str] {
        self.0.as_ref().map_or(&[], |postgres| &postgres.names)
    }

    async fn run(&self, sql: &str) -> anyhow::Result<()> {
        if let Some(postgres) = &self.0 {
            postgres.administration.execute_unprepared(sql).await?;
        }
        Ok(())
    }

    /// The server's address with another database's name: `postgres://host/NAME?parameters`.
    pub(crate) fn url_of(&self, name: &str) -> anyhow::Result<String> {
        let url = &self.0.as_ref().context("PostgreSQL is left out of this run")?.url;
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (server, _) = address.rsplit_once('/').context("the address of PostgreSQL names a database")?;
        let mark = if parameters.is_empty() { "" } else { "?" };
        Ok(format!("{server}/{PREFIX}{name}{mark}{parameters}"))
    }
}

async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await
}
