//! The settings: [`DEFAULTS`] documents each, [`Config::load`] reads and checks them once.
//!
//! **Invariant:** `load.rs` is the only reader of the environment, and no other code has a default.

mod check;
mod database_url;
mod listen;
mod load;
mod ranges;
mod secret;
mod smtp_url;
mod storage;
mod web_url;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};

pub use database_url::{
    DatabaseUrl, Endpoint, Host, MysqlSslMode, MysqlUrl, PostgresUrl, SessionTarget, SqliteUrl, SslMode, SslRootCert,
};
pub use listen::{Listen, ListenHost, SocketMode};
pub use load::Overrides;
pub use ranges::RANGES;
pub use secret::Secret;
pub use smtp_url::{SmtpEncryption, SmtpUrl};
pub use storage::{S3Place, StoragePlace};
pub use web_url::{AllowedOrigin, BaseUrl, PageUrl};

use web_url::optional;

/// The commented defaults, which are also the reference manual.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// Everything that can be set. The fields are documented in [`DEFAULTS`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub http: Http,
    pub graphql: Graphql,
    pub accounts: Accounts,
    pub mail: Mail,
    pub limits: Limits,
    pub counters: Counters,
    pub photos: Photos,
    pub storage: Storage,
    pub subscriptions: Subscriptions,
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Server {
    pub listen: Listen,
    pub socket_mode: SocketMode,
    pub data_dir: PathBuf,
    #[serde(with = "optional")]
    pub public_url: Option<BaseUrl>,
    pub max_connections: usize,
    pub max_percent_per_peer: u32,
    pub max_percent_per_proxy: u32,
    pub shutdown_seconds: u64,
}

/// `[database]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Database {
    pub url: DatabaseUrl,
    pub max_connections: u32,
    pub connection_lifetime_seconds: u64,
    pub acquire_seconds: u64,
    pub answer_seconds: u64,
    pub migrate: bool,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Http {
    pub header_seconds: u64,
    pub body_seconds: u64,
    pub answer_seconds: u64,
    pub min_bytes_per_second: u64,
    pub grace_seconds: u64,
    pub request_seconds: u64,
    pub max_body_bytes: usize,
    pub max_buffered_bytes: usize,
    pub max_header_bytes: usize,
    #[serde(deserialize_with = "list_or_commas")]
    pub cors_origins: Vec<AllowedOrigin>,
    pub cors_loopback_origins: bool,
    #[serde(deserialize_with = "list_or_commas")]
    pub trusted_proxies: Vec<IpNet>,
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
    pub document_cache_bytes: u64,
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
    pub refresh_reuse_seconds: u32,
    pub session_seconds: u32,
    pub token_issuer: String,
    pub token_audience: String,
    pub token_leeway_seconds: u32,
    pub cached_tokens: usize,
    pub session_recheck_seconds: u32,
    pub password_strength: u8,
    pub email_verification: EmailVerification,
    pub verification_seconds: u32,
    pub reset_seconds: u32,
    pub max_sessions: u32,
    pub max_api_keys: u32,
    pub max_idempotency_records: u64,
    pub unconfirmed_days: u32,
    pub deletion_grace_days: u32,
    pub ended_session_days: u32,
    pub event_days: u32,
}

/// What an e-mail address that nobody has confirmed means at login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "lowercase")]
pub enum EmailVerification {
    /// Nothing, and no mail is sent at sign-up.
    Off,
    /// Login is allowed; `viewer { emailVerifiedAt }` is null.
    Flagged,
    /// Login is refused.
    Required,
}

/// `[mail]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Mail {
    pub from: String,
    #[serde(with = "optional")]
    pub smtp_url: Option<SmtpUrl>,
    pub smtp_ca_file: PathBuf,
    pub smtp_connections: u32,
    pub smtp_seconds: u64,
    pub attempts: u32,
    #[serde(with = "optional")]
    pub verify_url: Option<PageUrl>,
    #[serde(with = "optional")]
    pub reset_url: Option<PageUrl>,
    #[serde(with = "optional")]
    pub restore_url: Option<PageUrl>,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Limits {
    pub max_buckets: u32,
    pub login_per_address: Bucket,
    pub login_per_account: Bucket,
    pub login_from_known_address: Bucket,
    pub login_from_new_address: Bucket,
    pub login_from_new_addresses: Bucket,
    pub sign_up_per_address: Bucket,
    pub mail_per_address: Bucket,
    pub mail_per_account: Bucket,
    pub mail_per_mailbox: Bucket,
    pub refresh_per_address: Bucket,
    pub refresh_per_session: Bucket,
}

/// How often something may happen: `burst` times at once, then `per_hour` times evenly. A burst of 0: any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Bucket {
    pub burst: u32,
    pub per_hour: u32,
}

/// `[counters]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Counters {
    pub queue: usize,
    pub max_batch: usize,
    pub max_per_user: u64,
    pub max_idempotency_records: u64,
    pub poll_milliseconds: u64,
}

/// `[photos]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Photos {
    pub max_bytes: u64,
    pub max_pixels: u64,
    pub max_per_upload: usize,
    pub upload_seconds: u64,
    pub max_uploads: usize,
    pub max_uploads_per_user: usize,
    pub threads: usize,
    pub queue: usize,
    pub quota_bytes: u64,
    pub max_per_user: u64,
    pub url_seconds: u32,
}

/// `[storage]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Storage {
    pub url: StoragePlace,
    #[serde(with = "optional")]
    pub s3_endpoint: Option<BaseUrl>,
    pub s3_ca_file: PathBuf,
    pub s3_region: String,
    pub s3_access_key_id: String,
    pub s3_secret_access_key: Secret,
    pub s3_path_style: bool,
    pub cache_bytes: u64,
}

/// `[subscriptions]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[expect(missing_docs, reason = "config.default.toml is the manual")]
pub struct Subscriptions {
    pub init_seconds: u64,
    pub ping_seconds: u64,
    pub warn_seconds: u32,
    pub max_operations: usize,
    pub max_per_caller: usize,
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

impl TryFrom<String> for EmailVerification {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        match name.as_str() {
            "off" => Ok(Self::Off),
            "flagged" => Ok(Self::Flagged),
            "required" => Ok(Self::Required),
            _ => Err("it must be off, flagged or required"),
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

impl Config {
    /// Returns true if nothing says how other machines reach this server.
    #[must_use]
    pub fn lacks_public_url(&self) -> bool {
        self.server.public_url.is_none() && self.server.listen.is_unspecified()
    }

    /// Where clients reach this server: `server.public_url`, or the address it listens on.
    #[must_use]
    pub fn public_url(&self) -> String {
        match &self.server.public_url {
            None => format!("http://{}", self.server.listen.url_authority()),
            Some(url) => url.to_string(),
        }
    }
}

impl Http {
    /// See `http.body_seconds`.
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_seconds)
    }
}

fn list_or_commas<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        List(Vec<String>),
        Commas(String),
    }
    let texts = match Form::deserialize(deserializer)? {
        Form::List(list) => list,
        Form::Commas(text) => text.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect(),
    };
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}
