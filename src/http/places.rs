//! Places of connections: `server.max_connections` in all, of which each peer has a share.
//!
//! A connection has a place from accept on. It counts for its TCP peer: an IPv4 address or an IPv6 /64.
//! A connection of a trusted proxy counts for the proxy, whose share is larger. While it carries a request
//! that names its client (`X-Forwarded-For`), it counts for that client instead: until the answer is sent,
//! and a WebSocket or an event stream until it ends.
//!
//! **Invariant:** no peer takes all places, however many connections it opens.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::caller;
use crate::config::Config;
use crate::http::origin::{self, Peer};

/// The places of a server.
pub(super) struct Places {
    free: Arc<Semaphore>,
    max: u32,
    max_per_peer: usize,
    max_per_proxy: usize,
    trusted_proxies: Vec<IpNet>,
    counts: Mutex<HashMap<Owner, Count>>,
}

/// The one for whom a connection counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    /// An IPv4 address or an IPv6 /64.
    Peer(IpAddr),
    /// The same of a trusted proxy.
    Proxy(IpAddr),
}

#[derive(Default)]
struct Count {
    connections: usize,
    is_logged: bool,
}

/// The reason why a connection or a request has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All places are taken.
    Server,
    /// Its peer has its share of them.
    Peer,
}

/// The place of one connection, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    peer: Peer,
    owner: Owner,
    _permit: OwnedSemaphorePermit,
}

/// A proxy's place while it counts for the client that a request names.
pub(super) struct Loan {
    place: Arc<Place>,
    client: Owner,
}

impl Places {
    pub(super) fn new(config: &Config) -> Arc<Self> {
        let max = u32::try_from(config.server.max_connections).unwrap_or(u32::MAX);
        let share = |percent: u32| {
            let connections = u64::from(max) * u64::from(percent) / 100;
            usize::try_from(connections).unwrap_or(usize::MAX).max(1)
        };
        Arc::new(Self {
            free: Arc::new(Semaphore::new(max as usize)),
            max,
            max_per_peer: share(config.server.max_percent_per_peer),
            max_per_proxy: share(config.server.max_percent_per_proxy),
            trusted_proxies: config.http.trusted_proxies.clone(),
            counts: Mutex::default(),
        })
    }

    /// Takes a place for a connection of this peer.
    ///
    /// # Errors
    /// [`Full`] if there is none.
    pub(super) fn enter(self: &Arc<Self>, peer: Peer) -> Result<Place, Full> {
        let address = peer.address();
        let owner = match self.trusted_proxies.iter().any(|network| network.contains(&address)) {
            true => Owner::Proxy(caller::block(address)),
            false => Owner::Peer(caller::block(address)),
        };
        let permit = Arc::clone(&self.free).try_acquire_owned().map_err(|_| Full::Server)?;
        self.add(&mut self.lock(), owner)?;
        Ok(Place { places: Arc::clone(self), peer, owner, _permit: permit })
    }

