//! `requestPasswordReset` and `resetPassword`: a new password for whoever reads the mails to the account's address.

use crate::accounts::access::AccessAfter;
use crate::accounts::account_event::Kind;
use crate::accounts::change_password::Replacement;
use crate::accounts::email_owner::NewOwner;
use crate::accounts::email_token::{self, Kind::ResetPassword};
use crate::accounts::end::Ended;
use crate::accounts::limits::MailCause;
use crate::accounts::{Accounts, Password, identity, queued_mail, user, verify_email};
use crate::caller::Caller;
use crate::error::Error;
use crate::store::DatabaseTransaction;

impl Accounts {
    /// Sends a link to this address, if it has an account: which is found out later, out of the caller's sight.
    ///
    /// # Errors
    /// [`Error::BadInput`] for what is no address; [`Error::RateLimited`].
    pub async fn request_password_reset(&self, caller: &Caller, email: &str) -> Result<(), Error> {
        let address =
            identity::email("email", email).map_err(|fault| Error::BadInput(format!("email: {}", fault.message)))?;
        match self.limits.count_mail(MailCause::Reset, &caller.origin, &address.key)? {
            true => self.queue(caller, queued_mail::Kind::ResetPassword, address.text, None).await,
            false => Ok(()),
        }
    }

    /// Sets the password of the user for whom the link was sent. All access that was granted before ends: sessions, API
    /// keys and other links. The link also confirms the address to which it was sent, if that is the user's.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `INVALID` or `EXPIRED` for the token, `TAKEN` when somebody else has confirmed the address
    /// by now, or for a password that cannot be; [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn reset_password(&self, caller: &Caller, token: &str, new: Password) -> Result<user::Model, Error> {
        self.limits.login_per_address.count_from(&caller.origin)?;
        new.check_new("newPassword")?;
        let (now, reader) = (self.clock.now(), self.database.reader());
        let token = email_token::require(reader, ResetPassword, token, now).await?;
        let address = identity::email("token", &token.email)
            .map_err(|_| Error::internal(anyhow::anyhow!("a token for no address")))?;
        let found = user::find_by_id(reader, token.user_id).await?.filter(|user| user.deleted_at.is_none());
        let user = found.ok_or_else(email_token::spent)?;
        let hash = self.hash_for(&user, "newPassword", new).await?;
        let event = self.event(caller, user.id, Kind::PasswordReset);
        let owner = self.new_owner(user.id, address);
        let replacement = Replacement { user, hash, access: AccessAfter::NONE, event, now };
        let resetting = Resetting { token, owner: owner.clone(), replacement };
        let (user, others_remain) =
            self.write_and_end(move |transaction| Box::pin(resetting.clone().run(transaction))).await?;
        if others_remain {
            self.take_from_others(&owner).await;
        }
        self.post.wake();
        Ok(user)
    }
}

/// A reset, as its transaction sees it.
#[derive(Clone)]
struct Resetting {
    token: email_token::Model,
    owner: NewOwner,
    replacement: Replacement,
}

impl Resetting {
    /// The user, and whether there may be more accounts that have to lose the address.
    async fn run(mut self, transaction: &DatabaseTransaction) -> Result<((user::Model, bool), Ended), Error> {
        // The users first: in one order, so that no two wait for each other.
        let holders = self.owner.lock(transaction).await?;
        email_token::spend(transaction, &self.token).await?;
        // The link is proof enough, whatever the password has become meanwhile.
        let user = holders.user.clone().filter(|user| user.deleted_at.is_none()).ok_or_else(email_token::spent)?;
        self.replacement.user = user;
        let (user, ended) = self.replacement.run(transaction).await?;
        let is_own = user.email_key.as_ref() == Some(&self.owner.address.key);
        if !is_own || user.email_verified_at.is_some() {
            return Ok(((user, false), ended));
        }
        // Whoever followed the link reads the mails to that address.
        let user = self.owner.confirm(transaction, &holders).await.map_err(verify_email::taken)?;
        Ok(((user, holders.may_be_more()), ended))
    }
}
