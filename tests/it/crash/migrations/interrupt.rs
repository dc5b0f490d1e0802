//! Interrupts a migration before its nth step, as a kill of its process would.
//!
//! SQLite: the real binary sends itself SIGKILL in place of the nth write or sync of the database's
//! files. PostgreSQL and MariaDB: the connection is closed in place of the nth request.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom::config;
use cloakroom::store::{Backend, Database, migrations};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::support::TestDatabase;

/// A command that changes the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Migrate {
    Up,
    /// By one migration.
    Down,
    Fresh,
}

impl Migrate {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Up => &["migrate", "up"],
            Self::Down => &["migrate", "down"],
            Self::Fresh => &["migrate", "fresh", "--yes"],
        }
    }
}

/// The outcome of a run that was to be interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    Interrupted,
    /// The run had fewer steps than that.
    Finished,
}

/// Runs migrations and interrupts them.
pub(super) enum Interrupter {
    Kill { shim: PathBuf, data_dir: PathBuf },
    Cut(Box<CuttingProxy>),
}

impl Interrupter {
    /// For the database of `settings`; `folder` is for files.
    pub(super) async fn new(settings: &config::Database, folder: &Path) -> Self {
        match TestDatabase::is_sqlite() {
            true => Self::Kill { shim: compile_shim(folder), data_dir: folder.to_owned() },
            false => Self::Cut(Box::new(CuttingProxy::start(settings).await)),
        }
    }

    /// Runs a migration with an interruption in place of its nth step.
    pub(super) async fn run(&self, migrate: Migrate, nth: usize) -> Run {
        match self {
            Self::Kill { shim, data_dir } => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
                command.args(migrate.arguments()).arg("--data-dir").arg(data_dir);
                command.env("LD_PRELOAD", shim).env("KILL_AT", nth.to_string());
                let output = command.stdout(Stdio::null()).output().expect("the command runs");
                match output.status.signal() {
                    Some(9) => Run::Interrupted,
                    _ => {
                        let said = String::from_utf8_lossy(&output.stderr);
                        assert!(output.status.success(), "step {nth}: {said}");
                        Run::Finished
                    }
                }
            }
            Self::Cut(proxy) => {
                let database = Database::open(&proxy.settings, Path::new("")).await.expect("the database opens");
                proxy.cut_at(nth);
                let outcome = match migrate {
                    Migrate::Up => migrations::up(&database).await,
                    Migrate::Down => migrations::down(&database, 1).await,
                    Migrate::Fresh => migrations::fresh(&database).await,
                };
                let was_cut = proxy.mend();
                database.close().await;
                assert!(was_cut || outcome.is_ok(), "step {nth}: {outcome:?}");
                if was_cut { Run::Interrupted } else { Run::Finished }
            }
        }
    }
}

fn compile_shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/crash/migrations/kill_shim.c");
    let shim = folder.join("kill_shim.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).arg("-ldl");
    assert!(cc.status().expect("a C compiler, as for SQLite").success(), "the shim compiles");
    shim
}

/// A proxy in front of a database server that closes all connections in place of the nth request.
pub(super) struct CuttingProxy {
    /// The database as reached through the proxy.
    settings: config::Database,
    /// Requests left until the cut; 0: already cut.
    left: Arc<AtomicUsize>,
}

const NEVER: usize = usize::MAX;

impl CuttingProxy {
    async fn start(settings: &config::Database) -> Self {
        let mut url = url::Url::parse(&settings.url.to_string()).expect("a URL");
        let port = if TestDatabase::backend() == Backend::Mysql { 3306 } else { 5432 };
        let server = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(port));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        url.set_port(Some(listener.local_addr().expect("an address").port())).expect("a URL with a host");
        // In the clear: a request is what comes with one read.
        let plain = if TestDatabase::backend() == Backend::Mysql { "ssl-mode=DISABLED" } else { "sslmode=disable" };
        url.set_query(Some(plain));
        let left = Arc::new(AtomicUsize::new(NEVER));
        let counter = Arc::clone(&left);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server.clone()).await.expect("the database server is reachable");
                tokio::spawn(carry(client, server, Arc::clone(&counter)));
            }
        });
        let settings = config::Database { url: url.as_str().parse().expect("a URL"), ..settings.clone() };
        Self { settings, left }
    }

    fn cut_at(&self, nth: usize) {
        self.left.store(nth, Ordering::SeqCst);
    }

    /// Carries everything again. Returns whether a connection was cut.
    fn mend(&self) -> bool {
        self.left.swap(NEVER, Ordering::SeqCst) == 0
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, left: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let requests = async {
        let mut bytes = vec![0; 65_536];
        while let Ok(length @ 1..) = tokio::io::AsyncReadExt::read(&mut from_client, &mut bytes).await {
            let count = |left: usize| Some(if left == NEVER { NEVER } else { left.saturating_sub(1) });
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count).ok();
            if left.load(Ordering::SeqCst) == 0 || to_server.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}
