//! The bound on live idempotency records per user, without a count per request.
//!
//! Each counter's row has the number of its records, changed by the write that adds or removes them
//! and read with the row's lock. What this server knows of a user's counters together is their sum
//! as of the last read, plus what it has added since. It reads the sum again [`REFRESH_AFTER`]
//! later, or when it has added more than 1/[`SHARE`] of the room that it saw: one short statement
//! of the batch's transaction, for all users of the batch whose sums are due.
//!
//! **Invariant:** the records of one counter never exceed the limit, on any number of servers. The sum over a user's
//! counters never does on one server. Every other server may add what it does between two reads, at most 1/[`SHARE`] of
//! the room that it saw, or one batch if that is more.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::ConnectionTrait;

use crate::clock::Clock;
use crate::counters::counter;
use crate::counters::idempotency::Room;
use crate::error::Error;
use crate::id::UserId;

/// Age at which a sum is read again.
const REFRESH_AFTER: Duration = Duration::from_secs(5);
/// A server reads the sum again when it has used this fraction (1/16) of the room that it saw.
const SHARE: i64 = 16;
/// Users whose sums are remembered, before old ones are dropped.
const MAX_USERS: usize = 10_000;
/// Users in one statement at most.
const READ_AT_ONCE: usize = 500;

/// Sums of the users who send idempotency keys.
pub(super) struct RecordQuota {
    max: i64,
    clock: Clock,
    known: Mutex<HashMap<UserId, Known>>,
}

/// A user's records.
#[derive(Clone, Copy)]
struct Known {
    records: i64,
    /// Records that this server has added since the sum was read, included in `records`.
    added: i64,
    /// Of [`Clock::uptime`].
    read_at: Duration,
}

impl Known {
    fn is_old(&self, uptime: Duration) -> bool {
        uptime.saturating_sub(self.read_at) >= REFRESH_AFTER
    }

    fn is_due(&self, max: i64, uptime: Duration) -> bool {
        let room_at_read = max.saturating_sub(self.records - self.added);
        self.is_old(uptime) || (room_at_read > 0 && self.added >= (room_at_read / SHARE).max(1))
    }
}

impl RecordQuota {
    pub(super) fn new(max: u64, clock: Clock) -> Self {
        Self { max: i64::try_from(max).unwrap_or(i64::MAX), clock, known: Mutex::default() }
    }

    /// Numbers of records that these users may add.
    pub(super) async fn room(&self, db: &impl ConnectionTrait, users: &HashSet<UserId>) -> Result<Room, Error> {
        let due = self.list_due(users);
        for some in due.chunks(READ_AT_ONCE) {
            self.read(db, some).await?;
        }
        let known = self.lock();
        let left = |user: &UserId| Some((*user, self.max.saturating_sub(known.get(user)?.records)));
        Ok(Room { max: self.max, left: users.iter().filter_map(left).collect() })
    }

    fn list_due(&self, users: &HashSet<UserId>) -> Vec<UserId> {
        let (known, uptime) = (self.lock(), self.clock.uptime());
        let is_due = |user: &&UserId| known.get(*user).is_none_or(|known| known.is_due(self.max, uptime));
        users.iter().filter(is_due).copied().collect()
    }

    async fn read(&self, db: &impl ConnectionTrait, users: &[UserId]) -> Result<(), Error> {
        // Before the read: the sum is at least as old.
        let read_at = self.clock.uptime();
        let sums: HashMap<UserId, i64> = counter::sum_records(db, users).await?.into_iter().collect();
        let mut known = self.lock();
        if known.len() >= MAX_USERS {
            known.retain(|_, known| !known.is_old(read_at));
        }
        known.extend(users.iter().map(|user| {
            let records = sums.get(user).copied().unwrap_or_default();
            (*user, Known { records, added: 0, read_at })
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
