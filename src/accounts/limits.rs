//! How often an address or an account may try. Each kind of attempt has a bucket of its own, so that one never
//! spends what another needs; a limit refuses an attempt and ends nothing.
//!
//! Attempts are counted before the work, whatever comes of them: a bucket that is empty costs neither a hash nor a
//! mail. Each server counts for itself, in memory.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{NotUntil, Quota, RateLimiter};

use crate::caller::Origin;
use crate::clock::Clock;
use crate::config::{self, Bucket};
use crate::error::Error;
use crate::id::{SessionId, UserId};

/// The buckets, by what is attempted and who attempts it.
pub(super) struct Limits {
    pub(super) login_per_address: Limit<IpAddr>,
    pub(super) login_per_account: Limit<Account>,
    pub(super) login_from_known_address: Limit<(UserId, IpAddr)>,
    pub(super) sign_up_per_address: Limit<IpAddr>,
    pub(super) mail_per_address: Limit<IpAddr>,
    pub(super) mail_per_account: Limit<String>,
    pub(super) refresh_per_address: Limit<IpAddr>,
    pub(super) refresh_per_session: Limit<SessionId>,
}

/// Whose password is tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Account {
    /// That of whoever is called this, if there is anybody.
    Called(String),
    /// That of the user who is signed in.
    Of(UserId),
}

impl Limits {
    pub(super) fn new(settings: &config::Limits, clock: &Clock) -> Self {
        Self {
            login_per_address: Limit::new(settings.login_per_address, clock),
            login_per_account: Limit::new(settings.login_per_account, clock),
            login_from_known_address: Limit::new(settings.login_from_known_address, clock),
            sign_up_per_address: Limit::new(settings.sign_up_per_address, clock),
            mail_per_address: Limit::new(settings.mail_per_address, clock),
            mail_per_account: Limit::new(settings.mail_per_account, clock),
            refresh_per_address: Limit::new(settings.refresh_per_address, clock),
            refresh_per_session: Limit::new(settings.refresh_per_session, clock),
        }
    }

    /// Forgets whoever has a full bucket again.
    pub(super) fn forget_the_idle(&self) {
        self.login_per_address.forget_the_idle();
        self.login_per_account.forget_the_idle();
        self.login_from_known_address.forget_the_idle();
        self.sign_up_per_address.forget_the_idle();
        self.mail_per_address.forget_the_idle();
        self.mail_per_account.forget_the_idle();
        self.refresh_per_address.forget_the_idle();
        self.refresh_per_session.forget_the_idle();
    }
}

/// One kind of bucket, one for each `K`.
pub(super) struct Limit<K: Hash + Eq + Clone> {
    /// `None` takes the limit away.
    buckets: Option<RateLimiter<K, DashMapStateStore<K>, Ticks, NoOpMiddleware<Nanos>>>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(bucket: Bucket, clock: &Clock) -> Self {
        let quota = NonZeroU32::new(bucket.burst).zip(NonZeroU32::new(bucket.per_hour));
        let buckets = quota.map(|(burst, per_hour)| {
            let quota = Quota::per_hour(per_hour).allow_burst(burst);
            RateLimiter::new(quota, DashMapStateStore::default(), Ticks(clock.clone()))
        });
        Self { buckets }
    }

    /// Counts one attempt.
    pub(super) fn count(&self, key: &K) -> Result<(), Error> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        buckets.check_key(key).map_err(|until: NotUntil<Nanos>| {
            let wait = until.earliest_possible().duration_since(buckets.clock().now());
            let seconds = Duration::from(wait).as_millis().div_ceil(1000);
            Error::RateLimited { retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) }
        })
    }

    fn forget_the_idle(&self) {
        if let Some(buckets) = &self.buckets {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }
}

impl Limit<IpAddr> {
    /// Counts one attempt from this origin, if its address is known.
    pub(super) fn count_from(&self, origin: &Origin) -> Result<(), Error> {
        origin.block().map_or(Ok(()), |block| self.count(&block))
    }
}

/// Our clock, as the limits read it.
#[derive(Clone)]
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let nanos = self.0.now().timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok());
        Nanos::new(nanos.unwrap_or_default())
    }
}
