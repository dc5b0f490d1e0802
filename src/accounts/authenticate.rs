//! From an access token to a [`Caller`].
//!
//! A signature costs 45 µs to check and a session one read; a remembered token costs neither. Two rules keep
//! memory from outliving the truth:
//!
//! * A remembered token holds its session's [`Liveness`], shared by all tokens of that session. Whoever looks
//!   a session up takes hold of it *before* reading the row; `logout` marks it *after* committing. So either
//!   the read sees the ended row, or the mark reaches what the read remembers.
//! * A remembered token is looked up again when its session would have ended by itself, when the signing keys
//!   have changed, and, with a database that other servers write to, after `session_recheck_seconds`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;
use uuid::Uuid;

use crate::accounts::token::Verified;
use crate::accounts::{Accounts, session};
use crate::caller::Caller;
use crate::error::Error;
use crate::id::SessionId;

/// Sessions in memory before those that no token refers to are let go.
const SWEEP_AT: usize = 1024;

/// The access tokens that were verified, bounded; the least used go first.
pub(super) struct VerifiedTokens {
    tokens: Cache<Box<str>, Arc<Remembered>>,
    sessions: Mutex<HashMap<SessionId, Arc<Liveness>>>,
}

/// What this process has ended of a session.
#[derive(Default)]
struct Liveness {
    ended: AtomicBool,
    /// Whether `revoked` has any: most sessions never do, and are spared the lock.
    any_revoked: AtomicBool,
    revoked: Mutex<Vec<Uuid>>,
}

impl Liveness {
    fn refuses(&self, token: Uuid) -> bool {
        let revoked = || self.revoked.lock().unwrap_or_else(PoisonError::into_inner).contains(&token);
        self.ended.load(Ordering::SeqCst) || (self.any_revoked.load(Ordering::SeqCst) && revoked())
    }
}

struct Remembered {
    caller: Caller,
    token: Uuid,
    refused_from: i64,
    good_until: DateTime<Utc>,
    keys_changed: u64,
    session: Arc<Liveness>,
}

impl VerifiedTokens {
    pub(super) fn new(capacity: usize) -> Self {
        Self { tokens: Cache::new(capacity), sessions: Mutex::default() }
    }

    /// Refuses every token of this session from now on.
    pub(super) fn end(&self, session: SessionId) {
        self.liveness(session).ended.store(true, Ordering::SeqCst);
    }

    /// Refuses this one token from now on.
    pub(super) fn revoke(&self, session: SessionId, token: Uuid) {
        let liveness = self.liveness(session);
        liveness.revoked.lock().unwrap_or_else(PoisonError::into_inner).push(token);
        liveness.any_revoked.store(true, Ordering::SeqCst);
    }

    fn liveness(&self, session: SessionId) -> Arc<Liveness> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SWEEP_AT && sessions.len() == sessions.capacity() {
            sessions.retain(|_, liveness| Arc::strong_count(liveness) > 1);
        }
        Arc::clone(sessions.entry(session).or_default())
    }
}

impl Accounts {
    /// Who sent this access token.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] for a token that is malformed, not ours, expired or of an ended session.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, Error> {
        let now = self.clock.now();
        if let Some(remembered) = self.verified.tokens.get(token) {
            if remembered.session.refuses(remembered.token) || now.timestamp() >= remembered.refused_from {
                self.verified.tokens.remove(token);
                return Err(Error::InvalidToken);
            }
            if now < remembered.good_until && remembered.keys_changed == self.keys.changes() {
                return Ok(remembered.caller);
            }
        }
        self.look_up(token, now).await
    }

    async fn look_up(&self, token: &str, now: DateTime<Utc>) -> Result<Caller, Error> {
        let keys_changed = self.keys.changes();
        let verified = self.verify(token, now)?;
        let liveness = self.verified.liveness(verified.session);
        let Verified { user, session, token: id, refused_from } = verified;
        let ends_at = session::honours(self.database.reader(), session, user, id, now).await?;
        let ends_at = ends_at.filter(|_| !liveness.refuses(id)).ok_or(Error::InvalidToken)?;
        let good_until = match self.database.is_shared() {
            true => ends_at.min(now + TimeDelta::seconds(self.settings.session_recheck_seconds.into())),
            false => ends_at,
        };
        let caller = Caller::Session { user, session, token: id };
        let remembered = Remembered { caller, token: id, refused_from, good_until, keys_changed, session: liveness };
        self.verified.tokens.insert(token.into(), Arc::new(remembered));
        Ok(caller)
    }
}
