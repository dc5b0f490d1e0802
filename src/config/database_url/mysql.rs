//! `mysql://` and `mariadb://`.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use secrecy::SecretString;

use super::parts::{self, Endpoint, Host, Parts};

const PARAMETERS: [&str; 8] =
    ["ssl-mode", "sslmode", "ssl-ca", "ssl-cert", "ssl-key", "socket", "charset", parts::STATEMENT_CACHE];

/// TLS to MariaDB or MySQL, with the meaning that the MySQL manual gives `--ssl-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MysqlSslMode {
    /// No TLS.
    Disabled,
    /// TLS if the server offers it.
    #[default]
    Preferred,
    /// TLS, with whatever certificate.
    Required,
    /// TLS, with a certificate of a known authority.
    VerifyCa,
    /// TLS, with a certificate of a known authority for this host.
    VerifyIdentity,
}

/// A MariaDB or MySQL server.
#[derive(Clone, Debug)]
pub struct MysqlUrl {
    /// The host and port, or the path of a Unix socket.
    pub endpoint: Endpoint,
    /// The user; `None` leaves the driver's default.
    pub user: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The database.
    pub database: String,
    /// See [`MysqlSslMode`].
    pub ssl_mode: MysqlSslMode,
    /// The authorities to trust, PEM.
    pub ssl_ca: Option<PathBuf>,
    /// The client's certificate and its key, PEM.
    pub ssl_identity: Option<(PathBuf, PathBuf)>,
    /// Prepared statements that each connection keeps; `None` for the driver's default of 100.
    pub statement_cache: Option<usize>,
    /// `mysql` or `mariadb`, as it was written.
    scheme: &'static str,
}

impl MysqlUrl {
    pub(super) fn parse(scheme: &'static str, rest: &str) -> anyhow::Result<Self> {
        let Parts { user, password, mut endpoints, database, parameters } = Parts::parse(rest, 3306)?;
        ensure!(endpoints.len() == 1, "database.url of MariaDB or MySQL names one host: put a proxy before several");
        let mut endpoint = endpoints.pop().context("database.url names no host")?;
        let (mut ssl_mode, mut ssl_ca, mut ssl_cert, mut ssl_key) = (None, None, None, None);
        let mut statement_cache = None;
        for (name, value) in parameters {
            match name.as_str() {
                "ssl-mode" | "sslmode" => ssl_mode = Some(parse_ssl_mode(&value)?),
                "ssl-ca" => ssl_ca = Some(PathBuf::from(value)),
                "ssl-cert" => ssl_cert = Some(PathBuf::from(value)),
                "ssl-key" => ssl_key = Some(PathBuf::from(value)),
                parts::STATEMENT_CACHE => statement_cache = Some(parts::parse_statement_cache(&value)?),
                "socket" => endpoint.host = Host::Unix(value),
                "charset" => {
                    ensure!(value == "utf8mb4", "charset in database.url must be utf8mb4, which is the default");
                }
                "password" | "user" => bail!("database.url takes {name} before its `@`, not as a parameter"),
                _ => return Err(parts::unknown(&name, &PARAMETERS)),
            }
        }
        let ssl_identity = match (ssl_cert, ssl_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => bail!("database.url needs ssl-cert and ssl-key together"),
        };
        // MySQL's clients verify when they are given an authority, and nothing else is said.
        let assumed = if ssl_ca.is_some() { MysqlSslMode::VerifyCa } else { MysqlSslMode::default() };
        let database = database.context("database.url names no database: add /NAME")?;
        let ssl_mode = ssl_mode.unwrap_or(assumed);
        Ok(Self { endpoint, user, password, database, ssl_mode, ssl_ca, ssl_identity, statement_cache, scheme })
    }
}

fn parse_ssl_mode(value: &str) -> anyhow::Result<MysqlSslMode> {
    Ok(match value.to_ascii_lowercase().replace('-', "_").as_str() {
        "disabled" | "disable" => MysqlSslMode::Disabled,
        "preferred" | "prefer" => MysqlSslMode::Preferred,
        "required" | "require" => MysqlSslMode::Required,
        "verify_ca" => MysqlSslMode::VerifyCa,
        "verify_identity" | "verify_full" => MysqlSslMode::VerifyIdentity,
        _ => bail!("ssl-mode in database.url must be DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY"),
    })
}

impl fmt::Display for MysqlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        let endpoints = std::slice::from_ref(&self.endpoint);
        Parts::masked(f, self.user.as_deref(), self.password.as_ref(), endpoints, Some(&self.database))?;
        match self.ssl_mode {
            MysqlSslMode::Preferred => Ok(()),
            mode => write!(f, "?ssl-mode={}", mode.name()),
        }
    }
}

impl MysqlSslMode {
    fn name(self) -> &'static str {
        match self {
            Self::Disabled => "DISABLED",
            Self::Preferred => "PREFERRED",
            Self::Required => "REQUIRED",
            Self::VerifyCa => "VERIFY_CA",
            Self::VerifyIdentity => "VERIFY_IDENTITY",
        }
    }
}
