//! The idempotency keys of one batch of the group commit: which writes were done before, and which find no room.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::counters::order::{Order, Outcome, Refusal};
use crate::counters::{answer, counter, statements};
use crate::error::Error;
use crate::id::{CounterId, UserId};
use crate::store::DatabaseTransaction;

/// An idempotency key of a counter.
type OnceKey = (CounterId, Arc<str>);

/// Numbers of records that users may add, as far as this server knows.
#[derive(Clone, Debug)]
pub(super) struct Room {
    /// The most records of a user.
    pub(super) max: i64,
    pub(super) left: HashMap<UserId, i64>,
}

/// The records of the keys in a batch.
pub(super) struct BatchRecords {
    room: Room,
    live: HashMap<OnceKey, answer::Model>,
    /// Keys whose records have expired, and are still counted.
    expired: HashSet<OnceKey>,
    /// Numbers of records that users have added.
    added: HashMap<UserId, i64>,
}

impl BatchRecords {
    /// Reads the records of these keys of locked counters.
    pub(super) async fn read(
        transaction: &DatabaseTransaction,
        now: DateTime<Utc>,
        keys: &[(CounterId, &str)],
        room: Room,
    ) -> Result<Self, Error> {
        let records = statements::list_answers(transaction, keys).await?;
        let records = records.into_iter().map(|record| ((record.counter_id, Arc::from(record.key.as_str())), record));
        let (live, expired): (HashMap<_, _>, HashMap<_, _>) = records.partition(|(_, record)| record.is_live(now));
        Ok(Self { room, live, expired: expired.into_keys().collect(), added: HashMap::new() })
    }

    /// Applies an order, unless it was done under this key: then the first answer is given again. A refusal is not kept:
    /// nothing was done, and a retry may find it possible.
    pub(super) fn apply_once(
        &mut self,
        order: Order,
        once: &Arc<str>,
        counter: &mut counter::Model,
        now: DateTime<Utc>,
    ) -> Result<Outcome, Refusal> {
        let key = (counter.id, Arc::clone(once));
        match self.live.get(&key) {
            Some(answer) if answer.answers(order) => Ok(answer.outcome(counter)),
            Some(_) => Err(Refusal::KeyReused),
            None => {
                // In place of an expired record there is room.
                let is_new = !self.expired.contains(&key);
                if is_new {
                    self.require_room(counter)?;
                }
                let outcome = order.apply(counter, now)?;
                if is_new {
                    self.count(counter);
                }
                self.live.insert(key, answer::Model::new(once, order, &outcome));
                Ok(outcome)
            }
        }
    }

    /// Numbers of records that users have added.
    pub(super) fn into_added(self) -> HashMap<UserId, i64> {
        self.added
    }

    /// The number in the counter's row is exact, because the row is locked; that of the user's other counters is not.
    fn require_room(&self, counter: &counter::Model) -> Result<(), Refusal> {
        let max = self.room.max;
        let is_left = self.room.left.get(&counter.user_id).is_none_or(|left| *left > 0);
        if is_left && counter.idempotency_records < max { Ok(()) } else { Err(Refusal::TooManyRecords { max }) }
    }

    fn count(&mut self, counter: &mut counter::Model) {
        counter.idempotency_records += 1;
        *self.added.entry(counter.user_id).or_default() += 1;
        self.room.left.entry(counter.user_id).and_modify(|left| *left -= 1);
    }
}
