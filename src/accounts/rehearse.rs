//! An import as it would go, without anything being written.

use std::collections::HashSet;

use crate::accounts::{Accounts, AddUser, user};
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
        if let Some(key) = &email
            && (rehearsal.emails.contains(key) || user::find_by_email(reader, key).await?.is_some())
        {
            return Err(user::email_taken().into());
        }
        rehearsal.usernames.insert(username);
        rehearsal.emails.extend(email);
        Ok(())
    }
}
