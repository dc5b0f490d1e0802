//! `user`: somebody by their username.

use crate::accounts::{Accounts, identity, user};
use crate::caller::{Caller, Scope};
use crate::error::Error;
use crate::id::UserId;

impl Accounts {
    /// The user with this username, to any signed-in caller.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in; [`Error::Forbidden`] without `ACCOUNT_READ`.
    pub async fn find_user(&self, caller: &Caller, username: &str) -> Result<Option<user::Model>, Error> {
        caller.require(Scope::AccountRead)?;
        // What cannot be a username is nobody's.
        let Some(key) = identity::username_key(username) else { return Ok(None) };
        user::find_present(self.database.reader(), &key).await
    }

    /// Those of `ids` that are there for others, in no order. For a slice that has authorised its caller: what it shows
    /// is signed with its author's name.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list_present(&self, ids: &[UserId]) -> Result<Vec<user::Model>, Error> {
        user::list_by_ids(self.database.reader(), ids).await
    }

    /// The form in which usernames are compared, as [`user::Model::username_key`] has it; none for what cannot be one.
    #[must_use]
    pub fn username_key(&self, username: &str) -> Option<String> {
        identity::username_key(username)
    }
}
