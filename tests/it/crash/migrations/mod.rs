//! Migrations that are killed before any of their steps: the next run finishes, and rows that were
//! there stay.
//!
//! Each migration is interrupted before its first step, then run again and interrupted before a
//! later one, and so on. The long form (`CLOAKROOM_TEST_SECONDS`) leaves no step out.

mod filled;
mod interrupt;
mod repair;

use cloakroom::config::{self, Config, Overrides};
use cloakroom::store::{Backend, Database, migrations};
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;

use self::filled::{fill, unfilled};
use self::interrupt::{Interrupter, Migrate, Run};
use crate::support::{AllRows, Length, Random, TestDatabase, all_rows, rows, shape, tables};

/// More steps than any migration has.
const MAX_STEPS: usize = 1000;

/// A database whose migrations are interrupted.
struct Stage {
    settings: config::Database,
    interrupter: Interrupter,
    folder: TempDir,
    _database: TestDatabase,
}

impl Stage {
    async fn new() -> Self {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        let database = TestDatabase::create_empty(&mut config).await;
        let folder = tempfile::tempdir().expect("a folder");
        if TestDatabase::backend() == Backend::Postgres {
            // A handshake of TLS for every connection would take most of the time.
            config.database.url = format!("{}?sslmode=disable", config.database.url).parse().expect("a URL");
        }
        let interrupter = Interrupter::new(&config.database, folder.path()).await;
        Self { settings: config.database, interrupter, folder, _database: database }
    }

    async fn open(&self) -> Database {
        Database::open(&self.settings, self.folder.path()).await.expect("the database opens")
    }

    /// Applies everything, with interruptions. Returns the rows after each migration.
    async fn migrate_up(&self, filled: bool) -> Vec<AllRows> {
        let mut after = vec![AllRows::new()];
        let mut steps = Steps::new();
        loop {
            let run = self.interrupter.run(Migrate::Up, steps.next()).await;
            let database = self.open().await;
            assert_kept(&database, after.last().expect("rows")).await;
            let applied = applied(&database).await;
            if applied >= after.len() {
                if filled {
                    fill(&database).await;
                }
                let rows = all_rows(&database).await;
                // A long stride applies more than one.
                after.resize_with(applied, AllRows::new);
                after.push(rows);
                steps.restart();
            }
            database.close().await;
            if run == Run::Finished {
                return after;
            }
        }
    }

    /// Takes everything back, with interruptions. Where one leaves a migration half taken back,
    /// `up` must repair it as well.
    async fn migrate_down(&self, after: &[AllRows], whole: &[String]) {
        let mut steps = Steps::new();
        for left in (0..after.len() - 1).rev() {
            let mut database = self.open().await;
            let before = shape(&database).await;
            steps.restart();
            loop {
                database.close().await;
                let run = self.interrupter.run(Migrate::Down, steps.next()).await;
                database = self.open().await;
                assert_kept(&database, &after[left]).await;
                if recorded(&database).await == left {
                    break;
                }
                assert_eq!(run, Run::Interrupted);
                if applied(&database).await == left || shape(&database).await != before {
                    migrations::up(&database).await.unwrap_or_else(|error| panic!("{left} left: {error:#}"));
                    assert_eq!(shape(&database).await, whole, "{left} left");
                    let later = u32::try_from(after.len() - 1 - left - 1).expect("a few");
                    migrations::down(&database, later).await.expect("they can be taken back");
                    assert_kept(&database, &after[left]).await;
                    forget_dropped_columns(&database).await;
                }
            }
            database.close().await;
        }
    }

