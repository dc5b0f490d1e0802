//! `current` and `viewer { counter }`: what a counter shows, with everything acknowledged before.

use crate::caller::Caller;
use crate::counters::{Counters, counter};
use crate::error::Error;

impl Counters {
    /// The current integer of the caller's counter.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::NotFound`] when the caller has no counter of this name.
    pub async fn current(&self, caller: &Caller, name: &str) -> Result<i64, Error> {
        let owner = caller.user()?;
        let current = match name.contains('\0') {
            true => None,
            false => counter::find_current(self.database.reader(), owner, name).await?,
        };
        current.ok_or(Error::NotFound("counter"))
    }

    /// The caller's counter of this name.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
    pub async fn find(&self, caller: &Caller, name: &str) -> Result<Option<counter::Model>, Error> {
        let owner = caller.user()?;
        match name.contains('\0') {
            true => Ok(None),
            false => counter::find_by_name(self.database.reader(), owner, name).await,
        }
    }
}
