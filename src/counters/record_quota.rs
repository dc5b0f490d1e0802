//! The bound on live idempotency records per user, without a count per request.
//!
//! Each counter's row has the number of its records, changed by the write that adds or removes them and read with the
//! row's lock. What this server knows of a user's other counters is their sum as of the last read, plus what it has
//! added since. It reads the sum again, outside of any transaction, [`REFRESH_SECONDS`] later, or when it has added
//! more than 1/[`SHARE`] of the room that it saw.
//!
//! **Invariant:** the records of one counter never exceed the limit, on any number of servers. The sum over a user's
//! counters may exceed it by what other servers and batches under way add between two reads: at most 1/[`SHARE`] of the
//! limit, or one batch if that is more, for each of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::counters::loader::RecordTotals;
use crate::error::Error;
use crate::id::UserId;
use crate::store::Database;

/// How long a sum is used.
const REFRESH_SECONDS: i64 = 5;
/// Which part of the room that was left one server may use before it reads the sum again.
const SHARE: i64 = 16;
/// Users whose sums are remembered, before old ones are dropped.
const MAX_USERS: usize = 10_000;
/// How long sums are remembered: a request that waits for its batch still needs one.
const REMEMBERED_SECONDS: i64 = 60;

/// What this server knows of the users who send idempotency keys.
pub(super) struct RecordQuota {
    max: i64,
    totals: RecordTotals,
    known: Mutex<HashMap<UserId, Known>>,
}

/// A user's records.
#[derive(Clone, Copy)]
struct Known {
    records: i64,
    /// Of these, how many this server has added since the sum was read.
    added: i64,
    read_at: DateTime<Utc>,
}

impl RecordQuota {
    pub(super) fn new(database: Database, max: u64) -> Self {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        Self { max, totals: RecordTotals::new(database), known: Mutex::default() }
    }

    /// The most records that a user may have.
    pub(super) fn max(&self) -> i64 {
        self.max
    }

    /// Reads a user's sum, if it is not known or no longer exact enough.
    ///
    /// # Errors
    /// Database errors.
    pub(super) async fn refresh(&self, user: UserId, now: DateTime<Utc>) -> Result<(), Error> {
        if !self.claim_read(user, now) {
            return Ok(());
        }
        let records = self.totals.read(user).await?;
        let mut known = self.lock();
        if known.len() >= MAX_USERS {
            known.retain(|_, known| now - known.read_at < TimeDelta::seconds(REMEMBERED_SECONDS));
        }
        known.insert(user, Known { records, added: 0, read_at: now });
        Ok(())
    }

    /// Whether the sum must be read. Of those who ask at once about a sum that is old, one reads it.
    fn claim_read(&self, user: UserId, now: DateTime<Utc>) -> bool {
        let mut known = self.lock();
        let Some(known) = known.get_mut(&user) else { return true };
        let room_at_read = self.max.saturating_sub(known.records - known.added);
        let is_used_up = room_at_read > 0 && known.added >= (room_at_read / SHARE).max(1);
        let is_old = now - known.read_at >= TimeDelta::seconds(REFRESH_SECONDS);
        if is_old {
            known.read_at = now;
        }
        is_old || is_used_up
    }

    /// How many records a user may add, as far as is known.
    pub(super) fn room(&self, user: UserId) -> i64 {
        self.lock().get(&user).map_or(i64::MAX, |known| self.max.saturating_sub(known.records))
    }

    /// Counts records that were added.
    pub(super) fn add(&self, user: UserId, records: i64) {
        if let Some(known) = self.lock().get_mut(&user) {
            known.records = known.records.saturating_add(records);
            known.added = known.added.saturating_add(records);
        }
    }

    /// Forgets all sums, after records were removed.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
