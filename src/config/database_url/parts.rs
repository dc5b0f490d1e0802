//! The parts that URLs of database servers share: credentials, hosts, the database's name, parameters.

use std::fmt;

use anyhow::{Context as _, bail, ensure};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

/// Characters that a masked URL shows as they are.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// sqlx's parameter for the prepared statements that a connection keeps.
pub(super) const STATEMENT_CACHE: &str = "statement-cache-capacity";

/// A host of a database server: a name, an IP address, or the folder of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A DNS name or an IP address, IPv6 without brackets.
    Tcp(String),
    /// An absolute path: for PostgreSQL the folder with the socket, for MariaDB the socket itself.
    Unix(String),
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port; it is part of a PostgreSQL socket's name as well.
    pub port: u16,
}

/// A URL of a database server, taken apart and decoded.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) database: Option<String>,
    /// Names and values, in order.
    pub(super) parameters: Vec<(String, String)>,
}

impl Parts {
    /// Takes `rest`, the URL behind `scheme:`, apart. A host without a port has `default_port`.
    pub(super) fn parse(rest: &str, default_port: u16) -> anyhow::Result<Self> {
        let rest = rest.strip_prefix("//").context("database.url needs // after its scheme")?;
        refuse_unescaped(rest)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = match authority.split_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        let (user, password) = match credentials.map(|c| c.split_once(':').unwrap_or((c, ""))) {
            Some((user, password)) => (decode(user, "user name")?, decode(password, "password")?),
            None => (None, None),
        };
        let endpoints = hosts.split(',').map(|host| endpoint(host, default_port));
        Ok(Self {
            user,
            password: password.map(SecretString::from),
            endpoints: endpoints.collect::<anyhow::Result<_>>()?,
            database: decode(path, "database name")?,
            parameters: parameters(query)?,
        })
    }

    /// The authority and path, with `****` in place of the password.
    pub(super) fn masked(
        f: &mut fmt::Formatter<'_>,
        user: Option<&str>,
        password: Option<&SecretString>,
        endpoints: &[Endpoint],
        database: Option<&str>,
    ) -> fmt::Result {
        let encode = |text| utf8_percent_encode(text, PLAIN);
        if user.is_some() || password.is_some() {
            write!(f, "{}", encode(user.unwrap_or_default()))?;
            let has_password = password.is_some_and(|secret| !secret.expose_secret().is_empty());
            f.write_str(if has_password { ":****@" } else { "@" })?;
        }
        for (nth, Endpoint { host, port }) in endpoints.iter().enumerate() {
            f.write_str(if nth == 0 { "" } else { "," })?;
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]:{port}")?,
                Host::Tcp(name) => write!(f, "{name}:{port}")?,
                Host::Unix(path) => write!(f, "{}:{port}", encode(path))?,
            }
        }
        match database {
            Some(database) => write!(f, "/{}", encode(database)),
            None => Ok(()),
        }
    }
}

/// Refuses characters that would cut the URL apart in another place than its author meant.
fn refuse_unescaped(rest: &str) -> anyhow::Result<()> {
    let remedy = "in a user name, a password or a database's name, percent-encode it";
    ensure!(!rest.contains('#'), "database.url contains an unescaped `#`: {remedy} as %23");
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let at = rest.find('@').filter(|at| *at < authority_end);
    ensure!(
        rest.matches('@').count() == usize::from(at.is_some()),
        "database.url contains an unescaped `@`, or an unescaped `/` or `?` before its `@`: {remedy} as %40, %2F or %3F"
    );
    ensure!(
        !rest.chars().any(|c| c.is_whitespace() || c.is_control()),
        "database.url contains a space: {remedy} as %20"
    );
    Ok(())
}

/// `None` for the empty text, which libpq takes for absent as well.
fn decode(text: &str, part: &str) -> anyhow::Result<Option<String>> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let is_hex = after.get(..2).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        ensure!(is_hex, "the {part} in database.url contains a `%` that is no percent-encoding: write %25");
        rest = after.get(2..).unwrap_or_default();
    }
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.ok().with_context(|| format!("the {part} in database.url is not UTF-8"))?;
    ensure!(!decoded.contains('\0'), "the {part} in database.url contains %00");
    Ok(Some(decoded.into_owned()).filter(|text| !text.is_empty()))
}

fn endpoint(text: &str, default_port: u16) -> anyhow::Result<Endpoint> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').context("an IPv6 address in database.url lacks its `]`")?;
            let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
            ensure!(is_address, "database.url has no IPv6 address between `[` and `]`");
            ensure!(rest.is_empty() || rest.starts_with(':'), "database.url needs a `:` or nothing after `]`");
            (address, rest.trim_start_matches(':'))
        }
        None => {
            let (host, port) = text.split_once(':').unwrap_or((text, ""));
            ensure!(!port.contains(':'), "an IPv6 address in database.url is written in brackets: [::1]:5432");
            (host, port)
        }
    };
    let host = decode(host, "host")?.unwrap_or_else(|| "localhost".to_owned());
    let host = if host.starts_with('/') { Host::Unix(host) } else { Host::Tcp(host) };
    Ok(Endpoint { host, port: if port.is_empty() { default_port } else { parse_port(port)? } })
}

pub(super) fn parse_port(text: &str) -> anyhow::Result<u16> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.context(
        "a port in database.url is not a number from 1 to 65535; if it belongs to a password, percent-encode \
         that password's `:` as %3A, `/` as %2F and `@` as %40",
    )
}

pub(super) fn parse_statement_cache(text: &str) -> anyhow::Result<usize> {
    let capacity = text.parse().ok().filter(|capacity| *capacity <= 10_000);
    capacity.with_context(|| format!("{STATEMENT_CACHE} in database.url must be from 0 to 10000"))
}

fn parameters(query: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            bail!("a parameter in database.url has no `=`: parameters are written NAME=VALUE, joined by `&`")
        };
        let name = decode(name, "parameter's name")?.context("a parameter in database.url has no name")?;
        let value = decode(value, &format!("parameter {name}"))?.unwrap_or_default();
        parameters.push((name, value));
    }
    Ok(parameters)
}

/// An error for a parameter that is not understood, with the nearest of those that are.
pub(super) fn unknown(name: &str, known: &[&str]) -> anyhow::Error {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    let nearest = known.iter().map(|known| (strsim::jaro_winkler(known, name), known));
    let nearest = nearest.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = nearest.map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default();
    anyhow::anyhow!("database.url has a parameter {shown} that Cloakroom does not support{hint}")
}