    /// Drops everything and begins again, with interruptions: each leaves all rows, or none once
    /// `up` has finished it.
    async fn migrate_fresh(&self, whole: &[String]) {
        let mut steps = Steps::new();
        let mut losses = 0;
        loop {
            let database = self.open().await;
            fill(&database).await;
            let before = all_rows(&database).await;
            database.close().await;
            let run = self.interrupter.run(Migrate::Fresh, steps.next()).await;
            let database = self.open().await;
            migrations::up(&database).await.unwrap_or_else(|error| panic!("step {}: {error:#}", steps.last));
            assert_eq!(shape(&database).await, whole, "step {}", steps.last);
            let left = all_rows(&database).await;
            assert!(left == before || unfilled(&left).len() == left.len(), "step {}: {left:?}", steps.last);
            database.close().await;
            losses += usize::from(left != before);
            // After the loss it is an ordinary `up`, which another test interrupts.
            if run == Run::Finished || (losses == 3 && steps.max_stride > 1) {
                return;
            }
        }
    }
}

/// The steps to interrupt, in ascending order.
struct Steps {
    last: usize,
    random: Random,
    /// The largest distance between two of them.
    max_stride: u64,
}

impl Steps {
    fn new() -> Self {
        let max_stride = match TestDatabase::backend() {
            _ if Length::rounds(0).goes_on() => 1,
            // Every statement commits.
            Backend::Mysql => 4,
            Backend::Sqlite | Backend::Postgres => 10,
        };
        Self { last: 0, random: Random::seeded(), max_stride }
    }

    fn next(&mut self) -> usize {
        self.last += usize::try_from(1 + self.random.below(self.max_stride)).expect("a small number");
        assert!(self.last < MAX_STEPS, "no progress");
        self.last
    }

    fn restart(&mut self) {
        self.last = 0;
    }
}

/// InnoDB keeps a dropped column until the table is rebuilt, and counts it towards the row size.
async fn forget_dropped_columns(database: &Database) {
    if TestDatabase::backend() == Backend::Mysql {
        for table in tables(database).await {
            execute(database, &format!("ALTER TABLE {table} FORCE")).await;
        }
    }
}

async fn execute(database: &Database, sql: &str) {
    let sql: &'static str = sql.to_owned().leak();
    let executed = database.write(move |transaction| {
        Box::pin(async move {
            transaction.execute_unprepared(sql).await?;
            Ok(())
        })
    });
    executed.await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// The number of migrations that the database has a record of, in whole or in part.
async fn recorded(database: &Database) -> usize {
    rows(database, "seaql_migrations", &["version".to_owned()]).await.len()
}

async fn applied(database: &Database) -> usize {
    let status = migrations::status(database).await.expect("the list of migrations");
    status.iter().filter(|migration| migration.applied).count()
}

/// All these rows are there, with the values that they had in the columns of that time.
async fn assert_kept(database: &Database, before: &AllRows) {
    for (table, kept) in before {
        assert_eq!(rows(database, table, &kept.columns).await, kept.rows, "{table}");
    }
}

/// The shape that uninterrupted migrations lead to.
async fn whole_shape() -> Vec<String> {
    let stage = Stage::new().await;
    let database = stage.open().await;
    migrations::up(&database).await.expect("they apply");
    let shape = shape(&database).await;
    database.close().await;
    shape
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_of_an_empty_database_finish_after_a_kill_at_any_step() {
    let stage = Stage::new().await;
    stage.migrate_up(false).await;
    let database = stage.open().await;
    assert_eq!(shape(&database).await, whole_shape().await);
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_of_a_filled_database_finish_after_a_kill_at_any_step_and_keep_its_rows() {
    let (stage, whole) = (Stage::new().await, whole_shape().await);
    let after = stage.migrate_up(true).await;
    let database = stage.open().await;
    assert_eq!(shape(&database).await, whole);
    database.close().await;
    let unfilled = unfilled(after.last().expect("rows"));
    assert!(unfilled.is_empty(), "add a row to ROWS in filled.rs for {unfilled:?}");
    stage.migrate_down(&after, &whole).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_start_that_was_killed_at_any_step_has_lost_everything_or_nothing() {
    let (stage, whole) = (Stage::new().await, whole_shape().await);
    let database = stage.open().await;
    migrations::up(&database).await.expect("they apply");
    database.close().await;
    stage.migrate_fresh(&whole).await;
}
