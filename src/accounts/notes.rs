//! What is worth writing down but not worth a write of its own: when sessions and API keys were used, and failed
//! logins. It waits here for a few seconds and goes to the database in one transaction; a crash loses that much.

use std::sync::{Mutex, PoisonError};

use crate::accounts::{Accounts, account_event, api_key, session};
use crate::error::Error;

/// Failed logins that may wait; further ones are only counted by the limits.
const MAX_WAITING: usize = 10_000;
/// Rows written in one transaction: others want to write, too.
const BATCH: usize = 500;

/// Failed logins that are not written down yet.
#[derive(Default)]
pub(super) struct Notes(Mutex<Vec<account_event::ActiveModel>>);

impl Notes {
    pub(super) fn add(&self, event: account_event::ActiveModel) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_WAITING {
            waiting.push(event);
        }
    }

    fn take(&self) -> Vec<account_event::ActiveModel> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Accounts {
    /// Writes down what waits. What cannot be written is lost: it was noted as long as that did not matter.
    ///
    /// # Errors
    /// What the database says.
    pub async fn write_notes(&self) -> Result<(), Error> {
        self.write_confirmations().await?;
        let mut events = self.notes.take();
        // By user, whose row the insert of an entry locks. Replicas lock the rows in the same
        // order.
        events.sort_by_key(|event| event.user_id.try_as_ref().copied());
        for batch in events.chunks(BATCH) {
            let batch = batch.to_vec();
            self.database
                .write(move |transaction| Box::pin(account_event::add_all(transaction, batch.clone())))
                .await?;
        }
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
