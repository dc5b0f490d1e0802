//! The first use of each pair of tokens, which says that the client has received it.
//!
//! A request that shows an access token is noted here if its generation is not known to be used. It waits for no write,
//! and none fails it: the note counts at once for refreshes in this process, and is stored within a second for the
//! others. Generation 0 is not noted, because it has superseded none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::accounts::{Accounts, session};
use crate::error::Error;
use crate::id::SessionId;

/// Sessions with a use that is not stored yet; of further ones none is noted. To a session without a note the predecessor
/// of its token stays good.
const MAX_PENDING: usize = 100_000;
/// Rows written in one transaction.
const BATCH: usize = 500;
/// The pause after a write that failed.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The newest generation of each session whose use is not stored yet.
#[derive(Default)]
pub(super) struct Confirmations(Mutex<HashMap<SessionId, i32>>);

impl Confirmations {
    /// Notes that the tokens of this generation were used.
    pub(super) fn note(&self, session: SessionId, generation: i32) {
        let mut pending = self.lock();
        if pending.len() >= MAX_PENDING && !pending.contains_key(&session) {
            return;
        }
        let newest = pending.entry(session).or_insert(generation);
        *newest = generation.max(*newest);
    }

    /// The newest generation that was used, if that is not stored yet.
    pub(super) fn pending(&self, session: SessionId) -> Option<i32> {
        self.lock().get(&session).copied()
    }

    /// All that is not stored yet, in the order in which sessions are locked.
    fn list(&self) -> Vec<(SessionId, i32)> {
        let mut pending: Vec<_> = self.lock().iter().map(|(session, generation)| (*session, *generation)).collect();
        pending.sort_unstable_by_key(|(session, _)| session.uuid());
        pending
    }

    /// Forgets what is stored. A later generation may have been noted meanwhile.
    fn forget(&self, stored: &[(SessionId, i32)]) {
        let mut pending = self.lock();
        for (session, generation) in stored {
            if pending.get(session) == Some(generation) {
                pending.remove(session);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts {
    /// Stores which pairs of tokens were used. Those that cannot be stored stay noted.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn write_confirmations(&self) -> Result<(), Error> {
        for batch in self.confirmations.list().chunks(BATCH) {
            let rows: Arc<[(SessionId, i32)]> = batch.into();
            let written = self.database.write(move |transaction| {
                let rows = Arc::clone(&rows);
                Box::pin(async move {
                    for (session, generation) in rows.iter() {
                        session::confirm(transaction, *session, *generation).await?;
                    }
                    Ok(())
                })
            });
            written.await?;
            self.confirmations.forget(batch);
        }
        Ok(())
    }

    /// The same, with a pause after a failure: a database that is down is not asked each second.
    pub(super) async fn write_confirmations_or_pause(&self) -> Result<(), Error> {
        let written = self.write_confirmations().await;
        if written.is_err() {
            tokio::time::sleep(RETRY_AFTER).await;
        }
        written
    }
}
