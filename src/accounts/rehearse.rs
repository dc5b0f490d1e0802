//! An import as it would go, without anything being written.

use std::collections::{HashMap, HashSet};

use crate::accounts::{Accounts, AddUser, user, username_skeleton};
use crate::caller::Caller;
use crate::error::Error;

/// The names and addresses that were taken in a rehearsal.
#[derive(Debug, Default)]
pub struct Rehearsal {
    usernames: HashSet<String>,
    emails: HashSet<String>,
    /// By skeleton, whether it is that of ASCII-only usernames.
    skeletons: HashMap<String, bool>,
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
        let (username, name) = (user.username.key, user.username.text);
        if rehearsal.usernames.contains(&username) || user::find_by_username(reader, &username).await?.is_some() {
            return Err(user::username_taken().into());
        }
        let (skeletons, is_ascii) = (normalization::skeletons(&name), name.is_ascii());
        let is_other = |held_by_ascii: &bool| !(is_ascii && *held_by_ascii);
        if skeletons.iter().any(|skeleton| rehearsal.skeletons.get(skeleton).is_some_and(is_other))
            || !username_skeleton::is_free(reader, &name).await?
        {
            return Err(username_skeleton::too_similar().into());
        }
        let email = user.email.map(|email| email.key);
        if let Some(key) = &email
            && (rehearsal.emails.contains(key) || user::find_by_email(reader, key).await?.is_some())
        {
            return Err(user::email_taken().into());
        }
        rehearsal.usernames.insert(username);
        rehearsal.emails.extend(email);
        rehearsal.skeletons.extend(skeletons.into_iter().map(|skeleton| (skeleton, is_ascii)));
        Ok(())
    }
}
