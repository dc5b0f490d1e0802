//! Somebody by whatever names them, for the command line and for administrators.

use crate::accounts::identity::Identifier;
use crate::accounts::{Accounts, email_owner, identity, user};
use crate::caller::Caller;
use crate::error::Error;
use crate::id::UserId;

impl Accounts {
    /// The user with this username, e-mail address or id, to an administrator: also one who is suspended, deleted or
    /// still to be confirmed.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when nobody is signed in; [`Error::Forbidden`] to anybody but an administrator.
    pub async fn find_account(&self, caller: &Caller, who: &str) -> Result<Option<user::Model>, Error> {
        caller.admin()?;
        let db = self.database.reader();
        // An id is longer than any username.
        if let Some(id) = UserId::parse(who.trim()) {
            return user::find_by_id(db, id).await;
        }
        match identity::identifier("who", who) {
            Ok(Identifier::Username(key)) => user::find_by_username(db, &key).await,
            Ok(Identifier::Email(key)) => email_owner::find(db, &key).await,
            // What nobody can be called is nobody's.
            Err(_) => Ok(None),
        }
    }
}
