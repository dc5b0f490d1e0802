//! `changePassword`: another password, for whoever knows the present one.

use chrono::{DateTime, Utc};

use crate::accounts::access::{self, AccessAfter, ApiKeysAfter, OwnAddressLinks, SessionsAfter};
use crate::accounts::account_event::{self, Kind};
use crate::accounts::end::Ended;
use crate::accounts::prove::Claim;
use crate::accounts::{Accounts, Password, identity, queued_mail, user};
use crate::caller::Caller;
use crate::error::{Error, UserError, UserErrorCode};
use crate::store::DatabaseTransaction;

/// What to change, and the proof that one may.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// A username or e-mail address, when nobody is signed in.
    pub identifier: Option<String>,
    /// The present password.
    pub current: Password,
    /// The one to take its place.
    pub new: Password,
    /// Whether the user's other sessions stay live.
    pub keep_other_sessions: bool,
    /// The user's API keys after the change.
    pub api_keys: ApiKeysAfter,
}

/// A new password hash, as its transaction sees it.
#[derive(Clone)]
pub(super) struct Replacement {
    /// The user as they were when it was decided that this may be done.
    pub(super) user: user::Model,
    pub(super) hash: String,
    pub(super) access: AccessAfter,
    pub(super) event: account_event::ActiveModel,
    pub(super) now: DateTime<Utc>,
}

impl Accounts {
    /// Changes the password. The user's other sessions end unless they are kept; API keys stay valid unless they are
    /// ended. An email tells the owner, and lists the keys that stay valid.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `WRONG_CREDENTIALS`, or for a new password that cannot be; [`Error::Forbidden`] for an
    /// API key, or for somebody who may not sign in; [`Error::InvalidToken`] for a rejected credential without an
    /// identifier; [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn change_password(&self, caller: &Caller, input: ChangePassword) -> Result<user::Model, Error> {
        let claim = match (caller.in_person(), input.identifier) {
            (Ok(user), _) => Claim::User(user, "currentPassword"),
            (Err(Error::Unauthenticated | Error::InvalidToken), Some(text)) => {
                Claim::Identifier(identity::identifier("identifier", &text)?)
            }
            (Err(Error::Unauthenticated), None) => {
                let message = "When nobody is signed in, the e-mail address or username is needed.";
                return Err(UserError::of("identifier", UserErrorCode::Required, message).into());
            }
            (Err(error), _) => return Err(error),
        };
        input.current.check_length("currentPassword")?;
        input.new.check_new("newPassword")?;
        let user = self.prove(caller, claim, input.current.clone()).await?.user;
        self.admit(&user)?;
        if input.new == input.current {
            let message = "This is the present password.";
            return Err(UserError::of("newPassword", UserErrorCode::Invalid, message).into());
        }
        let hash = self.hash_for(&user, "newPassword", input.new).await?;
        let sessions = match (input.keep_other_sessions, caller.own_session()) {
            (true, _) => SessionsAfter::Keep,
            (false, Some(own)) => SessionsAfter::EndAllBut(own),
            (false, None) => SessionsAfter::EndAll,
        };
        let access = AccessAfter { sessions, api_keys: input.api_keys, own_address_links: OwnAddressLinks::Keep };
        let event = self.event(caller, user.id, Kind::PasswordChanged).by_owner();
        self.replace_password(Replacement { user, hash, access, event, now: self.clock.now() }).await
    }

    /// The hash of a new password of this user, if it is strong enough.
    pub(super) async fn hash_for(&self, user: &user::Model, field: &str, new: Password) -> Result<String, Error> {
        let texts = [Some(user.username.as_str()), user.email.as_deref(), user.name.as_deref()];
        let personal: Vec<&str> = texts.into_iter().flatten().collect();
        if let Some(fault) = self.password_fault(field, &new, &personal).await? {
            return Err(fault.into());
        }
        self.passwords.hash(new).await
    }

    pub(super) async fn replace_password(&self, replacement: Replacement) -> Result<user::Model, Error> {
        let replaced = self.write_and_end(move |transaction| Box::pin(replacement.clone().run(transaction))).await;
        self.post.wake();
        replaced
    }
}

impl Replacement {
    pub(super) async fn run(self, transaction: &DatabaseTransaction) -> Result<(user::Model, Ended), Error> {
        let id = self.user.id;
        let locked = user::lock(transaction, id).await?;
        // Of two who change it at once, the second no longer knows the present one.
        let same = |now: &user::Model| now.deleted_at.is_none() && now.password_hash == self.user.password_hash;
        let Some(user) = locked.filter(same) else {
            let message = "The account has just changed: try again.".to_owned();
            return Err(UserError { code: UserErrorCode::WrongCredentials, field: None, message }.into());
        };
        user::set_password_hash(transaction, id, self.hash).await?;
        // A person who knew the old password may have asked for links, too.
        let ended = access::end(transaction, &user, self.access, self.now).await?;
        account_event::add(transaction, self.event).await?;
        if let Some(email) = &user.email {
            queued_mail::add(transaction, queued_mail::Kind::PasswordChanged, email, Some(id), self.now).await?;
        }
        Ok((user, ended))
    }
}
