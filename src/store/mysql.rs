//! MariaDB and MySQL: pools of connections to one server, shared by any number of replicas.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, SqlxMySqlConnector, Statement};
use secrecy::ExposeSecret as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tokio::time::timeout;

use crate::config::{self, Host, MysqlSslMode, MysqlUrl};
use crate::store::database::{Connector, Database, Pools};
use crate::store::keepalive::set_keepalive;
use crate::store::pool::{Open, Pool, PoolLimits};
use crate::store::reader::DatabaseReader;
use crate::store::session::Session;

/// The part of `database.answer_seconds` that a statement waits for a row's lock; then it is run again. The group commit
/// does not wait for one row at the cost of all others.
const LOCK_TIMEOUTS_IN_ANSWER: u32 = 4;
const LOCK_TIMEOUT_OF_MIGRATIONS: Duration = Duration::from_secs(5);
/// The shortest there is.
const LOCK_TIMEOUT_OF_GROUP_COMMIT: Duration = Duration::from_secs(1);

/// The settings of every connection. MariaDB alone reads `/*M! */`, MySQL alone `/*!80017 */`.
///
/// * Text is compared byte for byte, trailing spaces included.
/// * A statement sees everything committed before it, and row locks lock no gaps.
/// * MariaDB ends a transaction that is silent for three seconds, with its locks: a replica that was
///   stopped or cut off cannot hold up the others, nor write later. MySQL has no such setting.
fn settings(lock_timeout: Duration) -> String {
    let lock_timeout = lock_timeout.max(LOCK_TIMEOUT_OF_GROUP_COMMIT).as_secs();
    format!(
        "SET NAMES utf8mb4 COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */, \
         time_zone = '+00:00', \
         sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
                     NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT', \
         /*M! idle_transaction_timeout = 3, */ \
         innodb_lock_wait_timeout = {lock_timeout}; \
         SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
    )
}

/// Time that opening a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The first versions with everything that is used, such as `JSON_TABLE` and `SKIP LOCKED`.
const OLDEST_MARIADB: (u32, u32, u32) = (10, 6, 0);
const OLDEST_MYSQL: (u32, u32, u32) = (8, 0, 17);

/// Opens connections to the server of one URL.
#[derive(Debug)]
pub(super) struct MysqlConnector {
    url: MysqlUrl,
}

pub(super) async fn open(url: &MysqlUrl, config: &config::Database) -> anyhow::Result<Database> {
    let which = |verb: &str| format!("cannot {verb} the database {url}");
    let connector = Arc::new(MysqlConnector { url: url.clone() });
    let limit = Duration::from_secs(config.answer_seconds);
    let lock_timeout = limit / LOCK_TIMEOUTS_IN_ANSWER;
    // The first connection by itself: a wrong address or password is an answer, not a reason to wait.
    let first = connector.connect(lock_timeout).await.map_err(anyhow::Error::from).with_context(|| which("reach"))?;
    drop(first);
    let limits = PoolLimits::of_server(config);
    let main = Pool::new(opener(&connector, lock_timeout), limits);
    let single = || {
        let limits = PoolLimits { connections: 1, ..limits };
        Pool::backed_by(opener(&connector, LOCK_TIMEOUT_OF_GROUP_COMMIT), limits, main.clone())
    };
    let pools = Pools { reader: main.clone(), writer: main.clone(), group_commit: single(), blocked: single() };
    let database = Database::new(Connector::Mysql(connector), pools, Some(limit));
    check(&database).await.with_context(|| which("use"))?;
    Ok(database)
}

fn opener(connector: &Arc<MysqlConnector>, lock_timeout: Duration) -> Open {
    let connector = Arc::clone(connector);
    Box::new(move || {
        let connector = Arc::clone(&connector);
        Box::pin(async move { Ok(Session::Mysql(Box::new(connector.connect(lock_timeout).await?))) })
    })
}

