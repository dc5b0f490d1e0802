//! The renewal of an open connection by a `refreshTokens` that came over it.

use std::sync::{Arc, Mutex, PoisonError};

/// Where `refreshTokens` leaves the access token for the connection over which it was asked.
#[derive(Clone, Debug, Default)]
pub struct Renewal(Arc<Mutex<Option<String>>>);

impl Renewal {
    /// The access token that was left since this was last asked.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn leave(&self, access_token: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(access_token.to_owned());
    }
}
