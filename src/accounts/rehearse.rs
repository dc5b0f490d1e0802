//! An import as it would go, without anything being written.

use std::collections::HashSet;

use crate::accounts::{Accounts, AddUser, email_owner, user};
use crate::caller::Caller;
use crate::error::Error;

/// The names and addresses that were taken in a rehearsal.
#[derive(Debug, Default)]
pub struct Rehearsal {
    usernames: HashSet<String>,
    emails: HashSet<String>,
}

impl Accounts {
    /// Says what [`Accounts::add_user`] would say, after those who were rehearsed before.
    ///
    /// # Errors
    /// As [`Accounts::add_user`].
    pub async fn rehearse_user(
        &self,
        caller: &Caller,
        rehearsal: &mut Rehearsal,
        input: &AddUser,
    ) -> Result<(), Error> {
        caller.require_operator()?;
        let (user, reader) = (self.checked(input).await?, self.database.reader());
        let username = user.username.key;
        if rehearsal.usernames.contains(&username) || user::find_by_username(reader, &username).await?.is_some() {
            return Err(user::username_taken().into());
        }
        let email = user.email.map(|email| email.key);
        if let Some(key) = &email {
            let policy = self.settings.email_verification;
            let has_priority = |holder: &user::Model| !input.email_verified || email_owner::owns_email(holder, policy);
            let holder = email_owner::find_present(reader, key).await?.filter(has_priority);
            if rehearsal.emails.contains(key) || holder.is_some() {
                return Err(user::email_taken().into());
            }
        }
        rehearsal.usernames.insert(username);
        rehearsal.emails.extend(email);
        Ok(())
    }
}
