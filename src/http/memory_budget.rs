//! The memory budget: bytes that all clients together may make the server buffer.
//!
//! Bodies and WebSocket messages are charged as they arrive, parsed requests while they wait for an
//! answer, and answers until they are sent. An announced length costs nothing. An address (IPv4, or
//! IPv6 by /64) and a user each have a share, so that one of them cannot take all.
//!
//! **Invariant:** a charge is given back when it is dropped, however its request ends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::caller::{Caller, Origin, block};
use crate::error::Error;
use crate::id::UserId;

/// Bytes of a request, and of its answer, that are not charged: `server.max_connections` bounds
/// their number. Small requests are thus answered while others use the whole budget.
pub(super) const FREE_BYTES: usize = 16 * 1024;
/// Charges grow in steps, so that a body takes the lock a few times and not with each of its
/// chunks.
const STEP_BYTES: usize = 16 * 1024;
/// An address or a user has a fourth of the budget.
const SHARES: usize = 4;
/// A proxy that does not name its clients has half of it.
const PROXY_SHARES: usize = 2;
/// Seconds after which a client may try again: bodies that are stalled are given up by then.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The budget. Clones share it.
#[derive(Clone)]
pub(super) struct MemoryBudget(Arc<Budget>);

struct Budget {
    max_bytes: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    total: usize,
    by_owner: HashMap<Owner, usize>,
}

/// The client that a charge counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// A user, from any address.
    User(UserId),
    /// An anonymous client: an IPv4 address or an IPv6 /64.
    Block(IpAddr),
    /// A proxy that does not name its clients.
    Proxy(IpAddr),
    /// A request that came over no connection.
    Local,
}

impl Owner {
    /// The owner of bytes whose sender is not authenticated yet.
    pub(super) fn of_origin(origin: &Origin) -> Self {
        match origin.address {
            Some(address) if origin.shared => Self::Proxy(address),
            Some(address) => Self::Block(block(address)),
            None => Self::Local,
        }
    }

    /// The owner of an authenticated request.
    pub(super) fn of_caller(caller: &Caller) -> Self {
        caller.user().map_or_else(|_| Self::of_origin(&caller.origin), Self::User)
    }
}

/// The budget, or the owner's share of it, has no room for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overdrawn;

impl From<Overdrawn> for Error {
    fn from(_: Overdrawn) -> Self {
        Self::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS }
    }
}

impl MemoryBudget {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self(Arc::new(Budget { max_bytes, used: Mutex::default() }))
    }

    /// Charges `bytes` to `owner` until the charge is dropped.
    ///
    /// # Errors
    /// [`Overdrawn`] if the budget or the owner's share has no room for them.
    pub(super) fn charge(&self, owner: Owner, bytes: usize) -> Result<Charge, Overdrawn> {
        let mut charge = self.open(owner);
        charge.resize(bytes)?;
        Ok(charge)
    }

    /// A charge of nothing yet.
    pub(super) fn open(&self, owner: Owner) -> Charge {
        Charge { budget: Arc::clone(&self.0), owner, bytes: 0 }
    }
}

impl Budget {
    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn share(&self, owner: Owner) -> usize {
        match owner {
            Owner::User(_) | Owner::Block(_) => self.max_bytes / SHARES,
            Owner::Proxy(_) => self.max_bytes / PROXY_SHARES,
            Owner::Local => self.max_bytes,
        }
    }

    fn take(&self, owner: Owner, bytes: usize) -> Result<(), Overdrawn> {
        let mut used = self.lock();
        let total = used.total.saturating_add(bytes);
        let own = used.by_owner.get(&owner).copied().unwrap_or_default().saturating_add(bytes);
        if total > self.max_bytes || own > self.share(owner) {
            return Err(Overdrawn);
        }
        used.total = total;
        used.by_owner.insert(owner, own);
        Ok(())
    }

    fn give_back(&self, owner: Owner, bytes: usize) {
        let mut used = self.lock();
        used.total = used.total.saturating_sub(bytes);
        let Some(own) = used.by_owner.get_mut(&owner) else { return };
        *own = own.saturating_sub(bytes);
        if *own == 0 {
            used.by_owner.remove(&owner);
        }
    }
}

/// Bytes of the budget, which are given back when this is dropped.
pub(super) struct Charge {
    budget: Arc<Budget>,
    owner: Owner,
    bytes: usize,
}

