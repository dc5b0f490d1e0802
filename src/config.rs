//! The settings: [`DEFAULTS`] documents each, [`Config::load`] reads and checks them once.
//!
//! **Invariant:** this file is the only reader of the environment, and no other code has a default.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use config::{Environment, File, FileFormat, Map, Value, ValueKind};
use serde::{Deserialize, Deserializer, Serialize};

/// The commented defaults, which are also the reference manual.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// Everything that can be set. The fields are documented in [`DEFAULTS`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub http: Http,
    pub graphql: Graphql,
    pub accounts: Accounts,
    pub counters: Counters,
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Server {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub max_connections: usize,
    pub shutdown_seconds: u64,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Database {
    pub url: String,
    pub max_connections: u32,
    pub acquire_seconds: u64,
    pub migrate: bool,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Http {
    pub header_seconds: u64,
    pub body_seconds: u64,
    pub answer_seconds: u64,
    pub request_seconds: u64,
    pub max_body_bytes: usize,
    pub max_header_bytes: usize,
    #[serde(deserialize_with = "list_or_commas")]
    pub cors_origins: Vec<String>,
}

/// `[graphql]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Graphql {
    pub introspection: bool,
    pub playground: bool,
    pub max_depth: u32,
    pub max_complexity: u32,
    pub max_aliases: u32,
    pub max_directives: u32,
    pub max_tokens: u32,
    pub cached_documents: usize,
}

/// `[accounts]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Accounts {
    pub password_memory_kib: u32,
    pub password_passes: u32,
    pub password_lanes: u32,
    pub password_threads: usize,
    pub password_queue: usize,
    pub access_token_seconds: u32,
    pub refresh_token_seconds: u32,
    pub session_seconds: u32,
    pub token_issuer: String,
    pub token_audience: String,
    pub token_leeway_seconds: u32,
    pub cached_tokens: usize,
    pub session_recheck_seconds: u32,
}

/// `[counters]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Counters {
    pub queue: usize,
    pub max_batch: usize,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

impl TryFrom<String> for LogLevel {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        match name.as_str() {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err("it must be error, warn, info, debug or trace"),
        }
    }
}

impl TryFrom<String> for LogFormat {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        match name.as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("it must be text or json"),
        }
    }
}

/// What the command line sets, over everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Settings by their dotted name, such as `server.listen`.
    pub settings: Vec<(&'static str, String)>,
}

impl Config {
    /// The defaults, with `overrides` over the environment over `file` over them.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key (the nearest known one is named), a value out of its range.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> anyhow::Result<Self> {
        let defaults = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        let known = setting_names(&defaults.clone().build()?.cache.into_table()?, "");

        let mut layered = defaults;
        if let Some(path) = file {
            let source = File::from(path).format(FileFormat::Toml);
            refuse_unknown(&known, &source, &format!("in {}", path.display()))?;
            layered = layered.add_source(source);
        }
        let environment = Environment::with_prefix("CLOAKROOM").prefix_separator("__").separator("__");
        refuse_unknown(&known, &environment, "in the environment (CLOAKROOM__SECTION__KEY)")?;
        layered = layered.add_source(environment);
        for (name, value) in &overrides.settings {
            layered = layered.set_override(*name, value.as_str())?;
        }
        let config: Self = layered.build()?.try_deserialize().context("the configuration")?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        let accounts = &self.accounts;
        ensure!(accounts.password_memory_kib >= 19_456, "accounts.password_memory_kib must be at least 19456");
        ensure!(accounts.password_memory_kib <= 1 << 20, "accounts.password_memory_kib must be at most 1048576");
        ensure!((2..=64).contains(&accounts.password_passes), "accounts.password_passes must be from 2 to 64");
        ensure!((1..=16).contains(&accounts.password_lanes), "accounts.password_lanes must be from 1 to 16");
        ensure!(accounts.password_threads <= 256, "accounts.password_threads must be at most 256");
        ensure!(
            (10..=3600).contains(&accounts.access_token_seconds),
            "accounts.access_token_seconds must be from 10 to 3600"
        );
        ensure!(
            accounts.refresh_token_seconds >= accounts.access_token_seconds,
            "accounts.refresh_token_seconds must not be less than accounts.access_token_seconds"
        );
        ensure!(
            accounts.session_seconds >= accounts.refresh_token_seconds,
            "accounts.session_seconds must not be less than accounts.refresh_token_seconds"
        );
        ensure!(accounts.token_leeway_seconds <= 120, "accounts.token_leeway_seconds must be at most 120");
        ensure!(!accounts.token_issuer.is_empty(), "accounts.token_issuer must not be empty");
        ensure!(!accounts.token_audience.is_empty(), "accounts.token_audience must not be empty");
        for (name, value) in [
            ("server.max_connections", self.server.max_connections),
            ("database.max_connections", self.database.max_connections as usize),
            ("http.max_body_bytes", self.http.max_body_bytes),
            ("graphql.max_depth", self.graphql.max_depth as usize),
            ("graphql.max_complexity", self.graphql.max_complexity as usize),
            ("graphql.max_tokens", self.graphql.max_tokens as usize),
            ("accounts.password_queue", accounts.password_queue),
            ("counters.queue", self.counters.queue),
            ("counters.max_batch", self.counters.max_batch),
        ] {
            ensure!(value > 0, "{name} must be at least 1");
        }
        ensure!(self.graphql.max_tokens <= 20_000, "graphql.max_tokens must be at most 20000");
        ensure!(self.counters.max_batch <= 10_000, "counters.max_batch must be at most 10000");
        ensure!(self.http.max_header_bytes >= 8192, "http.max_header_bytes must be at least 8192");
        for (name, seconds) in [
            ("database.acquire_seconds", self.database.acquire_seconds),
            ("http.header_seconds", self.http.header_seconds),
            ("http.body_seconds", self.http.body_seconds),
            ("http.answer_seconds", self.http.answer_seconds),
            ("http.request_seconds", self.http.request_seconds),
        ] {
            ensure!(seconds > 0, "{name} must be at least 1");
        }
        Ok(())
    }

    /// The settings as TOML, with the password in the database's URL masked.
    ///
    /// # Errors
    /// None that a loaded configuration can cause.
    pub fn masked(&self) -> anyhow::Result<String> {
        let mut shown = self.clone();
        shown.database.url = mask_password(&self.database.url);
        let table = serde_json::to_value(shown)?;
        let mut text = String::new();
        for (section, settings) in table.as_object().into_iter().flatten() {
            text.push_str(&format!("[{section}]\n"));
            for (key, value) in settings.as_object().into_iter().flatten() {
                // A JSON scalar, string or list of strings is written the same way in TOML.
                text.push_str(&format!("{key} = {value}\n"));
            }
            text.push('\n');
        }
        Ok(text)
    }
}

