//! E-mail addresses: `changeEmail`, `sendVerificationEmail` and `verifyEmail`.
//!
//! An address becomes somebody's when they have followed the link in a mail to it, at sign-up and at every change.
//! Whether a new address has an account already is told to its owner alone, in that mail.

use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;

use crate::accounts::account_event::{self, Kind};
use crate::accounts::email_token::{self, Kind::VerifyEmail};
use crate::accounts::prove::Claim;
use crate::accounts::{Accounts, Password, identity, queued_mail, user};
use crate::caller::Caller;
use crate::error::{Error, UserError, UserErrorCode};

impl Accounts {
    /// Sends a link to `new_email`; once it is followed, that is the caller's address, and the old one is told.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key; [`Error::Invalid`] with `WRONG_CREDENTIALS`,
    /// or for an address that is none or is theirs already; [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn change_email(
        &self,
        caller: &Caller,
        new_email: &str,
        password: Password,
    ) -> Result<user::Model, Error> {
        let id = caller.in_person()?;
        let address = identity::email("newEmail", new_email)?;
        password.check_length("password")?;
        let user = self.prove(caller, Claim::User(id, "password"), password).await?.user;
        if user.email_key.as_ref() == Some(&address.key) && user.email_verified_at.is_some() {
            let message = "This is your address already.";
            return Err(UserError::of("newEmail", UserErrorCode::Invalid, message).into());
        }
        let event = self.event(caller, id, Kind::EmailChangeRequested);
        self.queue(caller, queued_mail::Kind::VerifyEmail, address, Some(event)).await?;
        Ok(user)
    }

    /// Sends the link to the caller's own address once more; false if there is nothing to confirm.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key; [`Error::RateLimited`].
    pub async fn send_verification_email(&self, caller: &Caller) -> Result<bool, Error> {
        let id = caller.in_person()?;
        let user = user::find_by_id(self.database.reader(), id).await?.ok_or(Error::Unauthenticated)?;
        let (Some(text), Some(key), None) = (user.email, user.email_key, user.email_verified_at) else {
            return Ok(false);
        };
        let event = self.event(caller, id, Kind::VerificationRequested);
        self.queue(caller, queued_mail::Kind::VerifyEmail, identity::Identity { text, key }, Some(event)).await?;
        Ok(true)
    }

    /// Makes the address to which the link was sent that of the user for whom it was sent.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `INVALID` or `EXPIRED` for the token, `TAKEN` when somebody else has the address by now.
    pub async fn verify_email(&self, caller: &Caller, token: &str) -> Result<user::Model, Error> {
        let now = self.clock.now();
        let token = email_token::require(self.database.reader(), VerifyEmail, token, now).await?;
        let address = identity::email("token", &token.email)
            .map_err(|_| Error::internal(anyhow::anyhow!("a token for no address")))?;
        let verified = self.event(caller, token.user_id, Kind::EmailVerified);
        let changed = self.event(caller, token.user_id, Kind::EmailChanged);
        let user = self.database.write(move |transaction| {
            let (token, address) = (token.clone(), address.clone());
            let (verified, changed) = (verified.clone(), changed.clone());
            Box::pin(async move {
                // The user first: in one order, so that no two wait for each other.
                let locked = user::lock(transaction, token.user_id).await?;
                let user = locked.filter(|user| user.deleted_at.is_none()).ok_or_else(email_token::spent)?;
                email_token::spend(transaction, &token).await?;
                let is_other = user.email_key.as_ref() != Some(&address.key);
                // The first address of a new account is not told as a change.
                let is_change = is_other && user.unconfirmed_until.is_none();
                let before = user.email.filter(|_| is_other);
                let row = user::ActiveModel {
                    id: Set(user.id),
                    email: Set(Some(address.text)),
                    email_key: Set(Some(address.key)),
                    email_verified_at: Set(Some(now)),
                    unconfirmed_until: Set(None),
                    updated_at: Set(now),
                    ..Default::default()
                };
                let user = row.update(transaction).await.map_err(|error| taken(user::taken(error)))?;
                // A link to another address, or one yet to be sent, would take the account there.
                email_token::remove_all(transaction, VerifyEmail, user.id).await?;
                queued_mail::remove_changes(transaction, user.id, None).await?;
                account_event::add(transaction, if is_change { changed } else { verified }).await?;
                if let Some(before) = before {
                    // A link to the old address opens this account no longer.
                    email_token::remove_all(transaction, email_token::Kind::ResetPassword, user.id).await?;
                    queued_mail::add(transaction, queued_mail::Kind::EmailChanged, &before, Some(user.id), now).await?;
                }
                Ok(user)
            })
        });
        let user = user.await?;
        self.post.wake();
        Ok(user)
    }

    /// Queues a mail that the caller asked for, within the limits of the caller and of the recipient. The event is about
    /// the user whom the mail concerns. Without one, the mail concerns the holder of the address, who is looked up when
    /// the mail is sent; the request is added to their audit log then.
    pub(super) async fn queue(
        &self,
        caller: &Caller,
        kind: queued_mail::Kind,
        address: identity::Identity,
        event: Option<account_event::ActiveModel>,
    ) -> Result<(), Error> {
        self.limits.mail_per_address.count_from(&caller.origin)?;
        self.limits.mail_per_account.count(&address.key)?;
        let now = self.clock.now();
        let user = event.as_ref().and_then(|event| event.user_id.try_as_ref().copied());
        let requested_from = caller.origin.address.filter(|_| user.is_none()).map(|address| address.to_string());
        let queued = self.database.write(move |transaction| {
            let (recipient, event, detail) = (address.text.clone(), event.clone(), requested_from.clone());
            Box::pin(async move {
                // The user first: in one order, so that no two wait for each other.
                if let Some(user) = user {
                    user::lock_row(transaction, user).await?;
                }
                queued_mail::add_about(transaction, kind, &recipient, user, detail, now).await?;
                match event {
                    Some(event) => account_event::add(transaction, event).await,
                    None => Ok(()),
                }
            })
        });
        queued.await?;
        self.post.wake();
        Ok(())
    }
}

fn taken(error: Error) -> Error {
    match error {
        Error::Invalid(_) => {
            let message = "Somebody else has this address by now.";
            UserError::of("token", UserErrorCode::Taken, message).into()
        }
        error => error,
    }
}
