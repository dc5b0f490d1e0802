//! Opening connections to PostgreSQL: which host, with or without TLS, with which settings.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};
use tokio::time::timeout;

use crate::config::{Endpoint, Host, PostgresUrl, SessionTarget, SslMode, SslRootCert};
use crate::store::keepalive::set_keepalive;

/// Opens connections to the servers of one URL.
#[derive(Debug)]
pub(in crate::store) struct PostgresConnector {
    url: PostgresUrl,
    /// The host that was reached last, and is tried first.
    preferred: AtomicUsize,
}

impl PostgresConnector {
    pub(super) fn new(url: PostgresUrl) -> Self {
        Self { url, preferred: AtomicUsize::new(0) }
    }

    /// Connects to the first host that is reached and accepts what `target_session_attrs` asks for.
    pub(super) async fn connect(&self, lock_timeout: Duration) -> sqlx::Result<PgConnection> {
        let (mut connection, _) = self.connect_to_any().await?;
        connection.execute(AssertSqlSafe(settings(lock_timeout))).await?;
        Ok(connection)
    }

    /// The options for the host that accepts writes at the moment.
    pub(in crate::store) async fn options_of_writable_host(&self) -> sqlx::Result<PgConnectOptions> {
        Ok(self.connect_to_any().await?.1)
    }

    pub(in crate::store) async fn open_for_migrations(&self) -> anyhow::Result<DatabaseConnection> {
        let options = self.options_of_writable_host().await?;
        let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await?;
        Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
    }

    async fn connect_to_any(&self) -> sqlx::Result<(PgConnection, PgConnectOptions)> {
        let (first, count) = (self.preferred.load(Ordering::Relaxed), self.url.endpoints.len());
        let mut last_error = None;
        for nth in (0..count).map(|offset| (first + offset) % count) {
            let Some(endpoint) = self.url.endpoints.get(nth) else { continue };
            match self.connect_to(endpoint).await {
                Ok(connected) => {
                    self.preferred.store(nth, Ordering::Relaxed);
                    return Ok(connected);
                }
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.unwrap_or_else(|| refused("database.url names no host")))
    }

    async fn connect_to(&self, endpoint: &Endpoint) -> sqlx::Result<(PgConnection, PgConnectOptions)> {
        let mut last_error = None;
        for mode in self.ssl_modes(endpoint) {
            let options = self.options(endpoint).ssl_mode(mode).disable_statement_logging();
            let connecting = timeout(self.url.connect_timeout, options.connect());
            let connected = connecting.await.unwrap_or_else(|_| Err(slow(self.url.connect_timeout.as_secs())));
            match connected {
                Ok(mut connection) => {
                    if matches!(endpoint.host, Host::Tcp(_)) {
                        set_keepalive(endpoint.port).await;
                    }
                    self.check_target(&mut connection).await?;
                    return Ok((connection, options));
                }
                // Only a server that refuses this mode is asked for the other one.
                Err(error) if is_refusal_of_mode(&error) => last_error = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last_error.unwrap_or_else(|| refused("no TLS mode is left")))
    }

    /// The modes to try one after the other, with libpq's meaning of `sslmode`.
    fn ssl_modes(&self, endpoint: &Endpoint) -> Vec<PgSslMode> {
        if matches!(endpoint.host, Host::Unix(_)) {
            return vec![PgSslMode::Disable];
        }
        match self.url.ssl_mode {
            SslMode::Disable => vec![PgSslMode::Disable],
            SslMode::Allow => vec![PgSslMode::Disable, PgSslMode::Require],
            SslMode::Prefer => vec![PgSslMode::Prefer, PgSslMode::Disable],
            // With authorities at hand, libpq checks the certificate for `require` as well.
            SslMode::Require if self.url.ssl_root_cert.is_some() => vec![PgSslMode::VerifyCa],
            SslMode::Require => vec![PgSslMode::Require],
            SslMode::VerifyCa => vec![PgSslMode::VerifyCa],
            SslMode::VerifyFull => vec![PgSslMode::VerifyFull],
        }
    }

    fn options(&self, endpoint: &Endpoint) -> PgConnectOptions {
        let url = &self.url;
        // libpq's defaults: the environment (PGUSER, PGPASSWORD) and the password file.
        let mut options = PgConnectOptions::new_without_pgpass();
        if url.password.is_none() {
            options = PgConnectOptions::new();
        }
        options = match &endpoint.host {
            Host::Tcp(name) => options.host(name),
            Host::Unix(folder) => options.socket(folder),
        };
        // Poolers refuse startup parameters that they do not know; ours are set afterwards.
        options = options.port(endpoint.port).application_name(&url.application_name).extra_float_digits(None);
        if let Some(capacity) = url.statement_cache {
            options = options.statement_cache_capacity(capacity);
        }
        if let Some(user) = &url.user {
            options = options.username(user);
        }
        if let Some(password) = &url.password {
            options = options.password(password.expose_secret());
        }
        if let Some(database) = &url.database {
            options = options.database(database);
        }
        if let Some(SslRootCert::File(path)) = &url.ssl_root_cert {
            options = options.ssl_root_cert(path);
        }
        if let Some((certificate, key)) = &url.ssl_identity {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        match &url.options {
            Some(more) => options.options(startup_options(more)),
            None => options,
        }
    }

    async fn check_target(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let sql = match self.url.target {
            SessionTarget::Any => return Ok(()),
            SessionTarget::Primary => "SELECT pg_is_in_recovery()",
            SessionTarget::ReadWrite => {
                "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
            }
        };
        let row = connection.fetch_one(AssertSqlSafe(sql)).await?;
        if row.try_get::<bool, _>(0)? {
            return Err(refused("none of the servers in database.url accepts writes"));
        }
        Ok(())
    }
}

/// In one statement after connecting, because poolers refuse them in the startup packet.
///
/// * Acknowledged commits are on disk, whatever the server's or the role's default says.
/// * A transaction that is silent for three seconds is ended with its locks: a replica that was
///   stopped or cut off cannot hold up the others, nor write later.
/// * The server notices a client that has vanished while it waits for a lock.
fn settings(lock_timeout: Duration) -> String {
    let lock_timeout = lock_timeout.as_millis();
    format!(
        "SELECT set_config(wanted.name, wanted.value, false) FROM (VALUES \
         ('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' \
                                ELSE 'on' END), \
         ('default_transaction_isolation', 'read committed'), \
         ('idle_in_transaction_session_timeout', '3000'), \
         ('lock_timeout', '{lock_timeout}'), \
         ('client_connection_check_interval', '5000'), \
         ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'), \
         ('tcp_user_timeout', '25000') \
         ) AS wanted (name, value) JOIN pg_settings ON pg_settings.name = wanted.name"
    )
}

/// `-c name=value -c other=value` as pairs.
fn startup_options(text: &str) -> Vec<(&str, &str)> {
    let words = text.split_whitespace().filter(|word| *word != "-c");
    words.filter_map(|word| word.trim_start_matches("-c").trim_start_matches("--").split_once('=')).collect()
}

/// TLS that the server does not speak, or a connection that `pg_hba.conf` rejects with or without it.
fn is_refusal_of_mode(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "28000"),
        _ => false,
    }
}

fn refused(message: &str) -> sqlx::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, message).into()
}

fn slow(seconds: u64) -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no connection to the database within {seconds} s")).into()
}
