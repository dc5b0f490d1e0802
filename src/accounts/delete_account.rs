//! `deleteAccount`: a person leaves.
//!
//! At once they are gone for everybody: no session, no API key, no login, in no list. For `deletion_grace_days` an
//! operator can bring them back (`cloakroom users restore`), and their username and address stay taken; then the
//! sweep purges all that is theirs (`purge.rs`): sessions, keys, counters, photos, audit log. What remains is their
//! id where they acted on others as an administrator, and whatever backups and the server's log hold.

use chrono::{DateTime, Utc};

use crate::accounts::administer::last_admin;
use crate::accounts::end::{self, Ended};
use crate::accounts::prove::Claim;
use crate::accounts::{Accounts, Password, user};
use crate::caller::Caller;
use crate::error::Error;
use crate::id::UserId;
use crate::store::DatabaseTransaction;

impl Accounts {
    /// Deletes the caller's own account.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key; [`Error::Invalid`] with `WRONG_CREDENTIALS`, or
    /// with `CONFLICT` for the last administrator; [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn delete_account(&self, caller: &Caller, password: Password) -> Result<UserId, Error> {
        let id = caller.in_person()?;
        password.check_length("password")?;
        self.prove(caller, Claim::User(id, "password"), password).await?;
        self.delete(id).await
    }

    /// # Errors
    /// [`Error::NotFound`] for whom nobody knows; [`Error::Invalid`] with `CONFLICT` for the last administrator.
    pub(super) async fn delete(&self, id: UserId) -> Result<UserId, Error> {
        let now = self.clock.now();
        self.write_and_end(move |transaction| Box::pin(delete(transaction, id, now))).await
    }
}

async fn delete(transaction: &DatabaseTransaction, id: UserId, now: DateTime<Utc>) -> Result<(UserId, Ended), Error> {
    let (admins, user) = user::lock_admins_and(transaction, id).await?;
    if admins == [id] {
        return Err(last_admin(None).into());
    }
    let user = user.ok_or(Error::NotFound("user"))?;
    // The rest, if there are more, is refused as well: the user may not act. Before the account is restored it is ended.
    end::some_sessions(transaction, id, now).await?;
    // Whoever is deleted twice does not stay longer.
    if user.deleted_at.is_none() {
        user::set_deleted(transaction, id, now).await?;
    }
    Ok((id, Ended::user()))
}
