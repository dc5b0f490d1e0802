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
//!   have changed, and, with a database that other servers write to, after `session_recheck_seconds`. These seconds
//!   run on the monotonic clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::accounts::standing::Standings;
use crate::accounts::token::Verified;
use crate::accounts::{Accounts, api_key, session};
use crate::caller::{Identity, Rights, Scopes};
use crate::error::Error;

/// Sessions in memory before those that no token refers to are let go.
const SWEEP_AT: usize = 1024;
/// A use is noted once in this time: `lastUsedAt` is that exact.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// The access tokens and API keys that were verified, bounded; the least used go first.
pub(super) struct VerifiedTokens {
    tokens: Cache<Box<str>, Arc<Remembered>>,
    credentials: Mutex<Credentials>,
    /// How often everything was put in doubt.
    doubts: AtomicU64,
    /// Who was used since [`VerifiedTokens::take_used`], and when.
    used: Mutex<HashMap<Uuid, DateTime<Utc>>>,
    /// The connections that stay open.
    pub(super) standings: Arc<Standings>,
}

/// The sessions by id, and the API keys by their [`api_key::credential`], which strangers can
/// invent.
struct Credentials {
    by_id: HashMap<Uuid, Arc<Liveness>>,
    /// The number at which those that no token refers to are removed: twice as many as were left
    /// the last time, so that each insertion pays for two steps of it.
    sweep_at: usize,
}

impl Default for Credentials {
    fn default() -> Self {
        Self { by_id: HashMap::new(), sweep_at: SWEEP_AT }
    }
}

impl Credentials {
    fn liveness(&mut self, credential: Uuid) -> Arc<Liveness> {
        if self.by_id.len() >= self.sweep_at {
            // Rights that an operation still holds must stay reachable, or it would miss their updates.
            self.by_id.retain(|_, liveness| Arc::strong_count(liveness) > 1 || liveness.rights.is_shared());
            self.sweep_at = (2 * self.by_id.len()).max(SWEEP_AT);
            self.by_id.shrink_to(self.sweep_at);
        }
        Arc::clone(self.by_id.entry(credential).or_default())
    }
}

/// The endings of a session or API key by this process, and the time of its next note of a use.
#[derive(Default)]
struct Liveness {
    /// Shared by everything that acts with the session or API key.
    rights: Rights,
    ended: AtomicBool,
    /// Number of its access tokens that were revoked alone. With each, all of them are looked up
    /// again.
    revocations: AtomicU64,
    /// Microseconds of [`Clock::uptime`](crate::clock::Clock::uptime).
    note_at: AtomicU64,
}

impl Liveness {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::SeqCst)
    }
}

pub(super) struct Remembered {
    pub(super) identity: Identity,
    /// Its name in the memory of verified tokens.
    pub(super) credential: Uuid,
    /// The session or API key, as `lastUsedAt` is noted for it.
    used: Uuid,
    refused_from: i64,
    ends_at: DateTime<Utc>,
    /// The uptime from which on the database is asked again.
    recheck_at: Duration,
    keys_changed: u64,
    doubts: u64,
    revocations: u64,
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
        self.liveness(session).revocations.fetch_add(1, Ordering::SeqCst);
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

    fn note(&self, remembered: &Remembered, now: DateTime<Utc>, uptime: Duration) {
        let note_at = &remembered.liveness.note_at;
        let due_at = note_at.load(Ordering::Relaxed);
        let is_due = uptime >= Duration::from_micros(due_at);
        let next = u64::try_from((uptime + NOTED_EVERY).as_micros()).unwrap_or(u64::MAX);
        // Of those who come at once, one notes it.
        if is_due && note_at.compare_exchange(due_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(remembered.used, now);
        }
    }

    fn liveness(&self, credential: Uuid) -> Arc<Liveness> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner).liveness(credential)
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
        let (now, uptime) = (self.clock.now(), self.clock.uptime());
        if let Some(remembered) = self.verified.tokens.get(token) {
            if remembered.liveness.has_ended() || now.timestamp() >= remembered.refused_from {
                self.verified.tokens.remove(token);
                return Err(Error::InvalidToken);
            }
            let undoubted = remembered.keys_changed == self.keys.changes()
                && remembered.revocations == remembered.liveness.revocations()
                && remembered.doubts == self.verified.doubts.load(Ordering::SeqCst);
            if now < remembered.ends_at && uptime < remembered.recheck_at && undoubted {
                self.verified.note(&remembered, now, uptime);
                return Ok(remembered);
            }
        }
        let remembered = match token.starts_with(api_key::PREFIX) {
            // Boxed: this is part of every request's future, and rarely needed.
            true => Box::pin(self.look_up_key(token, now, uptime)).await?,
            false => Box::pin(self.look_up_token(token, now, uptime)).await?,
        };
        self.verified.note(&remembered, now, uptime);
        let remembered = Arc::new(remembered);
        self.verified.tokens.insert(token.into(), Arc::clone(&remembered));
        Ok(remembered)
    }

    async fn look_up_token(&self, token: &str, now: DateTime<Utc>, uptime: Duration) -> Result<Remembered, Error> {
        let (keys_changed, doubts) = (self.keys.changes(), self.verified.doubts.load(Ordering::SeqCst));
        let Verified { user, session, token, generation, refused_from } = self.verify(token, now)?;
        let liveness = self.verified.liveness(session.uuid());
        let revocations = liveness.revocations();
        let honoured = session::honours(self.database.reader(), session, user, token, now).await?;
        let honoured = honoured.filter(|_| !liveness.has_ended()).ok_or(Error::InvalidToken)?;
        let session::Honoured { ends_at, admin, .. } = honoured;
        liveness.rights.set_admin(admin);
        if let Some(used) = generation.filter(|used| honoured.is_first_use(*used)) {
            self.confirmations.note(session, used);
        }
        Ok(Remembered {
            identity: Identity::Session { user, session, token, rights: liveness.rights.clone() },
            credential: session.uuid(),
            used: session.uuid(),
            refused_from,
            ends_at,
            recheck_at: self.recheck_at(uptime),
            keys_changed,
            doubts,
            revocations,
            liveness,
        })
    }

    async fn look_up_key(&self, secret: &str, now: DateTime<Utc>, uptime: Duration) -> Result<Remembered, Error> {
        let (keys_changed, doubts) = (self.keys.changes(), self.verified.doubts.load(Ordering::SeqCst));
        let hash = api_key::hash(secret).ok_or(Error::InvalidToken)?;
        let liveness = self.verified.liveness(api_key::credential(&hash));
        let key = api_key::find_live(self.database.reader(), &hash, now).await?;
        let key = key.filter(|_| !liveness.has_ended()).ok_or(Error::InvalidToken)?;
        let ends_at = key.expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        liveness.rights.set_scopes(Scopes::from_bits(key.scopes));
        let counter = key.counter_name.map(Into::into);
        Ok(Remembered {
            identity: Identity::ApiKey { user: key.user_id, key: key.id, rights: liveness.rights.clone(), counter },
            credential: api_key::credential(&hash),
            used: key.id.uuid(),
            // The row knows its end to the microsecond, and is asked from then on.
            refused_from: i64::MAX,
            ends_at,
            recheck_at: self.recheck_at(uptime),
            keys_changed,
            doubts,
            // A key is its only token: it is revoked as a whole.
            revocations: 0,
            liveness,
        })
    }

    fn recheck_at(&self, uptime: Duration) -> Duration {
        match self.database.is_shared() {
            true => uptime + Duration::from_secs(self.settings.session_recheck_seconds.into()),
            false => Duration::MAX,
        }
    }
}
