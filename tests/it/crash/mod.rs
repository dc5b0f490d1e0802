//! What is left after a crash, a failed sync, a full disk: the real binary, on a data directory that outlives it.

mod author;
mod blobs;
mod chaos_client;
mod crowd;
mod disk_full;
mod durability;
mod first_start;
mod idempotency;
mod kill;
mod load;
mod migrations;
mod moved;
mod photo_syncs;
mod photos;
mod pictures;
mod refresh;
mod replicas;
mod shutdown;
mod site;
pub mod sync_shim;
mod witness;

use std::process::Command;

use cloakroom::config::{Config, Overrides};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Process, TestDatabase};

/// Where a server's data stays from one process to the next.
struct Home {
    url: String,
    _database: Option<TestDatabase>,
    folder: TempDir,
}

impl Home {
    async fn new() -> Self {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        let database = TestDatabase::create(&mut config).await;
        Self { _database: Some(database), ..Self::at(config.database.url.to_string()) }
    }

    /// With a database that somebody else cares for; SQLite without a URL.
    fn at(url: String) -> Self {
        Self { url, _database: None, folder: tempfile::tempdir().expect("a folder") }
    }

    fn start(&self) -> Process {
        self.start_with(|_| {})
    }

    fn start_with(&self, adapt: impl FnOnce(&mut Command)) -> Process {
        Process::start(&self.folder.path().join("data"), |command| {
            // Tests run side by side, and a database server has so many connections.
            command.env("CLOAKROOM__DATABASE__MAX_CONNECTIONS", "4");
            // A proof at length outlasts a quarter of an hour.
            command.env("CLOAKROOM__ACCOUNTS__ACCESS_TOKEN_SECONDS", "3600");
            if !self.url.is_empty() {
                command.args(["--database", &self.url]);
            }
            adapt(command);
        })
    }
}

/// The number that `next` gave, or why it gave none; `None` if no whole answer came.
async fn next(process: &Process, token: &str) -> Option<Result<i64, String>> {
    let answer = process.run(Some(token), "mutation { next { value } }").await?;
    Some(answer.pointer("/data/next/value").and_then(Value::as_i64).ok_or_else(|| code(&answer)))
}

async fn current(process: &Process, token: &str) -> i64 {
    let answer = process.run(Some(token), "{ current }").await.expect("an answer");
    answer["data"]["current"].as_i64().unwrap_or_else(|| panic!("a number, not {answer}"))
}

fn code(answer: &Value) -> String {
    let code = answer.pointer("/errors/0/extensions/code").and_then(Value::as_str);
    code.unwrap_or_else(|| panic!("a coded error, not {answer}")).to_owned()
}
