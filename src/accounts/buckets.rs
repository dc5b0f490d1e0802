//! The buckets of one rate limit, in a table of fixed size that holds hashes of the keys.
//!
//! A key may have its bucket in one of [`WAYS`] slots. When all of them belong to others, the
//! bucket that is nearest to full is evicted, and the new one begins as empty as that one was. So a
//! flood of invented names forgives nothing: no bucket is ever fuller than its own attempts have
//! left it (as in the Space-Saving algorithm, Metwally 2005). The price is that a key without a
//! bucket may find one that strangers have drawn from: by n attempts for each bucket of the table,
//! after n times as many attempts as it has buckets.

use std::sync::{Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// The slots in which a key may have its bucket.
const WAYS: usize = 16;

/// The hash of a key, and the nanosecond at which its bucket is full again. A pair of zeros is an
/// empty slot: memory that no bucket has needed yet is never touched.
type Slot = (u64, u64);

/// The buckets of one rate limit.
pub(super) struct Buckets(Mutex<Vec<Slot>>);

impl Buckets {
    /// Room for `max` buckets, or a few more.
    pub(super) fn new(max: usize) -> Self {
        Self(Mutex::new(vec![(0, 0); max.max(1).next_multiple_of(WAYS)]))
    }
}

impl StateStore for Buckets {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, key: &u64, count: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sets, _) = slots.as_chunks_mut::<WAYS>();
        let number = sets.len() as u64;
        let set = usize::try_from(key % number.max(1)).ok().and_then(|set| sets.get_mut(set));
        // The bucket of this key, or else the fullest one.
        let slot = set.and_then(|set| set.iter_mut().min_by_key(|(other, full_at)| (other != key, *full_at)));
        let Some(slot) = slot else { return count(None).map(|(outcome, _)| outcome) };
        let (outcome, full_at) = count(Some(Nanos::new(slot.1)))?;
        *slot = (*key, full_at.as_u64());
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;
    use governor::middleware::NoOpMiddleware;
    use governor::{Quota, RateLimiter};

    use super::*;

    const MAX: u64 = 1024;

    type Limiter = RateLimiter<u64, Buckets, FakeRelativeClock, NoOpMiddleware<Nanos>>;

    /// Ten attempts at once, and one an hour.
    fn limiter() -> (Limiter, FakeRelativeClock) {
        let (ten, one) = (NonZeroU32::new(10).expect("positive"), NonZeroU32::MIN);
        let (clock, buckets) = (FakeRelativeClock::default(), Buckets::new(MAX as usize));
        (RateLimiter::new(Quota::per_hour(one).allow_burst(ten), buckets, clock.clone()), clock)
    }

    /// Hashes of different keys.
    fn keys(number: u64) -> impl Iterator<Item = u64> {
        (1..=number)
            .map(|key| key.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9))
    }

    #[test]
    fn a_flood_of_other_keys_forgives_nothing() {
        let (limiter, _) = limiter();
        let spent = u64::MAX;
        assert!((0..10).all(|_| limiter.check_key(&spent).is_ok()));
        for key in keys(100_000) {
            drop(limiter.check_key(&key));
            assert!(limiter.check_key(&spent).is_err());
        }
    }

    #[test]
    fn keys_in_turn_forgive_each_other_nothing_in_a_full_table() {
        let (limiter, _) = limiter();
        // Each bucket of the table has given away two attempts at least.
        keys(8 * MAX).for_each(|key| drop(limiter.check_key(&key)));
        // Of one set.
        let pair = [MAX * 3, MAX * 5];
        let admitted = (0..100).flat_map(|_| pair).filter(|key| limiter.check_key(key).is_ok()).count();
        assert!(admitted <= 20, "{admitted}");
    }

    #[test]
    fn a_flood_of_one_attempt_each_stops_nobody() {
        let (limiter, _) = limiter();
        keys(4 * MAX).for_each(|key| drop(limiter.check_key(&key)));
        assert!(keys(5 * MAX).skip(4 * MAX as usize).all(|key| limiter.check_key(&key).is_ok()));
    }

    #[test]
    fn the_table_is_as_good_as_new_when_its_buckets_are_full_again() {
        let (limiter, clock) = limiter();
        keys(100 * MAX).for_each(|key| drop(limiter.check_key(&key)));
        clock.advance(std::time::Duration::from_secs(10 * 3600));
        let late = u64::MAX;
        assert!((0..10).all(|_| limiter.check_key(&late).is_ok()));
        assert!(limiter.check_key(&late).is_err());
    }
}
