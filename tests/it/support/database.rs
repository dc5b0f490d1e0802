//! A fresh database for each test, on the backend that the environment chooses.

use cloakroom::config::Config;
use sea_orm::{ConnectionTrait, Database};

/// A database of one test's own; gone when the test ends.
pub struct TestDatabase {
    /// The server's URL and the database's name; `None` for SQLite, whose file goes with its folder.
    postgres: Option<(String, String)>,
}

#[expect(clippy::disallowed_methods, reason = "the suite's own switch, which no setting of the server is")]
fn chosen() -> Option<String> {
    std::env::var("CLOAKROOM_TEST_DATABASE").ok().filter(|url| !url.is_empty())
}

impl TestDatabase {
    pub async fn create(config: &mut Config) -> Self {
        let Some(server) = chosen() else { return Self { postgres: None } };
        let name = format!("cloakroom_test_{}", uuid::Uuid::now_v7().simple());
        execute(&server, &format!("CREATE DATABASE {name}")).await;
        let (base, _) = server.rsplit_once('/').expect("CLOAKROOM_TEST_DATABASE is postgres://USER@HOST/NAME");
        config.database.url = format!("{base}/{name}");
        // Tests run side by side, and a server has so many connections.
        config.database.max_connections = 4;
        Self { postgres: Some((server, name)) }
    }

    pub fn is_sqlite() -> bool {
        chosen().is_none()
    }
}

async fn execute(server: &str, sql: &str) {
    let connection = Database::connect(server).await.expect("the test database server is reachable");
    connection.execute_unprepared(sql).await.expect(sql);
    connection.close().await.expect("the connection closes");
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some((server, name)) = self.postgres.take() else { return };
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(execute(&server, &format!("DROP DATABASE {name} WITH (FORCE)")));
        };
        // A runtime cannot be started within one.
        std::thread::spawn(drop_it).join().expect("the test database is dropped");
    }
}
