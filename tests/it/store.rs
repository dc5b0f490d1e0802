//! The database: durable, strict, and brought to its shape whoever else does so at the time.

use cloakroom::config::{Config, Overrides};
use cloakroom::error::Error;
use cloakroom::store::{Database, migrations};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;

use crate::support::{TestApp, TestDatabase};

struct Empty {
    config: Config,
    folder: TempDir,
    _database: TestDatabase,
}

impl Empty {
    async fn create() -> Self {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        let database = TestDatabase::create_empty(&mut config).await;
        Self { config, folder: tempfile::tempdir().expect("a folder"), _database: database }
    }

    async fn open(&self) -> Database {
        Database::open(&self.config.database, self.folder.path()).await.expect("the database opens")
    }
}

async fn applied(database: &Database) -> Vec<bool> {
    let status = migrations::status(database).await.expect("the list of migrations");
    status.iter().map(|migration| migration.applied).collect()
}

async fn execute(database: &Database, sql: &str) -> Result<(), Error> {
    let sql: &'static str = TestDatabase::spell(sql).leak();
    database
        .write(move |transaction| Box::pin(async move { Ok(transaction.execute_unprepared(sql).await.map(drop)?) }))
        .await
}

async fn ask(database: &Database, sql: &str) -> String {
    let rows = database.write_statement(Statement::from_string(DbBackend::Sqlite, sql)).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let number = || rows[0].try_get_by_index::<i64>(0).expect("a number").to_string();
    rows[0].try_get_by_index::<String>(0).unwrap_or_else(|_| number())
}

#[tokio::test]
async fn sqlite_syncs_every_commit_and_keeps_foreign_keys() {
    if !TestDatabase::is_sqlite() {
        return; // The others have settings of their own, which the server asserts when it opens.
    }
    let empty = Empty::create().await;
    let database = empty.open().await;
    for (pragma, value) in [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("busy_timeout", "5000"),
        ("fullfsync", "1"),
        ("journal_size_limit", "67108864"),
    ] {
        assert_eq!(ask(&database, &format!("PRAGMA {pragma}")).await, value, "{pragma}");
    }
    assert!(empty.folder.path().join("cloakroom.db-wal").exists());
}

#[tokio::test]
async fn a_row_of_nobody_is_refused() {
    let empty = Empty::create().await;
    let database = empty.open().await;
    migrations::up(&database).await.expect("they apply");
    let owner = "INSERT INTO users (id, username, username_key, password_hash, role, created_at, updated_at) VALUES \
        ('00000000-0000-7000-8000-000000000002', 'a', 'a', 'x', 'user', '2026-01-01 00:00:00+00:00', \
        '2026-01-01 00:00:00+00:00')";
    let counter = "INSERT INTO counters (id, user_id, name, current, step, max, created_at, updated_at) VALUES \
        ('00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002', 'default', 0, 1, 9, \
        '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')";
    assert!(execute(&database, counter).await.is_err(), "its owner does not exist");
    execute(&database, owner).await.expect("a user");
    execute(&database, counter).await.expect("a counter of somebody");
}

#[tokio::test]
async fn readers_cannot_write_on_sqlite() {
    if !TestDatabase::is_sqlite() {
        return; // The others have one pool for both.
    }
    let (test, _) = TestApp::with_user().await;
    let refused = test.app.database.reader().execute_unprepared("DELETE FROM users").await;
    assert!(refused.is_err_and(|error| error.to_string().contains("readonly")));
}

#[tokio::test]
async fn migrations_can_be_taken_back_and_applied_again() {
    let empty = Empty::create().await;
    let database = empty.open().await;
    migrations::up(&database).await.expect("they apply");
    let all = applied(&database).await.len();
    for kept in (0..all).rev() {
        migrations::down(&database, 1).await.expect("it can be taken back");
        assert_eq!(applied(&database).await.iter().filter(|applied| **applied).count(), kept);
    }
    assert_eq!(migrations::pending(&database).await.expect("a count"), all);
    migrations::up(&database).await.expect("they apply again");
    assert_eq!(applied(&database).await, vec![true; all]);
    migrations::fresh(&database).await.expect("everything can begin again");
    assert_eq!(applied(&database).await, vec![true; all]);
    database.close().await;
}

#[tokio::test]
async fn several_servers_may_migrate_one_database_at_once() {
    let empty = Empty::create().await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (config, folder) = (empty.config.database.clone(), empty.folder.path().to_owned());
            tokio::spawn(async move {
                let database = Database::open(&config, &folder).await?;
                let migrated = migrations::up(&database).await;
                database.close().await;
                migrated
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("every one succeeds");
    }
    let database = empty.open().await;
    assert_eq!(migrations::pending(&database).await.expect("a count"), 0);
    database.close().await;
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_nothing() {
    let empty = Empty::create().await;
    let database = empty.open().await;
    execute(&database, "CREATE TABLE notes (text VARCHAR(9) NOT NULL UNIQUE)").await.expect("a table");
    let failed: Result<(), Error> = database
        .write(|transaction| {
            Box::pin(async move {
                transaction.execute_unprepared("INSERT INTO notes VALUES ('one')").await?;
                transaction.execute_unprepared("INSERT INTO notes VALUES ('one')").await?;
                Ok(())
            })
        })
        .await;
    assert!(failed.is_err());
    execute(&database, "INSERT INTO notes VALUES ('one')").await.expect("it is free still");
    database.close().await;
}
