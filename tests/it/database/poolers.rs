//! PgBouncer between the server and PostgreSQL. Needs the program `pgbouncer`.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use cloakroom::store::Backend;
use tempfile::TempDir;

use super::{NEXT, ask, open, refusal};
use crate::support::{Caller, PATIENCE, TestApp, TestDatabase, as_user};

struct Pgbouncer {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Pgbouncer {
    /// In front of the database with this URL; `None` where it is not installed or not of use.
    async fn start(url: &str, mode: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
        let (server, name) = url.rsplit_once('/').expect("postgres://USER@HOST/NAME");
        let (user, host) = server.trim_start_matches("postgres://").rsplit_once('@').expect("a user");
        let (host, server_port) = host.rsplit_once(':').unwrap_or((host, "5432"));
        let settings = format!(
            "[databases]\n{name} = host={host} port={server_port} user={user}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = 12\nmax_client_conn = 50\n\
             unix_socket_dir =\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).expect("the settings are written");
        let mut command: Command = as_user("postgres", folder.path(), "pgbouncer".as_ref());
        let child = command.arg(&file).stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("pgbouncer starts");
        let pooler = Self { child, url: format!("postgres://{user}@127.0.0.1:{port}/{name}"), _folder: folder };
        let listens = async { while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {} };
        tokio::time::timeout(PATIENCE, listens).await.expect("pgbouncer listens");
        pooler
    }

    fn is_installed() -> bool {
        Command::new("pgbouncer").arg("--version").stdout(Stdio::null()).status().is_ok()
    }
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_pooler_in_session_mode_everything_works() {
    if TestDatabase::backend() != Backend::Postgres || !Pgbouncer::is_installed() {
        return;
    }
    let (test, user) = TestApp::with_user().await;
    let pooler = Pgbouncer::start(&test.config.database.url.to_string(), "session").await;
    let database = open(&pooler.url).await.expect("session mode is fine");
    // The role's default is another one here.
    for (setting, value) in [
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
        ("idle_in_transaction_session_timeout", "3s"),
    ] {
        assert_eq!(ask::<String>(&database, &format!("SELECT current_setting('{setting}')")).await, value, "{setting}");
    }
    database.close().await;

    let (second, there) = test.replica(&user, &pooler.url).await;
    let clients: Vec<_> = (0..20).map(|_| tokio::spawn(take(there.clone(), 5))).collect();
    let mut numbers = Vec::new();
    for client in clients {
        numbers.extend(client.await.expect("no panic"));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=100).collect::<Vec<i64>>());
    second.stop().await;
}

async fn take(user: Caller, count: usize) -> Vec<i64> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let reply = user.run(NEXT).await;
        numbers.push(reply.at("/data/next/value").as_i64().unwrap_or_else(|| panic!("{}", reply.body)));
    }
    numbers
}

#[tokio::test]
async fn a_pooler_that_lends_a_session_to_each_transaction_is_refused_in_one_sentence() {
    if TestDatabase::backend() != Backend::Postgres || !Pgbouncer::is_installed() {
        return;
    }
    let test = TestApp::start().await;
    for mode in ["transaction", "statement"] {
        let pooler = Pgbouncer::start(&test.config.database.url.to_string(), mode).await;
        for _ in 0..3 {
            let refusal = refusal(&pooler.url).await;
            assert!(refusal.contains("pool_mode = session"), "{mode}: {refusal}");
        }
    }
}
