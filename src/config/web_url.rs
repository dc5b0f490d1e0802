//! URLs of web servers and pages, and origins of front ends: parsed once, and written in one way.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

/// The base of other URLs, such as `https://cloakroom.example.org` or `https://example.org/cloakroom`:
/// without a trailing slash, user, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

/// The URL of a page, such as `https://app.example.org/verify?lang=en`: without user and fragment,
/// which the links in mails add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUrl(String);

/// An origin that may read responses, as browsers write it (RFC 6454, section 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`.
    Any,
    /// Such as `https://app.example.org` or `http://localhost:5173`.
    Named(String),
}

impl BaseUrl {
    /// The URL, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scheme, host and port, as browsers write them in `Origin`.
    #[must_use]
    pub fn origin(&self) -> String {
        Url::parse(&self.0).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }
}

impl PageUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "https://host.example.org";
        let url = web_url(text, EXAMPLE)?;
        if url.query().is_some() {
            return Err(format!("it must have no query (?…); write it as \"{EXAMPLE}\""));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl FromStr for PageUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(web_url(text, "https://app.example.org/verify-email")?.into()))
    }
}

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "https://app.example.org";
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        if text.contains('*') {
            return Err(format!(
                "a pattern is not supported; list each origin, such as \"{EXAMPLE}\", or \"*\" for any"
            ));
        }
        let url = web_url(text, EXAMPLE)?;
        if url.path() != "/" || url.query().is_some() {
            return Err(format!("an origin has no path and no query; write it as \"{EXAMPLE}\""));
        }
        Ok(Self::Named(url.origin().ascii_serialization()))
    }
}

/// Parses an absolute `http` or `https` URL without user and fragment that clients can reach.
fn web_url(text: &str, example: &str) -> Result<Url, String> {
    let refused = |reason: &str| Err(format!("{reason}; write it as \"{example}\""));
    // The parser drops these, or takes them for other characters.
    if text.chars().any(|c| c.is_control() || c == '\\' || c == ' ') {
        return refused("it must have no spaces, control characters and backslashes");
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return refused("it must begin with http:// or https://");
    };
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return refused("it must begin with http:// or https://");
    }
    // The parser skips slashes in front of the host.
    if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        return refused("it must name a host");
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return refused(&format!("it is no valid URL ({error})")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refused("it must have no user and no password");
    }
    if url.fragment().is_some() {
        return refused("it must have no fragment (#…)");
    }
    if url.port() == Some(0) {
        return refused("port 0 cannot be reached");
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        _ => None,
    };
    if address.is_some_and(|address| address.is_unspecified()) {
        return refused("an unspecified address is for listening and cannot be reached");
    }
    Ok(url)
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Named(origin) => f.write_str(origin),
        }
    }
}

impl Serialize for AllowedOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Settings that may be empty: the empty text is `None`.
pub(super) mod optional {
    use super::{Deserialize as _, Deserializer, FromStr, Serializer, fmt};

    pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: fmt::Display>,
    {
        let text = String::deserialize(deserializer)?;
        match text.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(serde::de::Error::custom),
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<impl fmt::Display>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_str(""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_written_in_one_way() {
        for (text, written) in [
            ("https://cloakroom.example.org", "https://cloakroom.example.org"),
            ("https://cloakroom.example.org/", "https://cloakroom.example.org"),
            ("HTTPS://Cloakroom.Example.ORG:443/app//", "https://cloakroom.example.org/app"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://[::1]:8000/", "http://[::1]:8000"),
            ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ] {
            assert_eq!(text.parse().map(|url: BaseUrl| url.0), Ok(written.to_owned()), "{text}");
        }
    }

    #[test]
    fn urls_that_can_never_work_are_refused_with_the_reason_and_an_example() {
        for (text, reason) in [
            ("cloakroom.example.org", "must begin with http:// or https://"),
            ("localhost:8000", "must begin with http:// or https://"),
            ("javascript:alert(1)", "must begin with http:// or https://"),
            ("javascript://x/%0aalert(1)", "must begin with http:// or https://"),
            ("ftp://example.org", "must begin with http:// or https://"),
            ("not a url", "must have no spaces"),
            ("https://", "must name a host"),
            ("https:///path", "must name a host"),
            ("https://?x", "must name a host"),
            ("https://exa mple.org", "must have no spaces"),
            ("https:\\\\example.org", "must have no spaces"),
            ("https://x\u{9}y.example", "must have no spaces"),
            ("https://[::1", "is no valid URL"),
            ("https://example.org:99999", "is no valid URL"),
            ("https://x<y>.example", "is no valid URL"),
            ("https://anna@example.org", "must have no user"),
            ("https://anna:geheim@example.org", "must have no user"),
            ("https://example.org/#top", "must have no fragment"),
            ("https://example.org:0", "port 0"),
            ("http://0.0.0.0:8000", "unspecified address"),
            ("http://[::]:8000", "unspecified address"),
        ] {
            let errors = [
                text.parse::<BaseUrl>().expect_err(text),
                text.parse::<PageUrl>().expect_err(text),
                text.parse::<AllowedOrigin>().expect_err(text),
            ];
            for error in errors {
                assert!(error.contains(reason) && error.contains("\"https://"), "{text}: {error}");
                assert!(!error.contains("geheim"), "{error}");
            }
        }
        assert!("https://example.org/?a=b".parse::<BaseUrl>().expect_err("a query").contains("no query"));
    }

    #[test]
    fn pages_keep_their_path_and_query() {
        let page = |text: &str| text.parse().map(|url: PageUrl| url.0);
        assert_eq!(page("https://app.example.org/verify?lang=en"), Ok("https://app.example.org/verify?lang=en".into()));
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (text, written) in [
            ("https://app.example.org", "https://app.example.org"),
            ("https://App.Example.org:443/", "https://app.example.org"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("https://münchen.example", "https://xn--mnchen-3ya.example"),
            ("*", "*"),
        ] {
            assert_eq!(text.parse().map(|origin: AllowedOrigin| origin.to_string()), Ok(written.to_owned()), "{text}");
        }
        for text in ["https://app.example.org/path", "https://app.example.org?x", "https://*.example.org", "null"] {
            assert!(text.parse::<AllowedOrigin>().is_err(), "{text}");
        }
    }
}
