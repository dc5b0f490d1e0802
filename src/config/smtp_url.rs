//! The URL of the mail server.
//!
//! **Invariant:** no message repeats a part of the URL, and `Display` masks the password.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::config::Secret;

const FORMS: &str = "it must be smtps://USER:PASSWORD@HOST, smtp://USER:PASSWORD@HOST?tls=required or smtp://HOST";

/// The mail server that `mail.smtp_url` names.
#[derive(Clone, Debug)]
pub struct SmtpUrl {
    /// A DNS name or an IP address, IPv6 without brackets.
    pub host: String,
    /// The port; by default 465, 587 or 25, according to the encryption.
    pub port: u16,
    /// The protection of the connection.
    pub encryption: SmtpEncryption,
    /// The user and the password.
    pub credentials: Option<(String, Secret)>,
}

/// The protection of a connection to a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// None. Only a server on the same machine gets a password this way.
    None,
    /// STARTTLS (RFC 3207), without which no mail is sent.
    StartTls,
    /// TLS from the start (RFC 8314, section 3.3).
    Implicit,
}

impl SmtpUrl {
    /// Returns true if the mail server is on the same machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }
}

impl FromStr for SmtpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| FORMS.to_owned())?;
        let host = match url.host().ok_or("it names no host")? {
            Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        };
        let (encryption, default_port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (SmtpEncryption::Implicit, 465),
            ("smtp", Some("tls=required")) => (SmtpEncryption::StartTls, 587),
            ("smtp", None) => (SmtpEncryption::None, 25),
            _ => return Err(FORMS.to_owned()),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err("nothing but ?tls=required may follow the host".to_owned());
        }
        if host.is_empty() || url.port() == Some(0) {
            return Err("it names no host and port that can be reached".to_owned());
        }
        let parsed =
            Self { host, port: url.port().unwrap_or(default_port), encryption, credentials: credentials(&url)? };
        if encryption == SmtpEncryption::None && parsed.credentials.is_some() && !parsed.is_local() {
            return Err("the password would cross the network unencrypted: use smtps://".to_owned());
        }
        Ok(parsed)
    }
}

fn credentials(url: &Url) -> Result<Option<(String, Secret)>, String> {
    let decode = |text| match percent_decode_str(text).decode_utf8() {
        Ok(decoded) if !decoded.contains(char::is_control) => Ok(decoded.into_owned()),
        _ => Err("the user or the password is not UTF-8 text without control characters".to_owned()),
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) if !user.is_empty() => Ok(Some((decode(user)?, decode(password)?.into()))),
        _ => Err("a user and a password belong together".to_owned()),
    }
}

/// The URL with `****` in place of the password.
impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, query) = match self.encryption {
            SmtpEncryption::None => ("smtp", ""),
            SmtpEncryption::StartTls => ("smtp", "?tls=required"),
            SmtpEncryption::Implicit => ("smtps", ""),
        };
        write!(f, "{scheme}://")?;
        if let Some((user, password)) = &self.credentials {
            write!(f, "{user}:{password}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}{query}", self.host, self.port),
            false => write!(f, "{}:{}{query}", self.host, self.port),
        }
    }
}
