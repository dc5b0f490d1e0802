//! Locks are taken in one order: what many clients do at once makes the database give up none of
//! their transactions.
//!
//! Each test has a database server of its own, whose count of deadlocks is exact.

mod accounts;
mod photos;

use cloakroom::store::Backend;
use sea_orm::{ConnectionTrait as _, Database, Statement};

use crate::support::{DatabaseServer, Random, TestApp, TestDatabase};

/// A server on a database server whose deadlocks are counted; on SQLite, where there is one writer,
/// on its file.
struct Locks {
    test: TestApp,
    server: Option<DatabaseServer>,
}

impl Locks {
    async fn start() -> Self {
        let server = DatabaseServer::start().await;
        let url = server.as_ref().map(DatabaseServer::url).unwrap_or_default();
        let test = TestApp::with_config(|config| {
            config.database.url = url.parse().expect("the URL of a database server");
            config.database.max_connections = 12;
            // A machine that is busy with other tests is slow. That is no failure here.
            config.database.acquire_seconds = 120;
            config.database.answer_seconds = 120;
            config.photos.max_uploads_per_user = 32;
        })
        .await;
        Self { test, server }
    }

    /// The database gave up none of the transactions.
    async fn assert_none(self) {
        let Self { test, server } = self;
        // PostgreSQL counts what a connection met at its end.
        test.app.stop().await;
        let Some(server) = server else { return };
        let connection = Database::connect(server.url()).await.expect("the database answers");
        let sql = match TestDatabase::backend() {
            Backend::Mysql => {
                "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status \
                 WHERE variable_name = 'INNODB_DEADLOCKS'"
            }
            _ => "SELECT SUM(deadlocks)::bigint FROM pg_stat_database",
        };
        let ask = async |sql: &str| {
            let row = connection.query_one_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
            row.expect("an answer").expect("a row")
        };
        let deadlocks: i64 = ask(sql).await.try_get_by_index(0).expect("a number");
        let latest = match deadlocks > 0 && TestDatabase::backend() == Backend::Mysql {
            true => ask("SHOW ENGINE INNODB STATUS").await.try_get_by_index(2).expect("text"),
            false => String::new(),
        };
        connection.close().await.expect("it closes");
        let latest = latest.split("LATEST DETECTED DEADLOCK").nth(1).unwrap_or_default();
        let latest = latest.split("\nTRANSACTIONS\n").next().unwrap_or_default();
        assert_eq!(deadlocks, 0, "transactions that the database gave up. {latest}");
    }
}

/// These in any order.
fn shuffled<T: Clone>(random: &mut Random, all: &[T]) -> Vec<T> {
    let mut left = all.to_vec();
    let mut shuffled = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let nth = usize::try_from(random.below(left.len() as u64)).expect("an index");
        shuffled.push(left.swap_remove(nth));
    }
    shuffled
}
