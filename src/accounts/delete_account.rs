//! `deleteAccount` and `restoreAccount`: a person leaves, and may come back.
//!
//! At once they are gone for everybody: no session, no API key, no login, in no list. For `deletion_grace_days` their
//! username stays taken, and so does their address until somebody else confirms it. During that time they can bring the
//! account back with the link in the mail that tells them so, or with their password; if an operator has deleted it, only
//! an operator can (`cloakroom users restore`). Then the sweep purges all that is theirs (`purge.rs`): sessions, keys,
//! counters, photos, audit log. What remains is their id where they acted on others as an administrator, and whatever
//! backups and the server's log hold.

use chrono::{DateTime, TimeDelta, Utc};

use crate::accounts::account_event::{self, Kind};
use crate::accounts::administer::last_admin;
use crate::accounts::end::{self, Ended};
use crate::accounts::limits::MailCause;
use crate::accounts::prove::{Claim, in_field};
use crate::accounts::{Accounts, Password, queued_mail, user};
use crate::caller::Caller;
use crate::error::Error;
use crate::id::UserId;
use crate::store::DatabaseTransaction;

/// An account that was deleted.
#[derive(Clone, Copy, Debug)]
pub struct Deleted {
    /// Whose it was.
    pub id: UserId,
    /// Until when they can bring it back.
    pub restorable_until: DateTime<Utc>,
}

/// A deletion, as its transaction sees it.
#[derive(Clone)]
struct Deletion {
    id: UserId,
    event: account_event::ActiveModel,
    now: DateTime<Utc>,
    /// The password's hash, as it was when the password was checked; `None` if an operator deletes it.
    proved_hash: Option<String>,
    /// Until when the user can bring the account back; `None` if an operator deletes it.
    restorable_until: Option<DateTime<Utc>>,
    sends_mail: bool,
}

impl Accounts {
    /// Deletes the caller's own account, and tells them by mail until when they can bring it back.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key; [`Error::Invalid`] with `WRONG_CREDENTIALS`, or
    /// with `CONFLICT` for the last administrator; [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn delete_account(&self, caller: &Caller, password: Password) -> Result<Deleted, Error> {
        let id = caller.in_person()?;
        password.check_length("password")?;
        let user = self.prove(caller, Claim::User(id, "password"), password).await?.user;
        let now = self.clock.now();
        let restorable_until = now + TimeDelta::days(self.settings.deletion_grace_days.into());
        // Who deletes account after account sends their addresses no more mails than others.
        let sends_mail = user
            .email_key
            .as_ref()
            .is_some_and(|mailbox| self.limits.count_mail_of(MailCause::Deletion, &caller.origin, mailbox, id).is_ok());
        let event = self.event(caller, id, Kind::AccountDeleted);
        let proved_hash = Some(user.password_hash);
        self.delete(Deletion { id, event, now, proved_hash, restorable_until: Some(restorable_until), sends_mail })
            .await?;
        Ok(Deleted { id, restorable_until })
    }

    /// Deletes a user as an operator does.
    ///
    /// # Errors
    /// [`Error::NotFound`] for whom nobody knows; [`Error::Invalid`] with `CONFLICT` for the last administrator.
    pub(super) async fn delete_by_operator(&self, caller: &Caller, id: UserId) -> Result<(), Error> {
        let event = self.event(caller, id, Kind::AccountDeleted);
        let now = self.clock.now();
        self.delete(Deletion { id, event, now, proved_hash: None, restorable_until: None, sends_mail: true }).await
    }

    async fn delete(&self, deletion: Deletion) -> Result<(), Error> {
        let deleted = self.write_and_end(move |transaction| Box::pin(deletion.clone().run(transaction))).await;
        self.post.wake();
        deleted
    }
}

impl Deletion {
    async fn run(self, transaction: &DatabaseTransaction) -> Result<((), Ended), Error> {
        let Self { id, event, now, proved_hash, restorable_until, sends_mail } = self;
        let (admins, user) = user::lock_admins_and(transaction, id).await?;
        if admins == [id] {
            return Err(last_admin(None).into());
        }
        let user = user.ok_or(Error::NotFound("user"))?;
        // Of a deletion and a reset at once, the reset stands: the old password no longer deletes anything.
        if proved_hash.is_some_and(|hash| hash != user.password_hash) {
            return Err(in_field("password").into());
        }
        // The rest, if there are more, is refused as well: the user may not act. Before one is reinstated it is ended.
        end::some_sessions(transaction, id, now).await?;
        // Whoever is deleted twice does not stay longer.
        if user.deleted_at.is_none() {
            user::set_deleted(transaction, id, now, restorable_until).await?;
            account_event::add(transaction, event).await?;
            if let Some(email) = user.email.filter(|_| sends_mail) {
                queued_mail::add(transaction, queued_mail::Kind::AccountDeleted, &email, Some(id), now).await?;
            }
        }
        Ok(((), Ended::user()))
    }
}
