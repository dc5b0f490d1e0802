//! Counters by id, one statement for all that a request's level asks for.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;

use crate::caller::{Caller, Scope};
use crate::counters::{Counters, counter};
use crate::error::Error;
use crate::id::CounterId;

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
