//! A person's counters, for them to take along.

use serde_json::{Value, json};

use crate::caller::Caller;
use crate::clock::rfc3339;
use crate::counters::{Counters, counter};
use crate::error::Error;
use crate::id::UserId;

impl Counters {
    /// The counters of a user, by name, as a JSON array.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator.
    pub async fn export(&self, caller: &Caller, user: UserId) -> Result<Value, Error> {
        caller.require_operator()?;
        Ok(counter::list_all(self.database.reader(), user).await?.iter().map(of_counter).collect())
    }
}

fn of_counter(counter: &counter::Model) -> Value {
    json!({
        "id": counter.id.to_string(),
        "name": counter.name,
        "current": counter.current,
        "step": counter.step,
        "max": counter.max,
        "createdAt": rfc3339(counter.created_at),
        "updatedAt": rfc3339(counter.updated_at),
    })
}