impl Charge {
    /// Charges exactly `bytes` from now on.
    ///
    /// # Errors
    /// [`Overdrawn`] if there is no room for more; the charge stays as it was.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), Overdrawn> {
        match bytes.checked_sub(self.bytes) {
            Some(0) => {}
            Some(more) => self.budget.take(self.owner, more)?,
            None => self.budget.give_back(self.owner, self.bytes.saturating_sub(bytes)),
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Charges at least `bytes` from now on, in steps, but for the first `free` of them.
    ///
    /// # Errors
    /// As [`Charge::resize`].
    pub(super) fn grow(&mut self, bytes: usize, free: usize) -> Result<(), Overdrawn> {
        let needed = bytes.saturating_sub(free);
        if needed <= self.bytes {
            return Ok(());
        }
        self.resize(needed.checked_next_multiple_of(STEP_BYTES).unwrap_or(needed))
    }

    /// Gives everything back.
    pub(super) fn release(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.owner, self.bytes);
            self.bytes = 0;
        }
    }

    /// Charges exactly `bytes` to `owner` from now on, as when a body is parsed and its sender
    /// authenticated.
    ///
    /// # Errors
    /// [`Overdrawn`] if there is no room for them; nothing is charged then.
    pub(super) fn settle(&mut self, owner: Owner, bytes: usize) -> Result<(), Overdrawn> {
        self.release();
        self.owner = owner;
        self.resize(bytes)
    }

    /// Bytes to send, which stay charged until the last of them has been written.
    pub(super) fn attach_to(self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(ChargedBytes { bytes, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.release();
    }
}

struct ChargedBytes {
    bytes: Vec<u8>,
    _charge: Charge,
}

impl AsRef<[u8]> for ChargedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Owner = Owner::Block(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const B: Owner = Owner::Block(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

    fn used(budget: &MemoryBudget) -> (usize, usize) {
        let used = budget.0.lock();
        (used.total, used.by_owner.len())
    }

    #[test]
    fn an_owner_has_a_fourth_and_all_together_have_the_whole() {
        let budget = MemoryBudget::new(400);
        let own = budget.charge(A, 100).expect("a share");
        assert!(budget.charge(A, 1).is_err(), "beyond the share");
        let proxy = Owner::Proxy(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
        let half = budget.charge(proxy, 200).expect("half of it");
        let rest = budget.charge(B, 100).expect("the rest");
        assert!(budget.charge(Owner::Local, 1).is_err(), "beyond the whole");
        drop((own, half, rest));
        assert_eq!(used(&budget), (0, 0), "nothing is left behind");
    }

    #[test]
    fn a_charge_follows_its_size_and_its_owner() {
        let budget = MemoryBudget::new(8 * STEP_BYTES);
        let mut charge = budget.open(A);
        charge.grow(100, 100).expect("free");
        assert_eq!(used(&budget), (0, 0));
        charge.grow(101, 100).expect("room");
        assert_eq!(used(&budget), (STEP_BYTES, 1));
        charge.grow(STEP_BYTES, 0).expect("the same step");
        assert_eq!(used(&budget), (STEP_BYTES, 1));
        assert!(charge.resize(2 * STEP_BYTES + 1).is_err());
        assert_eq!(used(&budget), (STEP_BYTES, 1), "as it was");
        charge.settle(B, STEP_BYTES).expect("room");
        assert!(budget.charge(A, 2 * STEP_BYTES).is_ok(), "A has its share back");
        charge.resize(7).expect("less");
        assert_eq!(used(&budget), (7, 1));
        let bytes = charge.attach_to(vec![0; 7]);
        let part = bytes.slice(3..);
        drop(bytes);
        assert_eq!(used(&budget), (7, 1), "a part of it is still to be written");
        drop(part);
        assert_eq!(used(&budget), (0, 0));
    }

    #[test]
    fn addresses_of_one_ipv6_network_share() {
        let owner = |address: &str, shared| {
            let address = Some(address.parse().expect("an address"));
            Owner::of_origin(&Origin { address, shared, ..Origin::default() })
        };
        assert_eq!(owner("2001:db8:1:2::1", false), owner("2001:db8:1:2:ffff::", false));
        assert_ne!(owner("2001:db8:1:2::1", false), owner("2001:db8:1:3::1", false));
        assert_ne!(owner("192.0.2.1", false), owner("192.0.2.1", true), "a proxy is not its neighbor");
    }
}
