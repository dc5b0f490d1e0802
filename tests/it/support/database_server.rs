//! A database server of one test's own, which the test can kill: as the distribution installs it, in a temporary folder.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sea_orm::Database;
use tempfile::TempDir;

use super::{PATIENCE, TestDatabase};

/// The users that the servers run as where the tests are root: they refuse to be that.
const POSTGRES: &str = "postgres";
const MYSQL: &str = "mysql";

/// A running database server; killed when dropped.
pub struct DatabaseServer {
    kind: Kind,
    port: u16,
    child: Child,
    folder: TempDir,
}

#[derive(Clone, Copy)]
enum Kind {
    Postgres,
    Mariadb,
}

impl DatabaseServer {
    /// One of the kind that the suite runs on; none on SQLite, which is within the server.
    pub async fn start() -> Option<Self> {
        let kind = match TestDatabase::scheme()?.as_str() {
            "postgres" | "postgresql" => Kind::Postgres,
            "mysql" | "mariadb" => Kind::Mariadb,
            scheme => panic!("no way to start a {scheme} server is known"),
        };
        let folder = tempfile::tempdir().expect("a folder");
        kind.initialise(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
        let child = kind.spawn(folder.path(), port);
        let mut server = Self { kind, port, child, folder };
        server.answers().await;
        Some(server)
    }

    /// What a server is configured with.
    pub fn url(&self) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://{POSTGRES}@127.0.0.1:{}/postgres", self.port),
            Kind::Mariadb => format!("mysql://root@127.0.0.1:{}/test", self.port),
        }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills all of its processes, as if the machine had lost them.
    pub fn kill(&mut self) {
        let parent = Pid::from_child(&self.child);
        // Stopped first, so that it makes no more of them.
        kill_process(parent, Signal::STOP).expect("it runs");
        let children = children_of(parent);
        for child in &children {
            // It may have ended by itself.
            kill_process(*child, Signal::KILL).ok();
        }
        kill_process(parent, Signal::KILL).expect("it runs");
        self.child.wait().expect("it ends");
        let deadline = std::time::Instant::now() + PATIENCE;
        while children.iter().any(|child| is_alive(*child)) {
            assert!(std::time::Instant::now() < deadline, "its processes end");
            std::thread::yield_now();
        }
    }

    /// Starts it again on what it had, and waits until it answers.
    pub async fn restart(&mut self) {
        self.child = self.kind.spawn(self.folder.path(), self.port);
        self.answers().await;
    }

    async fn answers(&mut self) {
        let connected = async {
            loop {
                match Database::connect(self.url()).await {
                    Ok(connection) => break connection.close().await.expect("the connection closes"),
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
                assert!(self.child.try_wait().expect("it can be asked").is_none(), "the database server ended");
            }
        };
        tokio::time::timeout(PATIENCE, connected).await.expect("the database server answers");
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}

impl Kind {
    fn initialise(self, folder: &Path) {
        match self {
            Self::Postgres => {
                let mut command = as_user(POSTGRES, folder, &postgres_program("initdb"));
                command.args(["--username", POSTGRES, "--auth", "trust", "--no-sync", "--pgdata"]);
                let made = command.arg(folder.join("data")).stdout(Stdio::null()).status().expect("initdb runs");
                assert!(made.success(), "initdb: {made}");
            }
            Self::Mariadb => {
                let mut command = as_user(MYSQL, folder, Path::new("mariadb-install-db"));
                command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
                command.arg(format!("--datadir={}", folder.join("data").display()));
                let made = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it runs");
                assert!(made.success(), "mariadb-install-db: {made}");
            }
        }
    }

    fn spawn(self, folder: &Path, port: u16) -> Child {
        match self {
            Self::Postgres => {
                let mut command = as_user(POSTGRES, folder, &postgres_program("postgres"));
                command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port.to_string()]);
                command.args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=40"]);
                // Each start says that the last end was a crash.
                command.stderr(Stdio::null()).spawn().expect("the database server starts")
            }
            Self::Mariadb => {
                let mut command = as_user(MYSQL, folder, Path::new("/usr/sbin/mariadbd"));
                command.args(["--no-defaults", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M"]);
                command.arg(format!("--datadir={}", folder.join("data").display())).arg(format!("--port={port}"));
                command.arg(format!("--socket={}", folder.join("socket").display()));
                command.arg(format!("--pid-file={}", folder.join("pid").display()));
                command.stderr(Stdio::null()).spawn().expect("the database server starts")
            }
        }
    }
}

/// The newest of the versions that are installed.
fn postgres_program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.flatten().map(|entry| entry.path()).max_by_key(version).expect("a version of PostgreSQL");
    newest.join("bin").join(name)
}

/// As this user if the tests are root's, in a folder that is theirs then.
pub fn as_user(user: &str, folder: &Path, program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let id = Command::new("id").args(["-u", user]).output().expect("id runs").stdout;
    let id = String::from_utf8_lossy(&id).trim().parse().expect("a user of the database's");
    chown(folder, Some(id), None).expect("root may give folders away");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
    command.current_dir(folder);
    command
}

fn children_of(parent: Pid) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").expect("processes can be listed").flatten();
    let pids = processes.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent.as_raw_nonzero().get())).collect()
}

/// Nobody may have collected it yet.
fn is_alive(pid: Pid) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// The state and the parent of a process that there is.
fn stat(pid: Pid) -> Option<(String, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
