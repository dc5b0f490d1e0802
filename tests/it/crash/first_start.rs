//! `kill -9` at random moments of a first start and of an upgrade: the next start works, and the
//! numbers are right.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cloakroom::config::{Config, Overrides};
use migration::MigratorTrait as _;
use sea_orm::ConnectionTrait as _;

use super::{Home, current, next};
use crate::support::{Length, Random, TestDatabase};

const ROUNDS: usize = 4;
const KILLS: usize = 3;

impl Home {
    async fn empty() -> Self {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        let database = TestDatabase::create_empty(&mut config).await;
        Self { _database: Some(database), ..Self::at(config.database.url.to_string()) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
        command.args(arguments).arg("--data-dir").arg(self.folder.path().join("data"));
        if !self.url.is_empty() {
            command.args(["--database", &self.url]);
        }
        command.stdout(Stdio::null());
        command
    }

    /// Starts the server and kills it, at some moment before it has been up for long.
    async fn start_and_kill(&self, random: &mut Random, within: Duration) {
        let mut command = self.command(&["--listen", "127.0.0.1:0", "--migrate"]);
        let mut child = command.stderr(Stdio::inherit()).spawn().expect("the server starts");
        // The moment is random here; nothing is waited for.
        tokio::time::sleep(random.within(within)).await;
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
    }

    /// Lets the leases of killed servers expire.
    async fn expire_leases(&self) {
        if !self.url.is_empty() {
            let connection = sea_orm::Database::connect(&self.url).await.expect("the database is reachable");
            connection.execute_unprepared("DELETE FROM server_leases").await.expect("the leases are deleted");
            connection.close().await.expect("the connection closes");
        }
    }

    fn migrate(&self, arguments: &[&str]) {
        let output = self.command(&[&["migrate"], arguments].concat()).output().expect("the command runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The time that a first start takes on this machine.
async fn start_time() -> Duration {
    let home = Home::empty().await;
    let begun = Instant::now();
    drop(home.start());
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_was_killed_is_finished_by_the_next() {
    let (mut random, mut length) = (Random::seeded(), Length::rounds(ROUNDS));
    let within = start_time().await;
    let mut kills = 0;
    while length.goes_on() {
        let home = Home::empty().await;
        for _ in 0..KILLS {
            home.start_and_kill(&mut random, within).await;
            kills += 1;
        }
        let process = home.start();
        let anna = process.sign_up("anna").await;
        assert_eq!(next(&process, &anna).await, Some(Ok(1)));
    }
    length.tell(&[("kills", kills)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_was_killed_is_finished_by_the_next_start_and_keeps_the_numbers() {
    let (mut random, mut length) = (Random::seeded(), Length::rounds(ROUNDS));
    let within = start_time().await;
    let home = Home::empty().await;
    let mut process = home.start();
    let anna = process.sign_up("anna").await;
    let (mut kills, mut number) = (0, 1);
    assert_eq!(next(&process, &anna).await, Some(Ok(number)));
    let migrations = migration::Migrator::migrations();
    let identity = migrations.iter().position(|migration| migration.name().ends_with("_storage_identity"));
    let all = migrations.len();
    let since_identity = (all - identity.expect("the migration of the identity")) as u64;
    while length.goes_on() {
        assert!(process.end_with("TERM").success());
        home.expire_leases().await;
        // Not those of users, sessions and counters.
        let steps = 1 + random.below(u64::try_from(all - 3).expect("a small number"));
        home.migrate(&["down", &steps.to_string()]);
        if steps >= since_identity {
            // As in the folder of a version that knew no identity of storages.
            drop(std::fs::remove_file(home.folder.path().join("data/photos").join("cloakroom-storage.json")));
        }
        for _ in 0..KILLS {
            home.start_and_kill(&mut random, within).await;
            kills += 1;
        }
        process = home.start();
        assert_eq!(current(&process, &anna).await, number, "{steps} migrations");
        number += 1;
        assert_eq!(next(&process, &anna).await, Some(Ok(number)));
    }
    length.tell(&[("kills", kills)]);
}