    /// Waits until every connection has ended, for `limit` at most. Returns true if they have.
    pub(super) async fn wait_for_all(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.free.acquire_many(self.max)).await.is_ok()
    }

    fn max_of(&self, owner: Owner) -> usize {
        match owner {
            Owner::Peer(_) => self.max_per_peer,
            Owner::Proxy(_) => self.max_per_proxy,
        }
    }

    fn add(&self, counts: &mut HashMap<Owner, Count>, owner: Owner) -> Result<(), Full> {
        let max = self.max_of(owner);
        let count = counts.entry(owner).or_default();
        if count.connections < max {
            count.connections += 1;
            return Ok(());
        }
        // Once for each time that a peer comes to its share: it may go on trying.
        if !std::mem::replace(&mut count.is_logged, true) {
            tracing::warn!(peer = ?owner, max, "a peer has its share of server.max_connections");
        }
        Err(Full::Peer)
    }

    fn remove(counts: &mut HashMap<Owner, Count>, owner: Owner) {
        let Some(count) = counts.get_mut(&owner) else { return };
        count.connections -= 1;
        if count.connections == 0 {
            counts.remove(&owner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Lets the place of a proxy count for the client that these headers of a request name, if they do.
    ///
    /// # Errors
    /// [`Full::Peer`] if that client has its share.
    pub(super) fn lend(self: &Arc<Self>, headers: &HeaderMap) -> Result<Option<Loan>, Full> {
        let Owner::Proxy(_) = self.owner else { return Ok(None) };
        let client = origin::forwarded(headers, self.peer, &self.places.trusted_proxies);
        let Some(client) = client.map(|address| Owner::Peer(caller::block(address))) else { return Ok(None) };
        let mut counts = self.places.lock();
        self.places.add(&mut counts, client)?;
        Places::remove(&mut counts, self.owner);
        drop(counts);
        Ok(Some(Loan { place: Arc::clone(self), client }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        Places::remove(&mut self.places.lock(), self.owner);
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Place { places, owner, .. } = &*self.place;
        let mut counts = places.lock();
        Places::remove(&mut counts, self.client);
        // Beyond its share, too: the connection is open.
        counts.entry(*owner).or_default().connections += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::config::Overrides;

    fn places(max_connections: usize) -> Arc<Places> {
        let mut config = Config::load(None, &Overrides::default()).expect("the defaults");
        config.server.max_connections = max_connections;
        Places::new(&config)
    }

    fn peer(address: &str) -> Peer {
        Peer(SocketAddr::new(address.parse().expect("an address"), 4711))
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_peer() {
        let places = places(8);
        let first = places.enter(peer("2001:db8::1")).expect("a place");
        let _second = places.enter(peer("2001:db8::ffff:0:0:2")).expect("a place");
        assert_eq!(places.enter(peer("2001:db8::3")).err(), Some(Full::Peer));
        let _other = places.enter(peer("2001:db8:0:1::1")).expect("a place of another network");
        drop(first);
        assert!(places.enter(peer("2001:db8::3")).is_ok());
    }

    #[test]
    fn an_ipv4_peer_is_the_same_over_an_ipv6_socket() {
        let places = places(8);
        let _first = places.enter(peer("203.0.113.7")).expect("a place");
        let _second = places.enter(peer("::ffff:203.0.113.7")).expect("a place");
        assert_eq!(places.enter(peer("203.0.113.7")).err(), Some(Full::Peer));
        assert!(places.enter(peer("::ffff:203.0.113.8")).is_ok());
    }

    #[test]
    fn each_peer_has_one_place_at_least_and_all_have_no_more_than_there_are() {
        let places = places(2);
        let _first = places.enter(peer("203.0.113.7")).expect("a place");
        assert_eq!(places.enter(peer("203.0.113.7")).err(), Some(Full::Peer));
        let _second = places.enter(peer("203.0.113.8")).expect("a place");
        assert_eq!(places.enter(peer("203.0.113.9")).err(), Some(Full::Server));
    }

    #[test]
    fn a_loan_counts_for_the_client_and_not_for_the_proxy() {
        let places = places(8);
        let headers = HeaderMap::from_iter([(
            "x-forwarded-for".parse().expect("a name"),
            "203.0.113.7".parse().expect("a value"),
        )]);
        let proxied: Vec<Arc<Place>> =
            (0..6).map(|_| Arc::new(places.enter(peer("127.0.0.1")).expect("a place"))).collect();
        assert_eq!(places.enter(peer("127.0.0.1")).err(), Some(Full::Peer), "three quarters");
        let mut loans: Vec<Loan> =
            proxied.iter().take(2).filter_map(|place| place.lend(&headers).expect("a share")).collect();
        assert_eq!(loans.len(), 2);
        assert_eq!(proxied[2].lend(&headers).err(), Some(Full::Peer), "a quarter");
        assert_eq!(places.enter(peer("203.0.113.7")).err(), Some(Full::Peer), "whichever way it comes");
        let _seventh = places.enter(peer("127.0.0.1")).expect("the proxy has a place again");
        loans.pop();
        assert!(proxied[2].lend(&headers).expect("a share").is_some());
        drop((loans, proxied));
        assert_eq!(places.lock().len(), 1, "what nobody holds is forgotten");
    }
}
