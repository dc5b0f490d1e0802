//! `postgres://` and `postgresql://`, as libpq reads them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use secrecy::SecretString;

use super::parts::{self, Endpoint, Host, Parts, parse_port};

const DEFAULT_PORT: u16 = 5432;
/// libpq's default is to wait without limit; the kernel gives up after about two minutes.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const PARAMETERS: [&str; 17] = [
    parts::STATEMENT_CACHE,
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "target_session_attrs",
    "connect_timeout",
    "application_name",
    "options",
    "client_encoding",
    "channel_binding",
];

/// libpq's `sslmode` (PostgreSQL 17 manual, section 32.19.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS only if the server refuses a connection without it.
    Allow,
    /// TLS if the server offers it.
    #[default]
    Prefer,
    /// TLS, with whatever certificate; with `sslrootcert` as [`SslMode::VerifyCa`].
    Require,
    /// TLS, with a certificate of a known authority.
    VerifyCa,
    /// TLS, with a certificate of a known authority for this host.
    VerifyFull,
}

/// The authorities that a certificate is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SslRootCert {
    /// A PEM file.
    File(PathBuf),
    /// The authorities that the public trusts: `sslrootcert=system`.
    System,
}

/// libpq's `target_session_attrs`, as far as Cloakroom can work with such a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTarget {
    /// Any server that accepts the connection.
    Any,
    /// A server that accepts writes: neither a standby nor read-only by default.
    ReadWrite,
    /// A server that is no standby.
    Primary,
}

/// A PostgreSQL server, or several of which one is the primary.
#[derive(Clone, Debug)]
pub struct PostgresUrl {
    /// The servers, tried in this order.
    pub endpoints: Vec<Endpoint>,
    /// The user; `None` leaves `PGUSER` or the operating system's user.
    pub user: Option<String>,
    /// The password; `None` leaves `PGPASSWORD` or the password file.
    pub password: Option<SecretString>,
    /// The database; `None` leaves the server's default, the user's name.
    pub database: Option<String>,
    /// See [`SslMode`].
    pub ssl_mode: SslMode,
    /// See [`SslRootCert`].
    pub ssl_root_cert: Option<SslRootCert>,
    /// The client's certificate and its key, PEM.
    pub ssl_identity: Option<(PathBuf, PathBuf)>,
    /// Which of the servers is wanted. With several hosts [`SessionTarget::ReadWrite`] unless the
    /// URL says otherwise, because a server that only reads is of no use here; with one, `any`.
    pub target: SessionTarget,
    /// Seconds that a connection to one host may take.
    pub connect_timeout: Duration,
    /// The name that the server shows for the connections.
    pub application_name: String,
    /// Settings for the server in its startup packet, such as `-c search_path=app`.
    pub options: Option<String>,
    /// Prepared statements that each connection keeps; `None` for the driver's default of 100.
    pub statement_cache: Option<usize>,
}

