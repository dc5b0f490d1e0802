//! Writes that are batched in memory for some seconds, because they are not worth a transaction of their own: the last
//! use of sessions and API keys, and audit log entries about failed logins and about counters that were set. A crash
//! loses the batch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::accounts::{Accounts, account_event, api_key, session};
use crate::error::Error;
use crate::id::UserId;

/// Entries that may wait; further ones are dropped.
const MAX_WAITING: usize = 10_000;
/// New entries of a kind after which the oldest of a user are removed at once. Fewer wait for the sweep.
const MANY_ENTRIES: u32 = 100;
/// Rows written in one transaction: others want to write, too.
const BATCH: usize = 500;

/// Audit log entries that are not written yet, and the number of new entries of each user.
#[derive(Default)]
pub(super) struct Notes(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    events: Vec<account_event::ActiveModel>,
    /// Number of new entries, by user and kind.
    counts: HashMap<(UserId, account_event::Kind), u32>,
}

impl Notes {
    pub(super) fn add(&self, event: account_event::ActiveModel) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.events.len() < MAX_WAITING {
            waiting.events.push(event);
        }
    }

    /// Counts a new entry of a user's audit log. The oldest of its kind are removed later.
    pub(super) fn count_entry(&self, user: UserId, kind: account_event::Kind) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count(user, kind);
    }

    fn take_events(&self) -> Vec<account_event::ActiveModel> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).events)
    }

    /// Users and kinds with at least `min` new entries since they were last returned; all of them if the table is full.
    fn take_counted(&self, min: u32) -> Vec<(UserId, account_event::Kind)> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let min = if waiting.counts.len() < MAX_WAITING { min } else { 1 };
        waiting.counts.extract_if(|_, count| *count >= min).map(|(key, _)| key).collect()
    }
}

impl Waiting {
    fn count(&mut self, user: UserId, kind: account_event::Kind) {
        if self.counts.len() < MAX_WAITING || self.counts.contains_key(&(user, kind)) {
            *self.counts.entry((user, kind)).or_default() += 1;
        }
    }
}

impl Accounts {
    /// Adds an entry to an audit log within some seconds, for an action whose own transaction must not wait for the
    /// user's row.
    pub fn note(&self, event: account_event::ActiveModel) {
        self.notes.add(event);
    }

    /// Removes the oldest entries of each kind from the audit logs of users who have got at least `min` new ones.
    pub(super) async fn remove_oldest_events(&self, min: u32) -> Result<(), Error> {
        for (user, kind) in self.notes.take_counted(min) {
            account_event::remove_oldest(&self.database, user, kind).await?;
        }
        Ok(())
    }

    /// Writes down what waits. What cannot be written is lost: it was noted as long as that did not matter.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write_notes(&self) -> Result<(), Error> {
        self.write_confirmations().await?;
        let mut events = self.notes.take_events();
        // By user, whose row the insert of an entry locks. Replicas lock the rows in the same
        // order.
        events.sort_by_key(|event| event.user_id.try_as_ref().copied());
        for batch in events.chunks(BATCH) {
            let batch = batch.to_vec();
            self.database
                .write(move |transaction| Box::pin(account_event::add_all(transaction, batch.clone())))
                .await?;
        }
        self.remove_oldest_events(MANY_ENTRIES).await?;
        let mut used: Vec<_> = self.verified.take_used().into_iter().collect();
        used.sort_unstable();
        for batch in used.chunks(BATCH) {
            let batch = batch.to_vec();
            let written = self.database.write(move |transaction| {
                let batch = batch.clone();
                Box::pin(async move {
                    let mut others = Vec::new();
                    for (id, at) in batch {
                        if !session::set_used(transaction, id.into(), at).await? {
                            others.push((id, at));
                        }
                    }
                    for (id, at) in others {
                        api_key::set_used(transaction, id.into(), at).await?;
                    }
                    Ok(())
                })
            });
            written.await?;
        }
        Ok(())
    }
}
