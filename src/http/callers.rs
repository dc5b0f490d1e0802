//! How many connections each caller keeps open, or uploads each sends at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::caller::Caller;
use crate::error::Error;
use crate::id::UserId;

/// When to try again: others of one's own must end first.
const RETRY_AFTER_SECONDS: u32 = 10;

/// A user, or where somebody is who is not signed in: an IPv4 address or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    User(UserId),
    Block(IpAddr),
}

/// The callers with something under way.
pub(super) struct Callers {
    open: Arc<Open>,
    most: usize,
}

#[derive(Default)]
struct Open(Mutex<HashMap<Owner, usize>>);

/// One thing that a caller has under way.
pub(super) struct Place(Option<(Owner, Arc<Open>)>);

impl Callers {
    pub(super) fn new(most: usize) -> Self {
        Self { open: Arc::default(), most }
    }

    /// A place for one more. Behind a proxy that does not tell who they are, strangers are not counted.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when this caller has as many as there may be.
    pub(super) fn enter(&self, caller: &Caller) -> Result<Place, Error> {
        let owner = caller.user().map(Owner::User).ok().or_else(|| caller.origin.block().map(Owner::Block));
        let Some(owner) = owner else { return Ok(Place(None)) };
        let mut open = self.open.lock();
        let count = open.entry(owner).or_default();
        if *count >= self.most {
            return Err(Error::RateLimited { retry_after_seconds: RETRY_AFTER_SECONDS });
        }
        *count += 1;
        Ok(Place(Some((owner, Arc::clone(&self.open)))))
    }
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((owner, open)) = self.0.take() else { return };
        let mut open = open.lock();
        if let Some(count) = open.get_mut(&owner) {
            *count -= 1;
            if *count == 0 {
                open.remove(&owner);
            }
        }
    }
}
