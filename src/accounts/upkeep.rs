//! What goes on by itself: notes are written down, mails sent, and what is over is removed.
//!
//! | kept | for |
//! | --- | --- |
//! | ended sessions | `ended_session_days` |
//! | single access tokens that were revoked | as long as they would have been good |
//! | expired API keys and links of mails | a day |
//! | the audit log | `event_days` |
//! | accounts that nobody confirmed | until they can no longer be: `unconfirmed_days` |
//! | deleted accounts | `deletion_grace_days` |
//! | replaced signing keys | as long as a token of theirs may be good |
//! | idempotency records | 24 hours |
//!
//! Replicas do all of this side by side: each deletion is a short transaction that may find nothing left.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::accounts::post::Post;
use crate::accounts::{
    Accounts, account_event, api_key, email_token, idempotency, revoked_access_token, session, user,
};
use crate::error::Error;
use crate::id::{AccountEventId, ApiKeyId};
use crate::supervise;

/// How often the first uses of tokens are stored: other servers judge by them.
const WRITE_CONFIRMATIONS_EVERY: Duration = Duration::from_millis(500);
/// How often the folder of the signing keys is looked at: a key that was removed verifies nothing after that.
const CHECK_KEYS_EVERY: Duration = Duration::from_millis(500);
/// How often each is done. Uses and failed logins are at most so late in the database.
const WRITE_NOTES_EVERY: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// Mails that other replicas queued, and those that are tried again.
const LOOK_FOR_MAILS_EVERY: Duration = Duration::from_secs(15);
/// How soon it is noticed that another program, such as `cloakroom users`, has written to the embedded database.
const LOOK_OUTSIDE_EVERY: Duration = Duration::from_millis(200);
/// How soon an open connection ends with a session that ends by itself, on the embedded database.
const RECHECK_EVERY: Duration = Duration::from_secs(10);
/// Between two looks at all open connections, however much is in doubt.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// The tasks, ended with the server.
#[derive(Default)]
pub(super) struct Tasks(Mutex<Vec<AbortHandle>>);

impl Tasks {
    fn add(&self, task: AbortHandle) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(AbortHandle::abort);
    }
}

impl Accounts {
    /// Begins to look after itself, on the current runtime, until [`Accounts::stop`] or the last clone is gone.
    pub fn start_upkeep(self: &Arc<Self>) {
        self.every("writing of notes", WRITE_NOTES_EVERY, |accounts| {
            Box::pin(async move { accounts.write_notes().await })
        });
        self.every("writing of first uses", WRITE_CONFIRMATIONS_EVERY, |accounts| {
            Box::pin(async move { accounts.write_confirmations_or_pause().await })
        });
        self.every("check of signing keys", CHECK_KEYS_EVERY, |accounts| {
            Box::pin(async move { accounts.check_keys().await })
        });
        self.every("sweep of accounts", SWEEP_EVERY, |accounts| Box::pin(async move { accounts.sweep().await }));
        if !self.database.is_shared() {
            self.every("search for outside writes", LOOK_OUTSIDE_EVERY, |accounts| {
                Box::pin(async move { accounts.look_outside().await })
            });
        }
        self.start_rechecks();
        let (accounts, waiting) = (Arc::downgrade(self), self.post.waiting());
        let post = supervise::spawn("mail queue", move || {
            let (accounts, waiting) = (Weak::clone(&accounts), Arc::clone(&waiting));
            async move {
                while let Some(accounts) = accounts.upgrade() {
                    tell(accounts.send_mails().await);
                    drop(accounts);
                    Post::woken(&waiting, LOOK_FOR_MAILS_EVERY).await;
                }
            }
        });
        self.tasks.add(post.abort_handle());
    }

    /// Writes down what waits, and looks after nothing any more. A mail that is being sent will be sent again.
    pub async fn stop(&self) {
        self.tasks.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|task| task.abort());
        tell(self.write_notes().await);
    }

    /// Removes what is over, and completes what another version or policy has left open.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sweep(&self) -> Result<(), Error> {
        self.remove_retired_keys();
        let now = self.clock.now();
        let days = |days: u32| now - TimeDelta::days(days.into());
        let settings = &self.settings;
        let (sessions, events) = (days(settings.ended_session_days), days(settings.event_days));
        let (deleted, yesterday) = (days(settings.deletion_grace_days), days(1));
        let database = &self.database;
        let revoked = revoked_access_token::expired_at(now);
        database.remove_in_batches::<Uuid, _>(revoked_access_token::Column::Id, revoked).await?;
        session::remove_in_batches(database, session::ended_before(sessions)).await?;
        let keys = api_key::expired_before(yesterday);
        database.remove_in_batches::<ApiKeyId, _>(api_key::Column::Id, keys).await?;
        let links = email_token::expired_before(yesterday);
        database.remove_in_batches::<String, _>(email_token::Column::Hash, links).await?;
        let events = account_event::before(events);
        database.remove_in_batches::<AccountEventId, _>(account_event::Column::Id, events).await?;
        self.remove_oldest_events(1).await?;
        let records = idempotency::expired_at(now);
        database.remove_in_batches::<Uuid, _>(idempotency::Column::Id, records).await?;
        self.assign_owner_keys().await?;
        self.purge_due(user::is_due(deleted, now)).await
    }

    /// Trusts nothing that is remembered if another program has written to the database.
    async fn look_outside(&self) -> Result<(), Error> {
        if self.database.was_written_outside().await? {
            self.verified.doubt();
            self.post.wake();
        }
        Ok(())
    }

    /// At once when there is reason to doubt; otherwise as often as others may have ended what is open here.
    fn start_rechecks(self: &Arc<Self>) {
        let pause = match self.database.is_shared() {
            true => Duration::from_secs(self.settings.session_recheck_seconds.into()),
            false => RECHECK_EVERY,
        };
        let (accounts, standings) = (Arc::downgrade(self), Arc::clone(&self.verified.standings));
        let task = supervise::spawn("recheck of connections", move || {
            let (accounts, standings) = (Weak::clone(&accounts), Arc::clone(&standings));
            async move {
                while let Some(accounts) = accounts.upgrade() {
                    tell(accounts.recheck().await);
                    drop(accounts);
                    tokio::time::sleep(LEAST_PAUSE).await;
                    drop(tokio::time::timeout(pause, standings.doubted()).await);
                }
            }
        });
        self.tasks.add(task.abort_handle());
    }

    fn every(
        self: &Arc<Self>,
        name: &'static str,
        pause: Duration,
        work: fn(Arc<Self>) -> BoxFuture<'static, Result<(), Error>>,
    ) {
        let accounts: Weak<Self> = Arc::downgrade(self);
        let task = supervise::spawn(name, move || {
            let accounts = Weak::clone(&accounts);
            async move {
                while let Some(accounts) = accounts.upgrade() {
                    tell(work(accounts).await);
                    tokio::time::sleep(pause).await;
                }
            }
        });
        self.tasks.add(task.abort_handle());
    }
}

/// Nobody waits for the outcome; it is tried again.
fn tell(outcome: Result<(), Error>) {
    match outcome {
        Ok(()) => {}
        Err(Error::Internal(cause)) => tracing::warn!(error = %cause, "upkeep failed"),
        Err(error) => {
            tracing::warn!(reason = error.code().name(), error = error.reason(), "upkeep was put off");
        }
    }
}
