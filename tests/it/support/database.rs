//! A fresh database for each test, on the backend that the environment chooses.

use cloakroom::config::{Config, DatabaseUrl};
use cloakroom::store::Backend;
use sea_orm::{ConnectionTrait, Database};

use super::template;

/// A database of one test's own; gone when the test ends.
pub struct TestDatabase {
    /// The server's URL and the database's name; `None` for SQLite, whose file goes with its folder.
    server: Option<(String, String)>,
}

#[expect(clippy::disallowed_methods, reason = "the suite's own switch, which no setting of the server is")]
fn chosen() -> Option<String> {
    std::env::var("CLOAKROOM_TEST_DATABASE").ok().filter(|url| !url.is_empty())
}

impl TestDatabase {
    /// For a test that migrates it first: where that takes long it has been done. A database that the
    /// test has named stays as it is.
    pub async fn create(config: &mut Config) -> Self {
        if !matches!(config.database.url, DatabaseUrl::Embedded) {
            return Self { server: None };
        }
        let database = Self::create_empty(config).await;
        if Self::backend() == Backend::Mysql {
            template::fill(&config.database.url.to_string()).await;
        }
        database
    }

    /// Without any table.
    pub async fn create_empty(config: &mut Config) -> Self {
        let Some(server) = chosen() else { return Self { server: None } };
        let name = format!("cloakroom_test_{}", uuid::Uuid::now_v7().simple());
        execute(&server, &format!("CREATE DATABASE {name}")).await;
        let (base, _) = server.rsplit_once('/').expect("CLOAKROOM_TEST_DATABASE is postgres://USER@HOST/NAME");
        config.database.url = format!("{base}/{name}").parse().expect("the URL of a database server");
        // Tests run side by side, and a server has so many connections.
        config.database.max_connections = 6;
        Self { server: Some((server, name)) }
    }

    pub fn backend() -> Backend {
        match chosen() {
            None => Backend::Sqlite,
            Some(url) if url.starts_with("postgres") => Backend::Postgres,
            Some(_) => Backend::Mysql,
        }
    }

    /// SQL with ids and moments in quotation marks, as the backend writes them: MariaDB knows no UUID in text, and no
    /// offset from UTC.
    pub fn spell(sql: &str) -> String {
        if Self::backend() != Backend::Mysql {
            return sql.to_owned();
        }
        let literal = |text: &str| match uuid::Uuid::try_parse(text) {
            Ok(id) if text.len() == 36 => format!("X'{}'", id.simple()),
            _ => format!("'{}'", text.strip_suffix("+00:00").unwrap_or(text)),
        };
        let parts = sql.split('\'').enumerate();
        parts.map(|(nth, part)| if nth % 2 == 0 { part.to_owned() } else { literal(part) }).collect()
    }

    pub fn is_sqlite() -> bool {
        Self::backend() == Backend::Sqlite
    }

    /// What the URL of the chosen server begins with; `None` for SQLite.
    pub fn scheme() -> Option<String> {
        Some(chosen()?.split_once(':').expect("a URL").0.to_owned())
    }
}

/// Runs SQL in the database with this URL.
pub(super) async fn execute(url: &str, sql: &str) {
    let connection = Database::connect(url).await.expect("the test database server is reachable");
    connection.execute_unprepared(sql).await.expect(sql);
    connection.close().await.expect("the connection closes");
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.server.take() else { return };
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let force = if Self::backend() == Backend::Postgres { " WITH (FORCE)" } else { "" };
            runtime.block_on(execute(&server, &format!("DROP DATABASE {name}{force}")));
        };
        // A runtime cannot be started within one.
        std::thread::spawn(drop_it).join().expect("the test database is dropped");
    }
}
