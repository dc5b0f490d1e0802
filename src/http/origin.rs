//! Where a request comes from: the peer's address, or what a trusted proxy says of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header};
use ipnet::IpNet;

use crate::caller::{MAX_USER_AGENT_CHARS, Origin};
use crate::http::host;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The other end of the connection; an extension of each request that came over one.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl Peer {
    /// Its address; an IPv4 address that is mapped to IPv6 as itself.
    pub(super) fn address(self) -> IpAddr {
        self.0.ip().to_canonical()
    }
}

/// The origin of a request with these headers from `peer`.
pub(super) fn of(headers: &HeaderMap, peer: Option<Peer>, trusted: &[IpNet]) -> Origin {
    let peer = peer.map(Peer::address);
    let client = peer.and_then(|peer| client(headers, peer, trusted));
    let user_agent = headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    // PostgreSQL refuses NUL in text; no header has one.
    let user_agent = user_agent.map(|text| {
        let end = text.char_indices().nth(MAX_USER_AGENT_CHARS).map_or(text.len(), |(end, _)| end);
        text.get(..end).unwrap_or_default().into()
    });
    Origin { address: client.or(peer), shared: client.is_none(), user_agent, base_url: None }
}

/// The scheme and host by which the client reached this server. Only a trusted proxy tells of `https`.
pub(super) fn base_url(headers: &HeaderMap, peer: Option<Peer>, trusted: &[IpNet]) -> Option<Arc<str>> {
    let host = host::named(headers)?;
    let is_proxy = peer.is_some_and(|Peer(peer)| is_trusted(peer.ip().to_canonical(), trusted));
    let is_secure = is_proxy && headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme == "https");
    Some(format!("{}://{host}", if is_secure { "https" } else { "http" }).into())
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The client that a trusted proxy names in these headers; `None` if it names none.
pub(super) fn forwarded(headers: &HeaderMap, proxy: Peer, trusted: &[IpNet]) -> Option<IpAddr> {
    client(headers, proxy.address(), trusted)
}

/// Proxies append: from the right, the first address that is no trusted proxy's is the client's. What stands further
/// left is what the client itself may have sent.
fn client(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> Option<IpAddr> {
    let is_proxy = |address: &IpAddr| is_trusted(*address, trusted);
    if !is_proxy(&peer) {
        return Some(peer);
    }
    // As bytes: a client could send some that are no text, and what a proxy appends to them must still count.
    let lines = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
    let hops: Vec<&[u8]> = lines.flat_map(|line| line.split(|byte| *byte == b',')).collect();
    let mut farthest = None;
    for hop in hops.into_iter().rev() {
        match address(hop) {
            Some(address) if is_proxy(&address) => farthest = Some(address),
            // What is no address was not written by a proxy that we trust.
            found => return found,
        }
    }
    // A client in a proxy's own network.
    farthest
}

/// Some proxies add the port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let address = hop.parse().or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).expect("a header value"));
        }
        let trusted = ["127.0.0.0/8", "10.0.0.0/8"].map(|network| network.parse().expect("a network"));
        let peer = Peer(SocketAddr::new(peer.parse().expect("an address"), 4711));
        of(&headers, Some(peer), &trusted).client().map(|address| address.to_string())
    }

    #[test]
    fn urls_of_a_response_have_the_host_of_its_request() {
        let base = |peer: &str, headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"))
            });
            let trusted = ["127.0.0.0/8".parse().expect("a network")];
            let peer = Peer(SocketAddr::new(peer.parse().expect("an address"), 4711));
            base_url(&headers.collect(), Some(peer), &trusted).map(|url| url.to_string())
        };
        let (host, secure) = (("host", "photos.example.org:8000"), ("x-forwarded-proto", "https"));
        assert_eq!(base("203.0.113.7", &[host]).as_deref(), Some("http://photos.example.org:8000"));
        assert_eq!(base("203.0.113.7", &[host, secure]).as_deref(), Some("http://photos.example.org:8000"));
        assert_eq!(base("127.0.0.1", &[host, secure]).as_deref(), Some("https://photos.example.org:8000"));
        assert_eq!(base("127.0.0.1", &[("host", "evil.example/path?")]), None);
        assert_eq!(base("127.0.0.1", &[]), None);
    }

    #[test]
    fn only_trusted_proxies_say_where_a_request_comes_from() {
        assert_eq!(seen("203.0.113.7", &[]).as_deref(), Some("203.0.113.7"));
        assert_eq!(seen("203.0.113.7", &["198.51.100.1"]).as_deref(), Some("203.0.113.7"));
        assert_eq!(seen("127.0.0.1", &["198.51.100.1"]).as_deref(), Some("198.51.100.1"));
        assert_eq!(seen("10.1.2.3", &["8.8.8.8, 198.51.100.1", "10.9.9.9"]).as_deref(), Some("198.51.100.1"));
        assert_eq!(seen("::ffff:10.1.2.3", &["[2001:db8::1]:443"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(seen("127.0.0.1", &[]), None);
        assert_eq!(seen("127.0.0.1", &["198.51.100.1, nonsense"]), None);
        assert_eq!(seen("10.1.2.3", &["10.7.7.7, 10.9.9.9"]).as_deref(), Some("10.7.7.7"), "one of their own network");
        assert_eq!(seen("127.0.0.1", &["é, 198.51.100.1"]).as_deref(), Some("198.51.100.1"), "sent by the client");
    }
}
