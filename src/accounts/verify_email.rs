//! E-mail addresses: `changeEmail`, `sendVerificationEmail` and `verifyEmail`.
//!
//! An address becomes somebody's when they have followed the link in a mail to it and shown that the account is theirs, at
//! sign-up and at every change. The link alone proves the mailbox: its reader may not be the one who made the account.
//! Whether a new address has an account already is told to its owner alone, in that mail.

use crate::accounts::account_event::Kind;
use crate::accounts::email_owner::NewOwner;
use crate::accounts::email_token::{self, Kind::VerifyEmail};
use crate::accounts::limits::MailCause;
use crate::accounts::prove::Claim;
use crate::accounts::{Accounts, Password, account_event, identity, queued_mail, user};
use crate::caller::Caller;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;
use crate::store::DatabaseTransaction;

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
        self.limits.count_mail_of(MailCause::Change, &caller.origin, &address.key, id)?;
        let event = self.event(caller, id, Kind::EmailChangeRequested);
        self.queue(caller, queued_mail::Kind::VerifyEmail, address.text, Some(event)).await?;
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
        self.limits.count_mail_of(MailCause::Resend, &caller.origin, &key, id)?;
        let event = self.event(caller, id, Kind::VerificationRequested);
        self.queue(caller, queued_mail::Kind::VerifyEmail, text, Some(event)).await?;
        Ok(true)
    }

    /// Sends the link once more to somebody who has given the right password, and says so: the error of the login.
    pub(super) async fn send_link_at_login(&self, caller: &Caller, user: &user::Model) -> Result<Error, Error> {
        let refusal = self.admit(user).err().unwrap_or(Error::Unauthenticated);
        let (Some(text), Some(key)) = (&user.email, &user.email_key) else {
            let message = "Confirm an e-mail address first: sign up once more with this username and password, and an \
                           address that nobody else has confirmed.";
            return Ok(Error::Forbidden(message.to_owned()));
        };
        if self.limits.count_mail_of(MailCause::Login, &caller.origin, key, user.id).is_err() {
            return Ok(refusal);
        }
        let event = self.event(caller, user.id, Kind::VerificationRequested).by_owner();
        self.queue(caller, queued_mail::Kind::VerifyEmail, text.clone(), Some(event)).await?;
        let message = "Confirm your e-mail address first: a mail with a new link is on its way to it.";
        Ok(Error::Forbidden(message.to_owned()))
    }

    /// Makes the address to which the link was sent that of the user for whom it was sent, if the caller is that user or
    /// knows their password. Other accounts with the address lose it.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `INVALID` or `EXPIRED` for the token, `REQUIRED` or `WRONG_CREDENTIALS` for the password,
    /// which leave the token as it is, `TAKEN` when somebody else has confirmed the address by now;
    /// [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn verify_email(
        &self,
        caller: &Caller,
        token: &str,
        password: Option<Password>,
    ) -> Result<user::Model, Error> {
        let now = self.clock.now();
        let token = email_token::require(self.database.reader(), VerifyEmail, token, now).await?;
        // An earlier version sent links to addresses that are refused now.
        let address = identity::email("token", &token.email).map_err(|_| email_token::spent())?;
        let user = user::find_by_id(self.database.reader(), token.user_id).await?;
        user.filter(|user| user.deleted_at.is_none()).ok_or_else(email_token::spent)?;
        if caller.in_person().ok() != Some(token.user_id) {
            self.prove_owner(caller, token.user_id, password).await?;
        }
        let confirming = Confirming {
            verified: self.event(caller, token.user_id, Kind::EmailVerified),
            changed: self.event(caller, token.user_id, Kind::EmailChanged),
            owner: self.new_owner(token.user_id, address),
            token,
        };
        let owner = confirming.owner.clone();
        let (user, others_remain) =
            self.database.write(move |transaction| Box::pin(confirming.clone().run(transaction))).await?;
        if others_remain {
            self.take_from_others(&owner).await;
        }
        self.post.wake();
        Ok(user)
    }

    /// Has somebody who shows a link prove the account as well, by its password.
    pub(super) async fn prove_owner(
        &self,
        caller: &Caller,
        user: UserId,
        password: Option<Password>,
    ) -> Result<(), Error> {
        let Some(password) = password else {
            let message = "The password of the account is needed, or a session of it.";
            return Err(UserError::of("password", UserErrorCode::Required, message).into());
        };
        password.check_length("password")?;
        self.prove(caller, Claim::User(user, "password"), password).await.map(drop)
    }

    /// Queues a mail that the caller asked for, within the limits. The event is about the user whom the mail concerns.
    /// Without one, the mail concerns the holder of the address, who is looked up when the mail is sent; the request is
    /// added to their audit log then.
    pub(super) async fn queue(
        &self,
        caller: &Caller,
        kind: queued_mail::Kind,
        recipient: String,
        event: Option<account_event::ActiveModel>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let user = event.as_ref().and_then(|event| event.user_id.try_as_ref().copied());
        let requested_from = caller.origin.address.filter(|_| user.is_none()).map(|address| address.to_string());
        let queued = self.database.write(move |transaction| {
            let (recipient, event, detail) = (recipient.clone(), event.clone(), requested_from.clone());
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

/// An address about to be confirmed, as its transaction sees it.
#[derive(Clone)]
struct Confirming {
    token: email_token::Model,
    owner: NewOwner,
    verified: account_event::ActiveModel,
    changed: account_event::ActiveModel,
}

impl Confirming {
    /// The user, and whether there may be more accounts that have to lose the address.
    async fn run(self, transaction: &DatabaseTransaction) -> Result<(user::Model, bool), Error> {
        // The users first: in one order, so that no two wait for each other.
        let holders = self.owner.lock(transaction).await?;
        let before = holders.user.clone().filter(|user| user.deleted_at.is_none()).ok_or_else(email_token::spent)?;
        email_token::spend(transaction, &self.token).await?;
        let is_other = before.email_key.as_ref() != Some(&self.owner.address.key);
        // The first address of a new account is not told as a change.
        let is_change = is_other && before.unconfirmed_until.is_none();
        let user = self.owner.confirm(transaction, &holders).await.map_err(taken)?;
        // A link to another address, or one yet to be sent, would take the account there.
        email_token::remove_all(transaction, VerifyEmail, user.id).await?;
        queued_mail::remove_changes(transaction, user.id, None).await?;
        account_event::add(transaction, if is_change { self.changed } else { self.verified }).await?;
        if let Some(address) = before.email.filter(|_| is_other) {
            // A link to the old address opens this account no longer.
            email_token::remove_all(transaction, email_token::Kind::ResetPassword, user.id).await?;
            let kind = match before.email_verified_at {
                Some(_) => queued_mail::Kind::EmailChanged,
                None => queued_mail::Kind::UnconfirmedEmailChanged,
            };
            queued_mail::add(transaction, kind, &address, Some(user.id), self.owner.now()).await?;
        }
        Ok((user, holders.may_be_more()))
    }
}

pub(super) fn taken(error: Error) -> Error {
    match error {
        Error::Invalid(_) => {
            let message = "Somebody else has this address by now.";
            UserError::of("token", UserErrorCode::Taken, message).into()
        }
        error => error,
    }
}
