//! From an access token or an API key to an [`Identity`].
//!
//! A signature costs 45 µs to check and a session one read; a remembered token costs neither. Three rules keep
//! memory from outliving the truth:
//!
//! * A remembered token holds the [`Liveness`] of its session or API key, shared by all tokens of that session.
//!   Whoever looks one up takes hold of it *before* reading the row; `logout` marks it *after* committing. So
//!   either the read sees the ended row, or the mark reaches what the read remembers.
//! * What concerns a user (a role, a suspension) moves [`VerifiedTokens::doubt`] on after its commit: everything
//!   remembered before is looked up again.
//! * A remembered token is looked up again when its session would have ended by itself, when the signing keys
//!   have changed, and, with a database that other servers write to, after `session_recheck_seconds`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::accounts::standing::Standings;
use crate::accounts::token::Verified;
use crate::accounts::{Accounts, api_key, session};
use crate::caller::{Identity, Scopes};
use crate::error::Error;

/// Sessions in memory before those that no token refers to are let go.
const SWEEP_AT: usize = 1024;
/// A use is noted once in so many seconds: `lastUsedAt` is that exact.
const NOTED_EVERY_SECONDS: i64 = 60;

/// The access tokens and API keys that were verified, bounded; the least used go first.
pub(super) struct VerifiedTokens {
    tokens: Cache<Box<str>, Arc<Remembered>>,
    /// By the id of the session, or what [`api_key::credential`] makes of a key.
    credentials: Mutex<HashMap<Uuid, Arc<Liveness>>>,
    /// How often everything was put in doubt.
    doubts: AtomicU64,
    /// Who was used since [`VerifiedTokens::take_used`], and when.
    used: Mutex<HashMap<Uuid, DateTime<Utc>>>,
    /// The connections that stay open.
    pub(super) standings: Arc<Standings>,
}

/// What this process has ended of a session or API key, and when it last noted a use.
#[derive(Default)]
struct Liveness {
    ended: AtomicBool,
    /// Whether `revoked` has any: most sessions never do, and are spared the lock.
    any_revoked: AtomicBool,
    revoked: Mutex<Vec<Uuid>>,
    noted_at: AtomicI64,
}

impl Liveness {
    fn refuses(&self, token: Uuid) -> bool {
        let revoked = || self.revoked.lock().unwrap_or_else(PoisonError::into_inner).contains(&token);
        self.ended.load(Ordering::SeqCst) || (self.any_revoked.load(Ordering::SeqCst) && revoked())
    }
}

pub(super) struct Remembered {
    pub(super) identity: Identity,
    /// Its name in the memory of verified tokens.
    pub(super) credential: Uuid,
    /// The session or API key, as `lastUsedAt` is noted for it.
    used: Uuid,
    token: Uuid,
    refused_from: i64,
    ends_at: DateTime<Utc>,
    good_until: DateTime<Utc>,
    keys_changed: u64,
    doubts: u64,
    liveness: Arc<Liveness>,
}

impl Remembered {
    /// From when on the token is refused, if nothing else happens; `None` for never.
    pub(super) fn ends_at(&self) -> Option<DateTime<Utc>> {
        let refused = DateTime::from_timestamp(self.refused_from, 0);
        let ends_at = refused.map_or(self.ends_at, |refused| refused.min(self.ends_at));
        (ends_at < DateTime::<Utc>::MAX_UTC).then_some(ends_at)
    }
}

