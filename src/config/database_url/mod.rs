//! The database URL: parsed here, once, so that no driver ever sees it and no error repeats it.
//!
//! PostgreSQL URLs follow libpq (PostgreSQL 17 manual, section 32.1.1.2): several hosts, IPv6
//! literals, Unix sockets, `sslmode`, `sslrootcert` and `target_session_attrs` with libpq's meaning.
//! A parameter that Cloakroom does not honor is an error that names it; nothing is ignored silently.
//!
//! **Invariant:** messages name parts and parameters of a URL, never their values, and `Display`
//! masks the password.

mod mysql;
mod parts;
mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use crate::error::chain;

pub use mysql::{MysqlSslMode, MysqlUrl};
pub use parts::{Endpoint, Host};
pub use postgres::{PostgresUrl, SessionTarget, SslMode, SslRootCert};
pub use sqlite::SqliteUrl;

const FORMS: &str = "database.url must be empty, sqlite://PATH, postgres://USER:PASSWORD@HOST/NAME or \
                     mysql://USER:PASSWORD@HOST/NAME";

/// The database that `database.url` names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum DatabaseUrl {
    /// `cloakroom.db` in the data directory: the empty URL.
    #[default]
    Embedded,
    /// A SQLite file elsewhere.
    Sqlite(SqliteUrl),
    /// A PostgreSQL server.
    Postgres(PostgresUrl),
    /// A MariaDB or MySQL server.
    Mysql(MysqlUrl),
}

impl FromStr for DatabaseUrl {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> anyhow::Result<Self> {
        if url.is_empty() {
            return Ok(Self::Embedded);
        }
        let Some((scheme, rest)) = url.split_once(':') else { bail!(FORMS) };
        match scheme {
            "sqlite" => Ok(Self::Sqlite(SqliteUrl::parse(rest)?)),
            "postgres" | "postgresql" => Ok(Self::Postgres(PostgresUrl::parse(rest)?)),
            "mysql" => Ok(Self::Mysql(MysqlUrl::parse("mysql", rest)?)),
            "mariadb" => Ok(Self::Mysql(MysqlUrl::parse("mariadb", rest)?)),
            _ => bail!(FORMS),
        }
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        url.parse().map_err(|error: anyhow::Error| chain(error.as_ref()))
    }
}

/// The URL with `****` in place of the password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => Ok(()),
            Self::Sqlite(url) => write!(f, "{url}"),
            Self::Postgres(url) => write!(f, "{url}"),
            Self::Mysql(url) => write!(f, "{url}"),
        }
    }
}

/// As `Display`: a serialized configuration is for people to read.
impl Serialize for DatabaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