impl MysqlConnector {
    async fn connect(&self, lock_timeout: Duration) -> sqlx::Result<MySqlConnection> {
        let connecting = async {
            let mut connection = self.options().connect().await?;
            if matches!(self.url.endpoint.host, Host::Tcp(_)) {
                set_keepalive(self.url.endpoint.port).await;
            }
            connection.execute(AssertSqlSafe(settings(lock_timeout))).await?;
            Ok(connection)
        };
        let slow = |_| {
            let message = format!("no connection to the database within {} s", CONNECT_LIMIT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, message).into())
        };
        timeout(CONNECT_LIMIT, connecting).await.unwrap_or_else(slow)
    }

    pub(super) async fn open_for_migrations(&self) -> anyhow::Result<DatabaseConnection> {
        let pool = MySqlPoolOptions::new()
            .max_connections(2)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(AssertSqlSafe(settings(LOCK_TIMEOUT_OF_MIGRATIONS))).await.map(drop)
                })
            })
            .connect_with(self.options())
            .await?;
        Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
    }

    fn options(&self) -> MySqlConnectOptions {
        let url = &self.url;
        let options = MySqlConnectOptions::new().database(&url.database).ssl_mode(ssl_mode(url.ssl_mode));
        let mut options = match &url.endpoint.host {
            Host::Tcp(name) => options.host(name).port(url.endpoint.port),
            Host::Unix(path) => options.socket(path),
        };
        if let Some(capacity) = url.statement_cache {
            options = options.statement_cache_capacity(capacity);
        }
        if let Some(user) = &url.user {
            options = options.username(user);
        }
        if let Some(password) = &url.password {
            options = options.password(password.expose_secret());
        }
        if let Some(path) = &url.ssl_ca {
            options = options.ssl_ca(path);
        }
        if let Some((certificate, key)) = &url.ssl_identity {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        // `settings` says all of it in one round trip.
        let options = options.set_names(false).timezone(None).pipes_as_concat(false).no_engine_substitution(false);
        options.disable_statement_logging()
    }
}

fn ssl_mode(mode: MysqlSslMode) -> MySqlSslMode {
    match mode {
        MysqlSslMode::Disabled => MySqlSslMode::Disabled,
        MysqlSslMode::Preferred => MySqlSslMode::Preferred,
        MysqlSslMode::Required => MySqlSslMode::Required,
        MysqlSslMode::VerifyCa => MySqlSslMode::VerifyCa,
        MysqlSslMode::VerifyIdentity => MySqlSslMode::VerifyIdentity,
    }
}

async fn check(database: &Database) -> anyhow::Result<()> {
    let reader = database.reader();
    assert_new_enough(reader).await?;
    assert_durable(reader).await?;
    // Opened now, so that the other connections leave it its place.
    drop(database.group_commit_writer().pool.acquire().await?);
    Ok(())
}

/// Fails if the server is a replica or read-only.
pub(super) async fn assert_writable(reader: &DatabaseReader) -> anyhow::Result<()> {
    let sql = "SELECT CAST(@@global.read_only AS SIGNED)";
    let row = reader.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await?;
    if row.context("no answer")?.try_get_by_index::<i64>(0)? != 0 {
        // The connection may lead to the former primary, while new ones lead to the present one.
        reader.pool.discard_idle();
        bail!("the database is read-only");
    }
    Ok(())
}

async fn assert_new_enough(reader: &DatabaseReader) -> anyhow::Result<()> {
    let version = show(reader, "version").await?.unwrap_or_default();
    let mut numbers = version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    let (name, oldest) =
        if version.contains("MariaDB") { ("MariaDB", OLDEST_MARIADB) } else { ("MySQL", OLDEST_MYSQL) };
    let (major, minor, patch) = oldest;
    let found = (number(), number(), number());
    ensure!(found >= oldest, "{name} {version} is too old: {major}.{minor}.{patch} is needed");
    Ok(())
}

/// A commit is on disk when it is acknowledged. If there is a binary log, it is there as well: after a
/// crash, transactions that are missing from it are undone. Neither can be set for a session.
async fn assert_durable(reader: &DatabaseReader) -> anyhow::Result<()> {
    let mut wanted = vec![("innodb_flush_log_at_trx_commit", "1")];
    if show(reader, "log_bin").await?.as_deref() == Some("ON") {
        wanted.push(("sync_binlog", "1"));
        let format = show(reader, "binlog_format").await?.unwrap_or_default();
        ensure!(format != "STATEMENT", "binlog_format is STATEMENT: READ COMMITTED needs ROW or MIXED");
    }
    for (variable, wanted) in wanted {
        let found = show(reader, variable).await?.unwrap_or_default();
        ensure!(
            found == wanted,
            "{variable} is {found}: a crash would lose acknowledged numbers; set it to {wanted} on the database server"
        );
    }
    Ok(())
}

async fn show(reader: &DatabaseReader, variable: &str) -> anyhow::Result<Option<String>> {
    let sql = format!("SHOW GLOBAL VARIABLES WHERE Variable_name = '{variable}'");
    let row = reader.query_one_raw(Statement::from_string(DbBackend::MySql, sql)).await?;
    Ok(row.map(|row| row.try_get_by_index(1)).transpose()?)
}
