//! The command line: the real binary, as a person or a script runs it.

mod backup;
mod clocks;
mod console;
mod counters;
mod keys;
mod listen;
mod log_output;
mod migrate;
mod photos;
mod running_servers;
mod serve;
mod settings;
mod signals;
mod stop;
mod storage;
mod terminal;
mod users;

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;

use cloakroom::config::{Config, Overrides};
use tempfile::TempDir;

use crate::support::{PATIENCE, TestDatabase};

/// A data directory and a database for one test.
struct Place {
    data: TempDir,
    url: String,
    _database: TestDatabase,
}

/// What a command said, and whether it succeeded.
#[derive(Debug)]
struct Said {
    succeeded: bool,
    out: String,
    err: String,
}

impl Place {
    async fn create() -> Self {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults are good");
        let database = TestDatabase::create_empty(&mut config).await;
        Self {
            data: tempfile::tempdir().expect("a temporary folder"),
            url: config.database.url.to_string(),
            _database: database,
        }
    }

    /// `cloakroom`, with nothing in its environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = cloakroom(arguments);
        command.arg("--data-dir").arg(self.data.path().join("data"));
        if !self.url.is_empty() {
            command.args(["--database", &self.url]);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        run(&mut self.command(arguments))
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.data.path().join(name);
        std::fs::write(&path, text).expect("the folder is writable");
        path.to_string_lossy().into_owned()
    }
}

fn cloakroom(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    command.env_clear().args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end; a command that serves instead of ending is stopped, and the test with it.
fn run(command: &mut Command) -> Said {
    let child = command.spawn().expect("the command starts");
    let process = child.id().to_string();
    let (ended, waiting) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let in_time = waiting.recv_timeout(PATIENCE).is_ok();
        if !in_time {
            drop(Command::new("kill").args(["-KILL", &process]).status());
        }
        in_time
    });
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the command ends");
    ended.send(()).ok();
    assert!(watch.join().expect("the watch ends"), "the command did not end");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Said { succeeded: status.success(), out: text(stdout), err: text(stderr) }
}

impl Said {
    /// What it printed, of a command that must succeed.
    fn output(self) -> String {
        assert!(self.succeeded, "{self:?}");
        self.out
    }

    /// What it complained of, of a command that must fail: for a person, so no `Debug` of anything.
    fn complaint(self) -> String {
        assert!(!self.succeeded, "{self:?}");
        assert!(self.err.starts_with("cloakroom: ") || self.err.starts_with("error: "), "{self:?}");
        for noise in ["panicked", "RUST_BACKTRACE", "Error {", "Some("] {
            assert!(!self.err.contains(noise), "{self:?}");
        }
        self.err
    }
}

/// A child that is killed when the test ends.
struct Running(Child);

impl Running {
    /// Sends a signal.
    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([&format!("-{signal}"), &self.0.id().to_string()]).status();
        assert!(status.expect("kill runs").success(), "kill -{signal}");
    }

    /// Sends a signal and waits for the end.
    fn end_with(mut self, signal: &str) -> std::process::ExitStatus {
        self.signal(signal);
        self.0.wait().expect("it ends")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
