//! Counters by id, one statement for all that a request's level asks for; and the users' numbers of idempotency
//! records, one statement for all requests that come together.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};

use crate::batching::batched;
use crate::caller::{Caller, Scope};
use crate::counters::{Counters, counter};
use crate::error::Error;
use crate::id::{CounterId, UserId};
use crate::store::Database;

/// Users in one statement at most.
const MAX_USERS: usize = 500;

/// Loads the caller's counters for one request.
pub struct CounterLoader(pub Arc<Counters>, pub Caller);

impl Loader<CounterId> for CounterLoader {
    type Value = counter::Model;
    type Error = Error;

    async fn load(&self, ids: &[CounterId]) -> Result<HashMap<CounterId, counter::Model>, Error> {
        let owner = self.1.require_some(Scope::CountersRead)?;
        let counters = counter::list_by_ids(self.0.database.reader(), owner, ids).await?;
        // For a key that is limited to a counter the others are not there, as those of others are not.
        let seen = |counter: &counter::Model| self.1.require_on(Scope::CountersRead, &counter.name).is_ok();
        Ok(counters.into_iter().filter(seen).map(|counter| (counter.id, counter)).collect())
    }
}

/// The number of idempotency records of a user, over all their counters. Nothing is remembered.
pub(super) struct RecordTotals(DataLoader<RecordTotalLoader>);

impl RecordTotals {
    pub(super) fn new(database: Database) -> Self {
        Self(batched(RecordTotalLoader(database)).max_batch_size(MAX_USERS))
    }

    pub(super) async fn read(&self, user: UserId) -> Result<i64, Error> {
        Ok(self.0.load_one(user).await?.unwrap_or_default())
    }
}

struct RecordTotalLoader(Database);

impl Loader<UserId> for RecordTotalLoader {
    type Value = i64;
    type Error = Error;

    async fn load(&self, users: &[UserId]) -> Result<HashMap<UserId, i64>, Error> {
        Ok(counter::sum_records(self.0.reader(), users).await?.into_iter().collect())
    }
}
