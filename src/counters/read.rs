//! `current` and `viewer { counter }`: what a counter shows, with everything acknowledged before.

use crate::caller::{Caller, Scope};
use crate::counters::counter::Key;
use crate::counters::{Counters, counter};
use crate::error::Error;

impl Counters {
    /// The current integer of the caller's counter.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::NotFound`] when the caller has no counter of this name.
    pub async fn current(&self, caller: &Caller, name: &str) -> Result<i64, Error> {
        let key = Key::of(caller.require_on(Scope::CountersRead, name)?, name).ok_or(Error::NotFound("counter"))?;
        counter::find_current(self.database.reader(), &key).await?.ok_or(Error::NotFound("counter"))
    }

    /// The caller's counter of this name.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
    pub async fn find(&self, caller: &Caller, name: &str) -> Result<Option<counter::Model>, Error> {
        let Some(key) = Key::of(caller.require_on(Scope::CountersRead, name)?, name) else { return Ok(None) };
        counter::find_by_key(self.database.reader(), &key).await
    }
}
