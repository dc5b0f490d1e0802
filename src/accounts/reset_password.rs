//! `requestPasswordReset` and `resetPassword`: a new password for whoever reads the mails to the account's address.

use crate::accounts::access::AccessAfter;
use crate::accounts::account_event::Kind;
use crate::accounts::change_password::Replacement;
use crate::accounts::email_token::{self, Kind::ResetPassword};
use crate::accounts::end::Ended;
use crate::accounts::{Accounts, Password, identity, queued_mail, user};
use crate::caller::Caller;
use crate::error::Error;

impl Accounts {
    /// Sends a link to this address, if it has an account: which is found out later, out of the caller's sight.
    ///
    /// # Errors
    /// [`Error::BadInput`] for what is no address; [`Error::RateLimited`].
    pub async fn request_password_reset(&self, caller: &Caller, email: &str) -> Result<(), Error> {
        let address =
            identity::email("email", email).map_err(|fault| Error::BadInput(format!("email: {}", fault.message)))?;
        self.queue(caller, queued_mail::Kind::ResetPassword, address, None).await
    }

    /// Sets the password of the user for whom the link was sent. All access that was granted before ends: sessions,
    /// API keys and other links.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `INVALID` or `EXPIRED` for the token, or for a password that cannot be;
    /// [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn reset_password(&self, caller: &Caller, token: &str, new: Password) -> Result<user::Model, Error> {
        self.limits.login_per_address.count_from(&caller.origin)?;
        new.check_new("newPassword")?;
        let (now, reader) = (self.clock.now(), self.database.reader());
        let token = email_token::require(reader, ResetPassword, token, now).await?;
        let found = user::find_by_id(reader, token.user_id).await?.filter(|user| user.deleted_at.is_none());
        let user = found.ok_or_else(email_token::spent)?;
        let hash = self.hash_for(&user, "newPassword", new).await?;
        let event = self.event(caller, user.id, Kind::PasswordReset);
        let replacement = Replacement { user, hash, access: AccessAfter::NONE, event, now };
        let replaced = self.write_and_end(move |transaction| {
            let (token, mut replacement) = (token.clone(), replacement.clone());
            Box::pin(async move {
                // The user first: in one order, so that no two wait for each other.
                let locked = user::lock(transaction, token.user_id).await?;
                email_token::spend(transaction, &token).await?;
                // The link is proof enough, whatever the password has become meanwhile.
                replacement.user = locked.filter(|user| user.deleted_at.is_none()).ok_or_else(email_token::spent)?;
                let (mut user, ended): (user::Model, Ended) = replacement.run(transaction).await?;
                // Whoever followed the link reads the mails to that address.
                if user.email.as_ref() == Some(&token.email) && user.email_verified_at.is_none() {
                    user::set_email_verified(transaction, user.id, now).await?;
                    user.email_verified_at = Some(now);
                }
                Ok((user, ended))
            })
        });
        let user = replaced.await?;
        self.post.wake();
        Ok(user)
    }
}
