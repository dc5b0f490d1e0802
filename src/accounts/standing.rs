//! How long a connection that stays open may act as who opened it.
//!
//! A request is authenticated once; a WebSocket would live on after its session. So it holds a [`Standing`], which is
//! taken away at once by whatever ends the session in this process, and, by [`Accounts::recheck`], soon after another
//! server or program has ended it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use crate::accounts::{Accounts, api_key, revoked_access_token, session, user};
use crate::caller::{Identity, Rights, Scopes};
use crate::error::Error;
use crate::id::{ApiKeyId, SessionId};

/// The right of an open connection to act as somebody, for as long as it lasts.
pub struct Standing {
    /// From when on its token is refused; an API key may have no such moment.
    pub expires_at: Option<DateTime<Utc>>,
    over: oneshot::Receiver<()>,
    credential: Uuid,
    serial: u64,
    standings: Arc<Standings>,
}

impl Standing {
    /// Returns when the session or API key has ended, or its user may no longer act. The expiry of the token is not
    /// waited for.
    pub async fn over(&mut self) {
        // Nothing is ever sent: the other half is dropped.
        drop((&mut self.over).await);
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut held = self.standings.lock();
        if let Some(holders) = held.get_mut(&self.credential) {
            holders.retain(|holder| holder.serial != self.serial);
            if holders.is_empty() {
                held.remove(&self.credential);
            }
        }
    }
}

/// The standings of this process, by session or API key as the memory of verified tokens names them.
#[derive(Default)]
pub(super) struct Standings {
    held: Mutex<HashMap<Uuid, Vec<Holder>>>,
    serial: AtomicU64,
    doubted: Notify,
}

struct Holder {
    serial: u64,
    identity: Identity,
    /// Dropped, it takes the standing away.
    _over: oneshot::Sender<()>,
}

impl Standings {
    /// Takes away all that rest on this session or API key.
    pub(super) fn end(&self, credential: Uuid) {
        drop(self.lock().remove(&credential));
    }

    /// Takes away those that rest on this access token.
    pub(super) fn revoke(&self, session: Uuid, revoked: Uuid) {
        if let Some(holders) = self.lock().get_mut(&session) {
            holders.retain(|holder| !matches!(holder.identity, Identity::Session { token, .. } if token == revoked));
        }
    }

    /// Has all of them looked up again.
    pub(super) fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Returns when they are to be looked up again.
    pub(super) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    fn hold(self: &Arc<Self>, credential: Uuid, identity: Identity, expires_at: Option<DateTime<Utc>>) -> Standing {
        let (sender, over) = oneshot::channel();
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        self.lock().entry(credential).or_default().push(Holder { serial, identity, _over: sender });
        Standing { expires_at, over, credential, serial, standings: Arc::clone(self) }
    }

    fn identities(&self) -> Vec<Identity> {
        self.lock().values().flatten().map(|holder| holder.identity.clone()).collect()
    }

    fn keep(&self, is_good: impl Fn(&Identity) -> bool) {
        self.lock().retain(|_, holders| {
            holders.retain(|holder| is_good(&holder.identity));
            !holders.is_empty()
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Vec<Holder>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts {
    /// Who sent this access token or API key, over a connection that stays open.
    ///
    /// # Errors
    /// As [`Accounts::authenticate`].
    pub async fn stand(&self, token: &str) -> Result<(Identity, Standing), Error> {
        let remembered = self.recognise(token).await?;
        let standings = &self.verified.standings;
        let standing = standings.hold(remembered.credential, remembered.identity.clone(), remembered.ends_at());
        // Again: what ended in between had nothing to take away.
        Ok((self.recognise(token).await?.identity.clone(), standing))
    }

    /// Takes away the standing of connections whose session, access token or API key has ended, wherever that happened,
    /// and updates the rights of the others.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recheck(&self) -> Result<(), Error> {
        let identities = self.verified.standings.identities();
        if identities.is_empty() {
            return Ok(());
        }
        let (mut sessions, mut tokens, mut keys) = (HashSet::new(), HashSet::new(), HashSet::new());
        for identity in &identities {
            match identity {
                Identity::Session { session, token, .. } => {
                    sessions.insert(*session);
                    tokens.insert(*token);
                }
                Identity::ApiKey { key, .. } => drop(keys.insert(*key)),
                _ => {}
            }
        }
        let (reader, now) = (self.database.reader(), self.clock.now());
        let live: HashMap<SessionId, user::Role> = session::list_honoured(reader, &sessions, now).await?;
        let revoked = revoked_access_token::list(reader, &tokens).await?;
        let live_keys: HashMap<ApiKeyId, Scopes> = api_key::list_welcome(reader, &keys, now).await?;
        // An operation that has begun does not look at the scopes again: a connection whose API key has lost one ends.
        let has_lost_scope = |rights: &Rights, scopes: &Scopes| rights.scopes().list().any(|scope| !scopes.has(scope));
        let narrowed: HashSet<ApiKeyId> = identities
            .iter()
            .filter_map(|identity| match identity {
                Identity::ApiKey { key, rights, .. } => Some((key, rights, live_keys.get(key)?)),
                _ => None,
            })
            .filter(|(_, rights, scopes)| has_lost_scope(rights, scopes))
            .map(|(key, ..)| *key)
            .collect();
        // Those that came meanwhile were looked up when they did.
        self.verified.standings.keep(|identity| match identity {
            Identity::Session { session, token, rights, .. } if sessions.contains(session) => {
                live.get(session).is_some_and(|role| {
                    rights.set_admin(*role == user::Role::Admin);
                    !revoked.contains(token)
                })
            }
            Identity::ApiKey { key, rights, .. } if keys.contains(key) => live_keys.get(key).is_some_and(|scopes| {
                rights.set_scopes(*scopes);
                !narrowed.contains(key)
            }),
            _ => true,
        });
        Ok(())
    }
}