impl VerifiedTokens {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            tokens: Cache::new(capacity),
            credentials: Mutex::default(),
            doubts: AtomicU64::new(0),
            used: Mutex::default(),
            standings: Arc::default(),
        }
    }

    /// Refuses every token of this session, or this API key, from now on.
    pub(super) fn end(&self, credential: Uuid) {
        self.liveness(credential).ended.store(true, Ordering::SeqCst);
        self.standings.end(credential);
    }

    /// Refuses this one token from now on.
    pub(super) fn revoke(&self, session: Uuid, token: Uuid) {
        let liveness = self.liveness(session);
        liveness.revoked.lock().unwrap_or_else(PoisonError::into_inner).push(token);
        liveness.any_revoked.store(true, Ordering::SeqCst);
        self.standings.revoke(session, token);
    }

    /// Trusts nothing that was remembered before: each is looked up again at its next use.
    pub(super) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::SeqCst);
        self.standings.doubt();
    }

    /// The sessions and API keys that were used since this was last asked, and when.
    pub(super) fn take_used(&self) -> HashMap<Uuid, DateTime<Utc>> {
        std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When this session or API key was used, if that is not written down yet.
    pub(super) fn used_at(&self, id: Uuid) -> Option<DateTime<Utc>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    fn note(&self, remembered: &Remembered, now: DateTime<Utc>) {
        let noted_at = &remembered.liveness.noted_at;
        let before = noted_at.load(Ordering::Relaxed);
        let due = now.timestamp() >= before.saturating_add(NOTED_EVERY_SECONDS);
        // Of those who come at once, one notes it.
        if due && noted_at.compare_exchange(before, now.timestamp(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(remembered.used, now);
        }
    }

    fn liveness(&self, credential: Uuid) -> Arc<Liveness> {
        let mut credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        if credentials.len() >= SWEEP_AT && credentials.len() == credentials.capacity() {
            credentials.retain(|_, liveness| Arc::strong_count(liveness) > 1);
        }
        Arc::clone(credentials.entry(credential).or_default())
    }
}

impl Accounts {
    /// Who sent this access token or API key.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] for one that is malformed, not ours, expired, of an ended session, or of somebody who
    /// is suspended or gone.
    pub async fn authenticate(&self, token: &str) -> Result<Identity, Error> {
        Ok(self.recognise(token).await?.identity.clone())
    }

    pub(super) async fn recognise(&self, token: &str) -> Result<Arc<Remembered>, Error> {
        let now = self.clock.now();
        if let Some(remembered) = self.verified.tokens.get(token) {
            if remembered.liveness.refuses(remembered.token) || now.timestamp() >= remembered.refused_from {
                self.verified.tokens.remove(token);
                return Err(Error::InvalidToken);
            }
            let undoubted = remembered.keys_changed == self.keys.changes()
                && remembered.doubts == self.verified.doubts.load(Ordering::SeqCst);
            if now < remembered.good_until && undoubted {
                self.verified.note(&remembered, now);
                return Ok(remembered);
            }
        }
        let remembered = match token.starts_with(api_key::PREFIX) {
            // Boxed: this is part of every request's future, and rarely needed.
            true => Box::pin(self.look_up_key(token, now)).await?,
            false => Box::pin(self.look_up_token(token, now)).await?,
        };
        self.verified.note(&remembered, now);
        let remembered = Arc::new(remembered);
        self.verified.tokens.insert(token.into(), Arc::clone(&remembered));
        Ok(remembered)
    }

    async fn look_up_token(&self, token: &str, now: DateTime<Utc>) -> Result<Remembered, Error> {
        let (keys_changed, doubts) = (self.keys.changes(), self.verified.doubts.load(Ordering::SeqCst));
        let Verified { user, session, token, refused_from } = self.verify(token, now)?;
        let liveness = self.verified.liveness(session.uuid());
        let honoured = session::honours(self.database.reader(), session, user, token, now).await?;
        let (ends_at, admin) = honoured.filter(|_| !liveness.refuses(token)).ok_or(Error::InvalidToken)?;
        Ok(Remembered {
            identity: Identity::Session { user, session, token, admin },
            credential: session.uuid(),
            used: session.uuid(),
            token,
            refused_from,
            ends_at,
            good_until: self.recheck_at(ends_at, now),
            keys_changed,
            doubts,
            liveness,
        })
    }

    async fn look_up_key(&self, secret: &str, now: DateTime<Utc>) -> Result<Remembered, Error> {
        let (keys_changed, doubts) = (self.keys.changes(), self.verified.doubts.load(Ordering::SeqCst));
        let hash = api_key::hash(secret).ok_or(Error::InvalidToken)?;
        let liveness = self.verified.liveness(api_key::credential(&hash));
        let key = api_key::find_live(self.database.reader(), &hash, now).await?;
        // A key is its only token: it is revoked as a whole.
        let token = Uuid::nil();
        let key = key.filter(|_| !liveness.refuses(token)).ok_or(Error::InvalidToken)?;
        let ends_at = key.expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let scopes = Scopes::from_bits(key.scopes);
        let counter = key.counter_name.map(Into::into);
        Ok(Remembered {
            identity: Identity::ApiKey { user: key.user_id, key: key.id, scopes, counter },
            credential: api_key::credential(&hash),
            used: key.id.uuid(),
            token,
            // The row knows its end to the microsecond, and is asked from then on.
            refused_from: i64::MAX,
            ends_at,
            good_until: self.recheck_at(ends_at, now),
            keys_changed,
            doubts,
            liveness,
        })
    }

    fn recheck_at(&self, ends_at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.database.is_shared() {
            true => ends_at.min(now + TimeDelta::seconds(self.settings.session_recheck_seconds.into())),
            false => ends_at,
        }
    }
}
