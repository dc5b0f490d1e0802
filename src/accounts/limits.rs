//! Rate limits by address and by account. Each kind of attempt has a bucket of its own, so that one
//! never spends another's; a limit refuses an attempt and ends nothing.
//!
//! Attempts are counted before the work, whether they succeed or not: an empty bucket costs neither
//! a hash nor a mail. An account's bucket is looked for only after the address has been admitted.
//! Each server counts in its own memory, which is bounded (`buckets.rs`), on the monotonic clock.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::{NotUntil, Quota, RateLimiter};

use crate::accounts::buckets::Buckets;
use crate::caller::Origin;
use crate::clock::Clock;
use crate::config::{self, Bucket};
use crate::error::Error;
use crate::id::{SessionId, UserId};

/// The buckets, by kind of attempt and by owner.
pub(super) struct Limits {
    pub(super) login_per_address: Limit<IpAddr>,
    pub(super) login_per_account: Limit<Account>,
    pub(super) login_from_known_address: Limit<(UserId, IpAddr)>,
    pub(super) sign_up_per_address: Limit<IpAddr>,
    pub(super) mail_per_address: Limit<IpAddr>,
    pub(super) mail_per_account: Limit<String>,
    pub(super) refresh_per_address: Limit<IpAddr>,
    pub(super) refresh_per_session: Limit<SessionId>,
    /// Entries of the audit log about refresh tokens that came from another address. It refuses no request.
    pub(super) replay_events_per_session: Arc<Limit<SessionId>>,
}

/// The bound of [`Limits::replay_events_per_session`].
const REPLAY_EVENTS: Bucket = Bucket { burst: 10, per_hour: 10 };

/// An account whose password is tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Account {
    /// That of whoever is called this, if there is anybody.
    Called(String),
    /// That of the user who is signed in.
    Of(UserId),
}

impl Limits {
    pub(super) fn new(settings: &config::Limits, clock: &Clock) -> Self {
        let (max, clock) = (settings.max_buckets as usize, || Ticks(clock.clone()));
        Self {
            login_per_address: Limit::new(settings.login_per_address, max, clock()),
            login_per_account: Limit::new(settings.login_per_account, max, clock()),
            login_from_known_address: Limit::new(settings.login_from_known_address, max, clock()),
            sign_up_per_address: Limit::new(settings.sign_up_per_address, max, clock()),
            mail_per_address: Limit::new(settings.mail_per_address, max, clock()),
            mail_per_account: Limit::new(settings.mail_per_account, max, clock()),
            refresh_per_address: Limit::new(settings.refresh_per_address, max, clock()),
            refresh_per_session: Limit::new(settings.refresh_per_session, max, clock()),
            replay_events_per_session: Arc::new(Limit::new(REPLAY_EVENTS, max, clock())),
        }
    }
}

/// One kind of bucket, one for each `K`.
pub(super) struct Limit<K> {
    /// `None` takes the limit away.
    buckets: Option<RateLimiter<u64, Buckets, Ticks, NoOpMiddleware<Nanos>>>,
    /// Hashes a key with a secret of this process: nobody can find two keys that share a bucket.
    hasher: RandomState,
    key: PhantomData<fn(K)>,
}

impl<K: Hash> Limit<K> {
    fn new(bucket: Bucket, max_buckets: usize, clock: Ticks) -> Self {
        let quota = NonZeroU32::new(bucket.burst).zip(NonZeroU32::new(bucket.per_hour));
        let buckets = quota.map(|(burst, per_hour)| {
            let quota = Quota::per_hour(per_hour).allow_burst(burst);
            RateLimiter::new(quota, Buckets::new(max_buckets), clock)
        });
        Self { buckets, hasher: RandomState::new(), key: PhantomData }
    }

    /// Counts one attempt.
    pub(super) fn count(&self, key: &K) -> Result<(), Error> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        buckets.check_key(&self.hasher.hash_one(key)).map_err(|until: NotUntil<Nanos>| {
            let wait = until.earliest_possible().duration_since(buckets.clock().now());
            let seconds = Duration::from(wait).as_millis().div_ceil(1000);
            Error::RateLimited { retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) }
        })
    }
}

impl Limit<IpAddr> {
    /// Counts one attempt from this origin, if its address is known.
    pub(super) fn count_from(&self, origin: &Origin) -> Result<(), Error> {
        origin.block().map_or(Ok(()), |block| self.count(&block))
    }
}

/// The monotonic clock, as the limits read it.
#[derive(Clone)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.uptime().into()
    }
}
