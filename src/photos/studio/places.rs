//! Places in the queue of pictures: in all, and the share of one user and of one address.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;
use crate::id::UserId;
use crate::photos::studio::RETRY_AFTER_SECONDS;

/// Of all places, one user has a quarter at most, and one address (an IPv4 address or an IPv6 /64) a half.
const USER_SHARE: usize = 4;
const ADDRESS_SHARE: usize = 2;

/// The places of a server.
pub(super) struct Places {
    taken: Mutex<Taken>,
    max: usize,
    max_per_user: usize,
    max_per_address: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    users: HashMap<UserId, usize>,
    addresses: HashMap<IpAddr, usize>,
}

/// For whom places are taken. An operator is nobody, and has no share.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::photos) struct Sender {
    pub(in crate::photos) user: Option<UserId>,
    pub(in crate::photos) address: Option<IpAddr>,
}

/// Places for the pictures of one upload, until they are dropped.
pub(super) struct Taking {
    places: Arc<Places>,
    sender: Sender,
    count: usize,
}

impl Places {
    /// So many places, of which everybody has those for one upload at least.
    pub(super) fn new(max: usize, max_per_upload: usize) -> Arc<Self> {
        let share = |part: usize| (max / part).max(max_per_upload);
        let (max_per_user, max_per_address) = (share(USER_SHARE), share(ADDRESS_SHARE));
        Arc::new(Self { taken: Mutex::default(), max, max_per_user, max_per_address })
    }

    /// Takes `count` places.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if there are no more; [`Error::RateLimited`] if the sender has their share.
    pub(super) fn take(self: &Arc<Self>, sender: Sender, count: usize) -> Result<Taking, Error> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if count > self.max.saturating_sub(taken.all) {
            return Err(Error::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS });
        }
        if count > rest(&taken.users, sender.user, self.max_per_user)
            || count > rest(&taken.addresses, sender.address, self.max_per_address)
        {
            return Err(Error::RateLimited { retry_after_seconds: RETRY_AFTER_SECONDS });
        }
        taken.all += count;
        add(&mut taken.users, sender.user, count);
        add(&mut taken.addresses, sender.address, count);
        Ok(Taking { places: Arc::clone(self), sender, count })
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= self.count;
        subtract(&mut taken.users, self.sender.user, self.count);
        subtract(&mut taken.addresses, self.sender.address, self.count);
    }
}

fn rest<K: Eq + Hash>(taken: &HashMap<K, usize>, key: Option<K>, max: usize) -> usize {
    key.map_or(usize::MAX, |key| max.saturating_sub(taken.get(&key).copied().unwrap_or_default()))
}

fn add<K: Eq + Hash>(taken: &mut HashMap<K, usize>, key: Option<K>, count: usize) {
    if let Some(key) = key {
        *taken.entry(key).or_default() += count;
    }
}

fn subtract<K: Eq + Hash>(taken: &mut HashMap<K, usize>, key: Option<K>, count: usize) {
    let Some(key) = key else { return };
    if let Some(left) = taken.get_mut(&key) {
        *left -= count;
        if *left == 0 {
            taken.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn sender(user: u128, address: &str) -> Sender {
        let address = crate::caller::block(address.parse().expect("an address"));
        Sender { user: Some(Uuid::from_u128(user).into()), address: Some(address) }
    }

    fn is_rate_limited(outcome: &Result<Taking, Error>) -> bool {
        matches!(outcome, Err(Error::RateLimited { .. }))
    }

    #[test]
    fn one_user_has_a_quarter_of_the_places() {
        let places = Places::new(40, 2);
        let first = places.take(sender(1, "203.0.113.1"), 10).expect("a quarter");
        assert!(is_rate_limited(&places.take(sender(1, "203.0.113.2"), 1)), "from another address");
        assert!(places.take(sender(2, "203.0.113.2"), 10).is_ok());
        drop(first);
        assert!(places.take(sender(1, "203.0.113.1"), 10).is_ok());
    }

    #[test]
    fn one_address_has_half_of_the_places_whichever_of_its_64_bits_it_takes() {
        let places = Places::new(40, 2);
        let _one = places.take(sender(1, "2001:db8::1"), 10).expect("a quarter");
        let _two = places.take(sender(2, "2001:db8::ffff:0:0:2"), 10).expect("another quarter");
        assert!(is_rate_limited(&places.take(sender(3, "2001:db8::3"), 1)));
        assert!(places.take(sender(3, "2001:db8:0:1::3"), 10).is_ok());
    }

    #[test]
    fn whoever_has_no_place_gets_those_for_one_upload_while_there_are_some() {
        let places = Places::new(12, 10);
        let all = places.take(sender(1, "203.0.113.1"), 10).expect("one upload");
        let refused = places.take(sender(2, "203.0.113.2"), 10);
        assert!(matches!(refused, Err(Error::Unavailable { .. })));
        drop((all, refused));
        assert!(places.take(Sender::default(), 12).is_ok(), "an operator has no share");
        let taken = places.taken.lock().expect("no panic");
        assert!(taken.all == 0 && taken.users.is_empty() && taken.addresses.is_empty());
    }
}
