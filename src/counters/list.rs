//! `viewer { counters }`: the caller's counters by name, page by page.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use crate::caller::{Caller, Scope};
use crate::counters::Counters;
use crate::counters::counter::{self, Column};
use crate::error::Error;
use crate::page::{Page, Window};

impl Counters {
    /// A page of the caller's counters.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `COUNTERS_READ`, or limited to a counter;
    /// [`Error::BadInput`] for a cursor that no counter's name makes.
    pub async fn list(&self, caller: &Caller, window: &Window) -> Result<Page<counter::Model>, Error> {
        let mut counters = counter::of(caller.require(Scope::CountersRead)?);
        if !window.after.iter().chain(&window.before).all(|name| counter::is_name(name)) {
            return Err(Error::BadInput("This is not a cursor of this list.".to_owned()));
        }
        if let Some(after) = &window.after {
            counters = counters.filter(Column::Name.gt(after));
        }
        if let Some(before) = &window.before {
            counters = counters.filter(Column::Name.lt(before));
        }
        let counters = match window.backward {
            true => counters.order_by_desc(Column::Name),
            false => counters.order_by_asc(Column::Name),
        };
        Ok(window.page(counters.limit(window.limit()).all(self.database.reader()).await?))
    }

    /// How many they are.
    ///
    /// # Errors
    /// As [`Counters::list`].
    pub async fn count(&self, caller: &Caller) -> Result<u64, Error> {
        counter::count(self.database.reader(), caller.require(Scope::CountersRead)?).await
    }
}
