//! The bound on live idempotency records per user, without a count per request.
//!
//! Each counter's row has the number of its records, changed by the write that adds or removes them and read with the
//! row's lock. What this server knows of a user's counters together is their sum as of the last read, plus what it has
//! added since. It reads the sum again [`REFRESH_SECONDS`] later, or when it has added more than 1/[`SHARE`] of the room
//! that it saw: one short statement of the batch's transaction, for all users of the batch whose sums are due.
//!
//! **Invariant:** the records of one counter never exceed the limit, on any number of servers. The sum over a user's
//! counters never does on one server. Every other server may add what it does between two reads, at most 1/[`SHARE`] of
//! the room that it saw, or one batch if that is more.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait;

use crate::counters::counter;
use crate::counters::idempotency::Room;
use crate::error::Error;
use crate::id::UserId;

/// Age at which a sum is read again.
const REFRESH_SECONDS: i64 = 5;
/// A server reads the sum again when it has used this fraction (1/16) of the room that it saw.
const SHARE: i64 = 16;
/// Users whose sums are remembered, before old ones are dropped.
const MAX_USERS: usize = 10_000;
/// Users in one statement at most.
const READ_AT_ONCE: usize = 500;

/// Sums of the users who send idempotency keys.
pub(super) struct RecordQuota {
    max: i64,
    known: Mutex<HashMap<UserId, Known>>,
}

/// A user's records.
#[derive(Clone, Copy)]
struct Known {
    records: i64,
    /// Records that this server has added since the sum was read, included in `records`.
    added: i64,
    read_at: DateTime<Utc>,
}

impl Known {
    fn is_old(&self, now: DateTime<Utc>) -> bool {
        now - self.read_at >= TimeDelta::seconds(REFRESH_SECONDS)
    }

    fn is_due(&self, max: i64, now: DateTime<Utc>) -> bool {
        let room_at_read = max.saturating_sub(self.records - self.added);
        self.is_old(now) || (room_at_read > 0 && self.added >= (room_at_read / SHARE).max(1))
    }
}

impl RecordQuota {
    pub(super) fn new(max: u64) -> Self {
        Self { max: i64::try_from(max).unwrap_or(i64::MAX), known: Mutex::default() }
    }

    /// Numbers of records that these users may add.
    pub(super) async fn room(
        &self,
        db: &impl ConnectionTrait,
        users: &HashSet<UserId>,
        now: DateTime<Utc>,
    ) -> Result<Room, Error> {
        let due = self.list_due(users, now);
        for some in due.chunks(READ_AT_ONCE) {
            self.read(db, some, now).await?;
        }
        let known = self.lock();
        let left = |user: &UserId| Some((*user, self.max.saturating_sub(known.get(user)?.records)));
        Ok(Room { max: self.max, left: users.iter().filter_map(left).collect() })
    }

    fn list_due(&self, users: &HashSet<UserId>, now: DateTime<Utc>) -> Vec<UserId> {
        let known = self.lock();
        let is_due = |user: &&UserId| known.get(*user).is_none_or(|known| known.is_due(self.max, now));
        users.iter().filter(is_due).copied().collect()
    }

    async fn read(&self, db: &impl ConnectionTrait, users: &[UserId], now: DateTime<Utc>) -> Result<(), Error> {
        let sums: HashMap<UserId, i64> = counter::sum_records(db, users).await?.into_iter().collect();
        let mut known = self.lock();
        if known.len() >= MAX_USERS {
            known.retain(|_, known| !known.is_old(now));
        }
        known.extend(users.iter().map(|user| {
            let records = sums.get(user).copied().unwrap_or_default();
            (*user, Known { records, added: 0, read_at: now })
        }));
        Ok(())
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
