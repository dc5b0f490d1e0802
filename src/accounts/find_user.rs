//! `user`: somebody by their username.

use crate::accounts::{Accounts, identity, user};
use crate::caller::{Caller, Scope};
use crate::error::Error;

impl Accounts {
    /// The user with this username, to any signed-in caller.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in; [`Error::Forbidden`] without `ACCOUNT_READ`.
    pub async fn find_user(&self, caller: &Caller, username: &str) -> Result<Option<user::Model>, Error> {
        caller.require(Scope::AccountRead)?;
        // What cannot be a username is nobody's.
        let Ok(identity) = identity::username("username", username) else { return Ok(None) };
        user::find_present(self.database.reader(), &identity.key).await
    }
}
