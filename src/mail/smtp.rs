//! SMTP, with a few connections kept open.
//!
//! The connections are lettre's; keeping them is not: its pool bounds only the time to connect, not the time that a
//! silent server takes to answer, and a mail that is given up meanwhile leaves its connection in the pool, where
//! the next mail takes the late answers for its own. Here such a connection is closed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::config::{self, SmtpEncryption, SmtpUrl};
use crate::mail::Refused;

/// A connection that was not used for longer is not used again: what lies between may have forgotten it.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// A mail server, and the connections to it.
pub(super) struct Smtp {
    server: Server,
    hello: ClientId,
    limit: Duration,
    /// As many as there may be connections.
    places: Semaphore,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
}

enum Encryption {
    None,
    /// RFC 8314, section 3.3.
    Implicit(TlsParameters),
    /// RFC 3207; without it no mail is sent.
    StartTls(TlsParameters),
}

impl Smtp {
    pub(super) fn new(url: &SmtpUrl, settings: &config::Mail) -> anyhow::Result<Self> {
        Ok(Self {
            server: Server::new(url, settings)?,
            hello: ClientId::default(),
            limit: Duration::from_secs(settings.smtp_seconds),
            places: Semaphore::new(settings.smtp_connections as usize),
            idle: Mutex::default(),
        })
    }

    pub(super) async fn send(&self, envelope: &Envelope, mail: &[u8]) -> anyhow::Result<()> {
        match timeout(self.limit, self.send_in_time(envelope, mail)).await {
            Ok(sent) => sent,
            Err(_) => bail!("the mail server took longer than {} s", self.limit.as_secs()),
        }
    }

    async fn send_in_time(&self, envelope: &Envelope, mail: &[u8]) -> anyhow::Result<()> {
        let _place = self.places.acquire().await?;
        let mut connection = match self.idle_connection().await {
            Some(connection) => connection,
            None => self.server.connect(&self.hello).await?,
        };
        match connection.send(envelope, mail).await {
            Ok(_) => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.push((connection, Instant::now()));
                Ok(())
            }
            Err(error) if error.is_permanent() || error.is_client() => Err(Refused(reason(&error)).into()),
            Err(error) => Err(anyhow!(reason(&error))),
        }
    }

    /// The connection that was used last, if its other end is still there.
    async fn idle_connection(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (mut connection, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < MAX_IDLE && connection.test_connected().await {
                return Some(connection);
            }
        }
    }
}

impl Server {
    fn new(url: &SmtpUrl, settings: &config::Mail) -> anyhow::Result<Self> {
        let encryption = match url.encryption {
            SmtpEncryption::Implicit => Encryption::Implicit(trust(settings, &url.host)?),
            SmtpEncryption::StartTls => Encryption::StartTls(trust(settings, &url.host)?),
            SmtpEncryption::None => Encryption::None,
        };
        if matches!(encryption, Encryption::None) && !url.is_local() {
            tracing::warn!("mail.smtp_url has no TLS: the links in mails cross the network unencrypted");
        }
        let credentials = url.credentials.as_ref();
        let credentials = credentials.map(|(user, password)| Credentials::new(user.clone(), password.expose().into()));
        Ok(Self { host: url.host.clone(), port: url.port, encryption, credentials })
    }

    async fn connect(&self, hello: &ClientId) -> anyhow::Result<AsyncSmtpConnection> {
        let place = (self.host.as_str(), self.port);
        let implicit = match &self.encryption {
            Encryption::Implicit(trusted) => Some(trusted.clone()),
            Encryption::None | Encryption::StartTls(_) => None,
        };
        let connected = AsyncSmtpConnection::connect_tokio1(place, None, hello, implicit, None).await;
        let mut connection = connected.map_err(|error| self.unreachable(&error))?;
        if let Encryption::StartTls(trusted) = &self.encryption {
            let encrypted = connection.starttls(trusted.clone(), hello).await;
            encrypted.map_err(|error| self.unreachable(&error))?;
        }
        if let Some(credentials) = &self.credentials {
            let welcomed = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            welcomed.map_err(|error| anyhow!("mail.smtp_url lets nobody in: {}", reason(&error)))?;
        }
        Ok(connection)
    }

    fn unreachable(&self, error: &Error) -> anyhow::Error {
        anyhow!("no connection to {}:{}: {}", self.host, self.port, reason(error))
    }
}

/// The well-known authorities, and those of `mail.smtp_ca_file`.
fn trust(settings: &config::Mail, host: &str) -> anyhow::Result<TlsParameters> {
    let mut trusted = TlsParameters::builder(host.to_owned());
    let path = &settings.smtp_ca_file;
    if !path.as_os_str().is_empty() {
        let pem = std::fs::read(path).with_context(|| format!("mail.smtp_ca_file {}", path.display()))?;
        let certificates = pem.windows(BEGIN.len()).any(|found| found == BEGIN).then(|| Certificate::from_pem(&pem));
        let Some(Ok(certificates)) = certificates else {
            bail!("mail.smtp_ca_file {} has no certificates in PEM", path.display());
        };
        trusted = trusted.add_root_certificate(certificates);
    }
    trusted.build().context("TLS")
}

/// RFC 7468, section 5.1.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// For the log: not what the server wrote, which often repeats the recipient's address.
fn reason(error: &Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_response() => "the mail server hung up, or speaks no SMTP".to_owned(),
        None => chain(error),
    }
}

fn chain(error: &Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        // lettre's own text ends with its cause's already.
        let text = cause.to_string();
        if !causes.last().is_some_and(|last| last.ends_with(&text)) {
            causes.push(text);
        }
        source = cause.source();
    }
    causes.join(": ")
}
