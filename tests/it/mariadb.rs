//! Settings that MariaDB must have.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cloakroom::config::{Config, Overrides};
use cloakroom::store::{Backend, Database, migrations};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::support::{PATIENCE, TestDatabase};

/// A MariaDB of the test's own, whose settings it may change; killed when dropped.
struct Server {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = format!("--datadir={}", folder.path().join("data").display());
        let socket = format!("--socket={}", folder.path().join("socket").display());
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut install = Command::new("mariadb-install-db");
        install.args(["--no-defaults", "--user=root", "--skip-test-db", &data]).stdout(Stdio::null());
        assert!(install.status().expect("MariaDB is installed").success());
        let mut command = Command::new("mariadbd");
        command.args(["--no-defaults", "--user=root", "--skip-grant-tables", "--bind-address=127.0.0.1", "--log-bin"]);
        command.args([&data, &socket, &format!("--port={port}")]).stderr(Stdio::null());
        let child = command.spawn().expect("MariaDB starts");
        let server = Self { child, url: format!("mariadb://root@127.0.0.1:{port}/mysql"), _folder: folder };
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "it does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    async fn set(&self, setting: &str) {
        let connection = sea_orm::Database::connect(self.url.replace("mariadb:", "mysql:")).await.expect("it answers");
        connection.execute_unprepared(&format!("SET GLOBAL {setting}")).await.expect(setting);
        connection.close().await.expect("it closes");
    }

    /// What is said when it is opened; nothing if that went well.
    async fn complaint(&self) -> String {
        let mut config = settings();
        config.database.url = self.url.parse().expect("the URL of a database server");
        match Database::open(&config.database, Path::new("")).await {
            Ok(database) => {
                database.close().await;
                String::new()
            }
            Err(error) => format!("{error:#}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn settings() -> Config {
    Config::load(None, &Overrides::default()).expect("the defaults are good")
}

async fn ask(database: &Database, sql: &str, column: usize) -> Vec<String> {
    let rows = database.reader().query_all_raw(Statement::from_string(DbBackend::MySql, sql)).await.expect(sql);
    rows.iter().map(|row| row.try_get_by_index(column).expect("text")).collect()
}

#[tokio::test]
async fn a_server_that_would_lose_acknowledged_numbers_is_refused() {
    if TestDatabase::backend() != Backend::Mysql {
        return;
    }
    let server = Server::start().await;
    assert!(server.complaint().await.contains(": sync_binlog is 0: "), "MariaDB's own default");
    server.set("sync_binlog = 1").await;
    assert_eq!(server.complaint().await, "");
    for lazy in ["0", "2"] {
        server.set(&format!("innodb_flush_log_at_trx_commit = {lazy}")).await;
        let complaint = server.complaint().await;
        assert!(complaint.contains(&format!(": innodb_flush_log_at_trx_commit is {lazy}: ")), "{complaint}");
    }
    server.set("innodb_flush_log_at_trx_commit = 1").await;
    server.set("binlog_format = 'STATEMENT'").await;
    assert!(server.complaint().await.contains(": binlog_format is STATEMENT: "));
}

#[tokio::test]
async fn every_table_compares_text_byte_for_byte() {
    if TestDatabase::backend() != Backend::Mysql {
        return;
    }
    let mut config = settings();
    let _database = TestDatabase::create_empty(&mut config).await;
    let database = Database::open(&config.database, Path::new("")).await.expect("the database opens");
    migrations::up(&database).await.expect("they apply");
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
               AND table_collation <> 'utf8mb4_nopad_bin' AND table_name <> 'seaql_migrations'";
    assert!(ask(&database, sql, 0).await.is_empty());
    database.close().await;
}

#[tokio::test]
async fn every_connection_is_strict_and_gives_up_locks_that_nobody_uses() {
    if TestDatabase::backend() != Backend::Mysql {
        return;
    }
    let mut config = settings();
    let _database = TestDatabase::create_empty(&mut config).await;
    let database = Database::open(&config.database, Path::new("")).await.expect("the database opens");
    for (variable, expected) in [
        ("tx_isolation", "READ-COMMITTED"),
        ("time_zone", "+00:00"),
        ("collation_connection", "utf8mb4_nopad_bin"),
        ("idle_transaction_timeout", "3"),
        ("innodb_lock_wait_timeout", "5"),
    ] {
        let found = ask(&database, &format!("SHOW SESSION VARIABLES LIKE '{variable}'"), 1).await;
        assert_eq!(found, [expected], "{variable}");
    }
    let mode = ask(&database, "SELECT @@SESSION.sql_mode", 0).await.concat();
    assert!(mode.contains("STRICT_ALL_TABLES") && mode.contains("NO_ENGINE_SUBSTITUTION"), "{mode}");
    database.close().await;
}