impl Http {
    /// See `http.body_seconds`.
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_seconds)
    }
}

/// `postgres://user:password@host` becomes `postgres://user:****@host`, also when it is no proper URL; so does
/// `?password=…`.
#[must_use]
pub fn mask_password(url: &str) -> String {
    const PARAMETER: &str = "password=";
    let mut masked = mask_authority(url);
    let parameters = masked.find('?').unwrap_or(masked.len());
    if let Some(found) = masked.get(parameters..).and_then(|query| query.find(PARAMETER)) {
        let start = parameters + found + PARAMETER.len();
        let end = masked.get(start..).and_then(|value| value.find('&')).map_or(masked.len(), |length| start + length);
        masked.replace_range(start..end, "****");
    }
    masked
}

fn mask_authority(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    // A password may contain '/' or '?' unescaped in a broken URL: then the last '@' is what counts.
    let Some(at) = rest.rfind('@') else { return url.to_owned() };
    let user_end = rest.find(':').filter(|colon| *colon < at);
    match user_end {
        Some(colon) if at < authority_end || colon < authority_end => {
            format!("{scheme}://{}:****{}", rest.get(..colon).unwrap_or(""), rest.get(at..).unwrap_or(""))
        }
        _ => url.to_owned(),
    }
}

fn setting_names(table: &Map<String, Value>, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in table {
        match &value.kind {
            ValueKind::Table(inner) => names.extend(setting_names(inner, &format!("{prefix}{key}."))),
            _ => names.push(format!("{prefix}{key}")),
        }
    }
    names
}

fn refuse_unknown(
    known: &[String],
    source: &(impl config::Source + Clone + Send + Sync + 'static),
    place: &str,
) -> anyhow::Result<()> {
    let found = source.collect().with_context(|| format!("cannot read the configuration {place}"))?;
    for name in setting_names(&found, "") {
        if !known.contains(&name) {
            let nearest =
                known.iter().max_by(|a, b| strsim::jaro_winkler(a, &name).total_cmp(&strsim::jaro_winkler(b, &name)));
            let hint = nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            bail!("unknown setting {name} {place}{hint}");
        }
    }
    Ok(())
}

fn list_or_commas<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        List(Vec<String>),
        Commas(String),
    }
    Ok(match Form::deserialize(deserializer)? {
        Form::List(list) => list,
        Form::Commas(text) => text.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_database_urls_are_masked() {
        assert_eq!(mask_password("postgres://me:secret@db:5432/x"), "postgres://me:****@db:5432/x");
        assert_eq!(mask_password("postgres://me:se/cr@et@db/x"), "postgres://me:****@db/x");
        assert_eq!(mask_password("postgres://me@db/x"), "postgres://me@db/x");
        assert_eq!(mask_password("postgres://db/x?password=secret&a=b"), "postgres://db/x?password=****&a=b");
        assert_eq!(mask_password("postgres://me:one@db/x?password=two"), "postgres://me:****@db/x?password=****");
        assert_eq!(mask_password("sqlite://data/cloakroom.db"), "sqlite://data/cloakroom.db");
    }
}
