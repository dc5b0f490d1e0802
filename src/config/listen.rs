//! The address that the server listens on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const FORMS: &str = "expected HOST:PORT (127.0.0.1:8000, localhost:8000, [::1]:8000), PORT (8000, on 127.0.0.1), :PORT \
                     (:8000, on all interfaces) or unix:PATH";

/// An address to listen on, from text such as `localhost:8000`, `[::1]:8000`, `:8000`, `8000` or `unix:/run/cloakroom`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    /// A TCP port of an address of this machine.
    Tcp {
        /// The interface.
        host: ListenHost,
        /// The port; 0 for any free one.
        port: u16,
    },
    /// A Unix domain socket.
    Unix(PathBuf),
}

/// The interfaces that the server listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenHost {
    /// All of them, with IPv6 and IPv4.
    All,
    /// The one with this address.
    Address(IpAddr),
    /// Those that this name resolves to.
    Name(String),
}

impl Listen {
    /// Returns true if only this machine reaches the server, over TCP.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Tcp { host: ListenHost::Address(address), .. } => address.to_canonical().is_loopback(),
            Self::Tcp { host: ListenHost::Name(name), .. } => name == "localhost",
            Self::Tcp { host: ListenHost::All, .. } | Self::Unix(_) => false,
        }
    }

    /// Returns true if the address does not say how other machines reach the server.
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        match self {
            Self::Tcp { host: ListenHost::Address(address), .. } => address.is_unspecified(),
            Self::Tcp { host: ListenHost::Name(_), .. } => false,
            Self::Tcp { host: ListenHost::All, .. } | Self::Unix(_) => true,
        }
    }

    /// The host and port of a URL that reaches the server from this machine.
    #[must_use]
    pub fn url_authority(&self) -> String {
        match self {
            Self::Tcp { host: ListenHost::All, port } => format!("localhost:{port}"),
            Self::Tcp { host: ListenHost::Address(address), port } if address.is_unspecified() => {
                format!("localhost:{port}")
            }
            Self::Tcp { .. } => self.to_string(),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("{text:?} is not an address to listen on: {FORMS}");
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(invalid()) } else { Ok(Self::Unix(path.into())) };
        }
        let (host, port) = text.rsplit_once(':').map_or((None, text), |(host, port)| (Some(host), port));
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or_else(invalid)?;
        let host = match host {
            None => Some(ListenHost::Address(Ipv4Addr::LOCALHOST.into())),
            Some("") => Some(ListenHost::All),
            Some(host) => host_of(host),
        };
        Ok(Self::Tcp { host: host.ok_or_else(invalid)?, port })
    }
}

fn host_of(host: &str) -> Option<ListenHost> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().ok().map(|address| ListenHost::Address(address.into()));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(ListenHost::Address(address.into()));
    }
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    // A last label of digits is an address that is mistyped (WHATWG URL, section 3.5).
    let is_number = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    (is_name && !is_number).then(|| ListenHost::Name(host.to_ascii_lowercase()))
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host: ListenHost::All, port } => write!(f, ":{port}"),
            Self::Tcp { host: ListenHost::Address(address @ IpAddr::V4(_)), port } => write!(f, "{address}:{port}"),
            Self::Tcp { host: ListenHost::Address(address @ IpAddr::V6(_)), port } => write!(f, "[{address}]:{port}"),
            Self::Tcp { host: ListenHost::Name(name), port } => write!(f, "{name}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

/// The permissions of a Unix domain socket, from octal text such as `0660`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct SocketMode(pub u32);

impl TryFrom<String> for SocketMode {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let digits = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| digits && *mode <= 0o777);
        mode.map(Self).ok_or("it must be octal permissions, such as \"0600\" or \"0660\"")
    }
}

impl From<SocketMode> for String {
    fn from(SocketMode(mode): SocketMode) -> Self {
        format!("{mode:04o}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_other_servers_have_them() {
        for (text, shown, url, is_loopback) in [
            ("127.0.0.1:8000", "127.0.0.1:8000", "127.0.0.1:8000", true),
            ("8000", "127.0.0.1:8000", "127.0.0.1:8000", true),
            ("127.0.0.2:0", "127.0.0.2:0", "127.0.0.2:0", true),
            ("localhost:8000", "localhost:8000", "localhost:8000", true),
            ("LocalHost:8000", "localhost:8000", "localhost:8000", true),
            ("[::1]:8000", "[::1]:8000", "[::1]:8000", true),
            (":8000", ":8000", "localhost:8000", false),
            ("0.0.0.0:8000", "0.0.0.0:8000", "localhost:8000", false),
            ("[::]:80", "[::]:80", "localhost:80", false),
            ("192.168.0.7:8000", "192.168.0.7:8000", "192.168.0.7:8000", false),
            ("cloakroom.example.org:443", "cloakroom.example.org:443", "cloakroom.example.org:443", false),
            ("unix:/run/cloakroom.sock", "unix:/run/cloakroom.sock", "localhost", false),
            ("unix:cloakroom.sock", "unix:cloakroom.sock", "localhost", false),
        ] {
            let listen: Listen = text.parse().expect(text);
            assert_eq!((&*listen.to_string(), &*listen.url_authority()), (shown, url), "{text}");
            assert_eq!(listen.is_loopback(), is_loopback, "{text}");
            assert_eq!(shown.parse(), Ok(listen), "what is printed is read again");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_the_forms() {
        for text in [
            "",
            ":",
            "localhost",
            "localhost:",
            "127.0.0.1",
            "127.0.0.1:",
            "::1:8000",
            "[::1]",
            "[::1",
            "::1",
            "65536",
            ":65536",
            "localhost:65536",
            "-1",
            "+80",
            ":+80",
            "a b:80",
            "http://localhost:8000",
            "localhost:80/",
            "300.0.0.1:80",
            "127.0.0:80",
            "1.2.3.4.5:80",
            "[127.0.0.1]:80",
            "user@host:80",
            "unix:",
            " 8000",
            "8000 ",
            "\u{661}",
        ] {
            let refused = text.parse::<Listen>().expect_err(text);
            assert!(refused.contains("localhost:8000") && refused.contains("unix:"), "{refused}");
        }
    }

    #[test]
    fn permissions_are_octal() {
        let mode = |text: &str| SocketMode::try_from(text.to_owned()).map(|SocketMode(mode)| mode);
        assert_eq!((mode("600"), mode("0660"), mode("0777")), (Ok(0o600), Ok(0o660), Ok(0o777)));
        for text in ["", "6", "0o600", "888", "4755", "01777", "rw-", "-600", "+600", "\u{661}00"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
