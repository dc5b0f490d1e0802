//! A server that a scenario breaks.

use std::any::Any;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use cloakroom::config::{Config, Overrides};
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Form, PATIENCE, Process, TestDatabase, picture_no, start_on_a_small_disk};

/// A place for a server, and the server itself.
pub(super) struct Site {
    folder: TempDir,
    pub(super) url: String,
    process: Option<Process>,
    token: String,
    pictures: u32,
    /// Whatever the failure lasts with.
    guards: Vec<Box<dyn Any>>,
    _database: Option<TestDatabase>,
}

impl Site {
    /// With a database of its own.
    pub(super) async fn new() -> Self {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        let database = TestDatabase::create_empty(&mut config).await;
        Self { _database: Some(database), ..Self::at(config.database.url.to_string()) }
    }

    /// On a database that somebody else cares for.
    pub(super) fn at(url: String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, url, process: None, token: String::new(), pictures: 0, guards: Vec::new(), _database: None }
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Keeps something until the server has ended.
    pub(super) fn keep(&mut self, guard: impl Any) {
        self.guards.push(Box::new(guard));
    }

    /// Starts the server with these settings and one user.
    pub(super) async fn serve(&mut self, settings: &[(&str, String)]) {
        self.serve_with(settings, &|_| {}).await;
    }

    /// Starts the server again with these settings, for the same user.
    pub(super) fn serve_again(&mut self, settings: &[(&str, String)]) {
        self.process = Some(tokio::task::block_in_place(|| self.start(settings, &|_| {})));
    }

    /// Starts the server as [`Site::serve`] does, with a command that `adapt` changes.
    pub(super) async fn serve_with(&mut self, settings: &[(&str, String)], adapt: &dyn Fn(&mut Command)) {
        let process = tokio::task::block_in_place(|| self.start(settings, adapt));
        self.signed_up(process).await;
    }

    /// The same, with the data directory on a disk with these mount options.
    pub(super) async fn serve_on_disk(&mut self, options: &str) {
        let start = |adapt: &dyn Fn(&mut Command)| self.start(&[], adapt);
        let process = tokio::task::block_in_place(|| start_on_a_small_disk(&self.data_dir(), options, start));
        self.signed_up(process).await;
    }

    fn start(&self, settings: &[(&str, String)], adapt: &dyn Fn(&mut Command)) -> Process {
        Process::start(&self.data_dir(), |command| {
            // Tests run side by side, and a database server has so many connections.
            command.env("CLOAKROOM__DATABASE__MAX_CONNECTIONS", "4");
            command.env("CLOAKROOM__SERVER__SHUTDOWN_SECONDS", "2");
            command.envs(settings.iter().map(|(name, value)| (format!("CLOAKROOM__{name}"), value)));
            if !self.url.is_empty() {
                command.args(["--database", &self.url]);
            }
            adapt(command);
        })
    }

    async fn signed_up(&mut self, process: Process) {
        self.token = process.sign_up("anna").await;
        self.process = Some(process);
    }

    pub(super) fn process(&self) -> &Process {
        self.process.as_ref().expect("the server was started")
    }

    /// Runs SQL in the server's database.
    pub(super) async fn execute(&self, sql: &str) {
        let url = match TestDatabase::is_sqlite() {
            true => format!("sqlite://{}", self.data_dir().join("cloakroom.db").display()),
            false => self.url.clone(),
        };
        execute(&url, sql).await;
    }

    /// The answer to a query of the user.
    pub(super) async fn query(&self, query: &str) -> Option<Value> {
        self.process().run(Some(&self.token), query).await
    }

    /// `OK`, or the code that a mutation ends in. `None` if no whole answer came.
    pub(super) async fn next(&self) -> Option<String> {
        let answer = self.process().run(Some(&self.token), "mutation { next { value } }").await?;
        Some(outcome(&answer, "next"))
    }

    pub(super) async fn upload(&mut self) -> Option<String> {
        self.pictures += 1;
        let query = "mutation($p: [NewPhoto!]!) { uploadPhotos(input: { photos: $p }) { photos { id } } }";
        let file = picture_no(self.pictures);
        let form = Form::of(query, &json!({ "p": [{ "file": null }] }), &[("variables.p.0.file", &file)]);
        let answer = self.process().upload(&self.token, form).await?;
        Some(outcome(&answer, "uploadPhotos"))
    }

    /// The status of `/readyz`, and the parts that fail.
    pub(super) async fn ready(&self) -> Option<(u16, BTreeSet<String>)> {
        let url = format!("http://{}/readyz", self.process().address);
        let (status, body) = self.process().get(&url).await?;
        let parts = body.as_object().expect("an object").iter().filter(|(name, _)| *name != "status");
        let failed = parts.filter(|(_, word)| **word == "unavailable").map(|(name, _)| name.clone());
        Some((status, failed.collect()))
    }

    /// Waits until the server ends, if need be because it is asked to; its exit code and its log.
    pub(super) async fn end(&mut self) -> (i32, String) {
        let process = self.process.as_mut().expect("the server was started");
        if process.exit_code().is_none() {
            process.signal("TERM");
        }
        let code = process.ended().await;
        (code, process.output())
    }

    /// Waits for a server that ends without being asked to; its exit code.
    pub(super) async fn ended(&mut self) -> i32 {
        self.process.as_mut().expect("the server was started").ended().await
    }

    /// Ends the server, for another start.
    pub(super) async fn stop(&mut self) {
        self.end().await;
        self.process = None;
    }
}

fn outcome(answer: &Value, field: &str) -> String {
    let Some(error) = answer.pointer("/errors/0") else {
        assert!(!answer["data"][field].is_null(), "a result: {answer}");
        return "OK".to_owned();
    };
    let code = error["extensions"]["code"].as_str().unwrap_or_else(|| panic!("a code in {answer}"));
    // The table of errors in the guide. A request that is refused as a whole has a header instead.
    let says_when = error["extensions"]["retryAfterSeconds"].is_u64() || error["path"].is_null();
    assert_eq!(says_when, code == "UNAVAILABLE", "{answer}");
    let may_have_been_done = error["message"].as_str().is_some_and(|message| message.contains("may have been done"));
    assert_eq!(may_have_been_done, code == "INTERNAL_SERVER_ERROR", "no bug: {answer}");
    code.to_owned()
}

/// Runs SQL in the database with this URL.
pub(super) async fn execute(url: &str, sql: &str) {
    let connection = Database::connect(url).await.expect("the database answers");
    connection.execute_unprepared(sql).await.expect(sql);
    connection.close().await.expect("the connection closes");
}

/// Waits until `is_so`, which must come.
pub(super) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{what} does not come"));
}
