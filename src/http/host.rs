//! The host that a request is for (RFC 9110, section 7.2).

use std::net::Ipv6Addr;

use axum::http::{HeaderMap, Request, Version, header};

/// Longer than any name in the DNS.
const MAX_HOST_BYTES: usize = 255;

/// Returns true if the request names its host as RFC 9112, section 3.2, demands: once, and by a valid value. A proxy before
/// this server may otherwise have taken the request for another host's.
pub(super) fn is_named<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let is_named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_valid(host.as_bytes()),
        (None, None) => request.version() < Version::HTTP_11,
        _ => false,
    };
    is_named && request.uri().authority().is_none_or(|authority| is_valid(authority.as_str().as_bytes()))
}

/// The valid host that a request names in its headers.
pub(super) fn named(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?;
    host.to_str().ok().filter(|_| is_valid(host.as_bytes()))
}

/// `uri-host [ ":" port ]`, which in an `http` URL is never empty (RFC 9110, section 4.2.1).
fn is_valid(value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return false };
    if let Some(literal) = value.strip_prefix('[') {
        let Some((address, rest)) = literal.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok() && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = value.split_once(':').unwrap_or((value, ""));
    (1..=MAX_HOST_BYTES).contains(&host.len()) && is_registered_name(host.as_bytes()) && is_port(port)
}

/// Returns true for the port of a URL, which may be empty (RFC 3986, section 3.2.3).
fn is_port(port: &str) -> bool {
    port.is_empty() || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

/// RFC 3986, section 3.2.2. IPv4 addresses are such names, too.
fn is_registered_name(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) => rest,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_with_or_without_a_port() {
        for host in [
            "localhost",
            "example.org",
            "EXAMPLE.org.",
            "example.org:80",
            "example.org:",
            "a_b-c.example",
            "127.0.0.1:8000",
            "[::1]",
            "[::1]:8000",
            "[2001:db8::7]:",
            "xn--mnchen-3ya.example",
            "caf%C3%A9",
            "x:65535",
        ] {
            assert!(is_valid(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            ":80",
            "a b",
            "a\tb",
            "user@evil",
            "user:password@evil",
            "http://x/",
            "x/",
            "x/../y",
            "x?y",
            "x#y",
            "x, y",
            "x:y",
            "x:-1",
            "x:+80",
            "x:65536",
            "x:99999999",
            "x:80:80",
            "::1",
            "[::1",
            "::1]",
            "[]",
            "[::1]x",
            "[::1]:x",
            "[::1%25lo]",
            "[v1.x]",
            "[127.0.0.1]",
            "x\\y",
            "<x>",
            "\"x\"",
            "x%",
            "x%zz",
            "x\u{0}",
            "caf\u{e9}",
            "{x}",
            "x|y",
            &"x".repeat(256),
        ] {
            assert!(!is_valid(host.as_bytes()), "{host}");
        }
        assert!(!is_valid(b"\xff\xfe"));
    }
}