impl PostgresUrl {
    pub(super) fn parse(rest: &str) -> anyhow::Result<Self> {
        let Parts { user, password, endpoints, database, parameters } = Parts::parse(rest, DEFAULT_PORT)?;
        let mut url = Self {
            endpoints,
            user,
            password,
            database,
            ssl_mode: SslMode::default(),
            ssl_root_cert: None,
            ssl_identity: None,
            target: SessionTarget::Any,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            application_name: "cloakroom".to_owned(),
            options: None,
            statement_cache: None,
        };
        let (mut hosts, mut ports, mut cert, mut key, mut target) = (None, None, None, None, None);
        for (name, value) in parameters {
            match name.as_str() {
                "host" | "hostaddr" => hosts = Some(value),
                "port" => ports = Some(value),
                "sslcert" => cert = Some(PathBuf::from(value)),
                "sslkey" => key = Some(PathBuf::from(value)),
                "target_session_attrs" => target = Some(parse_target(&value)?),
                _ => url.set(&name, value)?,
            }
        }
        url.ssl_identity = match (cert, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, key)),
            _ => bail!("database.url needs sslcert and sslkey together"),
        };
        if let Some(hosts) = hosts {
            url.endpoints = hosts.split(',').map(named_host).collect();
        }
        if let Some(ports) = ports {
            url.set_ports(&ports)?;
        }
        let several = url.endpoints.len() > 1;
        url.target = target.unwrap_or(if several { SessionTarget::ReadWrite } else { SessionTarget::Any });
        url.check_certificates()?;
        Ok(url)
    }

    fn set(&mut self, name: &str, value: String) -> anyhow::Result<()> {
        match name {
            "user" => self.user = Some(value),
            "password" => self.password = Some(value.into()),
            "dbname" => self.database = Some(value),
            "sslmode" => self.ssl_mode = parse_ssl_mode(&value)?,
            "sslrootcert" if value == "system" => self.ssl_root_cert = Some(SslRootCert::System),
            "sslrootcert" => self.ssl_root_cert = Some(SslRootCert::File(value.into())),
            "application_name" => self.application_name = value,
            parts::STATEMENT_CACHE => self.statement_cache = Some(parts::parse_statement_cache(&value)?),
            "options" => self.options = Some(value),
            "connect_timeout" => {
                let seconds = value.parse().ok().filter(|seconds| (1..=600).contains(seconds));
                let message = "connect_timeout in database.url must be from 1 to 600 seconds";
                self.connect_timeout = Duration::from_secs(seconds.context(message)?);
            }
            "client_encoding" => {
                let is_utf8 = ["utf8", "utf-8", "auto"].contains(&value.to_ascii_lowercase().as_str());
                ensure!(is_utf8, "client_encoding in database.url must be UTF8, which is the default");
            }
            "channel_binding" => {
                let supported = ["disable", "prefer"].contains(&value.as_str());
                ensure!(supported, "channel_binding in database.url must be disable or prefer");
            }
            _ => return Err(parts::unknown(name, &PARAMETERS)),
        }
        Ok(())
    }

    /// One port for all hosts, or one for each.
    fn set_ports(&mut self, ports: &str) -> anyhow::Result<()> {
        let ports = ports.split(',').map(parse_port).collect::<anyhow::Result<Vec<u16>>>()?;
        let fits = ports.len() == 1 || ports.len() == self.endpoints.len();
        ensure!(fits, "port in database.url must be one port, or one for each host");
        for (endpoint, port) in self.endpoints.iter_mut().zip(ports.iter().cycle()) {
            endpoint.port = *port;
        }
        Ok(())
    }

    fn check_certificates(&self) -> anyhow::Result<()> {
        if self.ssl_root_cert == Some(SslRootCert::System) {
            let verifies = self.ssl_mode == SslMode::VerifyFull;
            ensure!(verifies, "sslrootcert=system in database.url needs sslmode=verify-full");
        }
        if matches!(self.ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull) && self.ssl_root_cert.is_none() {
            bail!(
                "sslmode={} in database.url needs sslrootcert=FILE, or sslrootcert=system for authorities that \
                 the public trusts",
                self.ssl_mode.name()
            );
        }
        Ok(())
    }
}

fn named_host(name: &str) -> Endpoint {
    let host = match name {
        "" => Host::Tcp("localhost".to_owned()),
        path if path.starts_with('/') => Host::Unix(path.to_owned()),
        name => Host::Tcp(name.to_owned()),
    };
    Endpoint { host, port: DEFAULT_PORT }
}

fn parse_target(value: &str) -> anyhow::Result<SessionTarget> {
    Ok(match value {
        "any" => SessionTarget::Any,
        "read-write" => SessionTarget::ReadWrite,
        "primary" => SessionTarget::Primary,
        "read-only" | "standby" | "prefer-standby" => {
            bail!("target_session_attrs={value} in database.url names a server that cannot write: use read-write")
        }
        _ => bail!("target_session_attrs in database.url must be any, read-write or primary"),
    })
}

fn parse_ssl_mode(value: &str) -> anyhow::Result<SslMode> {
    let modes =
        [SslMode::Disable, SslMode::Allow, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull];
    let found = modes.into_iter().find(|mode| mode.name() == value);
    found.context("sslmode in database.url must be disable, allow, prefer, require, verify-ca or verify-full")
}

impl SslMode {
    fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        let database = self.database.as_deref();
        Parts::masked(f, self.user.as_deref(), self.password.as_ref(), &self.endpoints, database)?;
        match self.ssl_mode {
            SslMode::Prefer => Ok(()),
            mode => write!(f, "?sslmode={}", mode.name()),
        }
    }
}
