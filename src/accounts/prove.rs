//! A password as proof of who somebody is: for `login`, and again before whatever a stolen session must not do.

use sea_orm::ColumnTrait as _;
use sea_orm::sea_query::IntoCondition as _;

use crate::accounts::identity::Identifier;
use crate::accounts::limits::Account;
use crate::accounts::password::Match;
use crate::accounts::user::Column;
use crate::accounts::{Accounts, Password, account_event, session, user};
use crate::caller::{self, Caller};
use crate::config::EmailVerification;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;

/// Whose password it is said to be.
#[derive(Clone)]
pub(super) enum Claim {
    /// Whoever is called this.
    Identifier(Identifier),
    /// The user who is signed in, with the input's field that has the password.
    User(UserId, &'static str),
}

/// Somebody whose password was right.
pub(super) struct Proved {
    pub(super) user: user::Model,
    /// Whether the stored hash is weaker than those made today.
    pub(super) outdated: bool,
}

impl Accounts {
    /// Whose password this is. Whether the user is unknown or the password wrong is not told, in word or time.
    pub(super) async fn prove(&self, caller: &Caller, claim: Claim, password: Password) -> Result<Proved, Error> {
        self.limits.login_per_address.count_from(&caller.origin)?;
        let found = self.find_claimed(&claim).await?;
        let id = found.as_ref().map(|(id, _)| *id);
        self.count_login(caller, &claim, id).await?;
        self.check(caller, &claim, found, password).await
    }

    /// The same once more, of what counted as one attempt.
    pub(super) async fn prove_again(&self, caller: &Caller, claim: Claim, password: Password) -> Result<Proved, Error> {
        let found = self.find_claimed(&claim).await?;
        self.check(caller, &claim, found, password).await
    }

    /// Nobody but the database knows any more that a deleted account was there.
    async fn find_claimed(&self, claim: &Claim) -> Result<Option<(UserId, String)>, Error> {
        let which = match claim {
            Claim::Identifier(Identifier::Username(key)) => Column::UsernameKey.eq(key).into_condition(),
            Claim::Identifier(Identifier::Email(key)) => Column::EmailKey.eq(key).into_condition(),
            Claim::User(id, _) => Column::Id.eq(*id).into_condition(),
        };
        user::find_hash(self.database.reader(), which).await
    }

    async fn check(
        &self,
        caller: &Caller,
        claim: &Claim,
        found: Option<(UserId, String)>,
        password: Password,
    ) -> Result<Proved, Error> {
        let (id, hash) = found.unzip();
        let matched = self.passwords.matches(password, hash.as_deref()).await?;
        let wrong = match claim {
            Claim::Identifier(_) => anywhere(),
            Claim::User(_, field) => in_field(field),
        };
        // Made for nobody, too, since it takes its time.
        let failed = self.event(caller, id.unwrap_or_else(nobody), account_event::Kind::LoginFailed);
        let (Some(id), Some(password_hash)) = (id, hash) else { return Err(wrong.into()) };
        if matched == Match::No {
            // Written down later, since nothing is for somebody who does not exist.
            self.notes.add(failed);
            return Err(wrong.into());
        }
        let user = user::find_by_id(self.database.reader(), id).await?.filter(|user| user.deleted_at.is_none());
        // With the hash that was checked: whoever changes the user sees whether it still is the one.
        let user = user::Model { password_hash, ..user.ok_or(wrong)? };
        Ok(Proved { user, outdated: matched == Match::YesButOutdated })
    }

    /// Strangers share a bucket for an account; an address from which its owner signed in has one of its own, so that
    /// the others' failures do not lock the owner out.
    async fn count_login(&self, caller: &Caller, claim: &Claim, found: Option<UserId>) -> Result<(), Error> {
        // By what was typed: were a username and its address one bucket, then filling it by the one would tell the
        // other, which is not public.
        let account = match claim {
            Claim::User(id, _) => Account::Of(*id),
            Claim::Identifier(Identifier::Username(key) | Identifier::Email(key)) => Account::Called(key.clone()),
        };
        let Err(refusal) = self.limits.login_per_account.count(&account) else { return Ok(()) };
        let Some(block) = caller.origin.block() else { return Err(refusal) };
        let user = found.unwrap_or_else(nobody);
        let known = session::list_addresses(self.database.reader(), user).await?;
        match known.iter().any(|known| caller::block(*known) == block) {
            true => self.limits.login_from_known_address.count(&(user, block)),
            false => Err(refusal),
        }
    }

    /// Whether somebody whose password was right may sign in.
    pub(super) fn admit(&self, user: &user::Model) -> Result<(), Error> {
        let policy = self.settings.email_verification;
        let unverified = user.email.is_some() && user.email_verified_at.is_none();
        let required = policy == EmailVerification::Required && unverified;
        if user.unconfirmed_until.is_some() || required {
            let message = "Confirm your e-mail address first: follow the link in the mail that was sent to it.";
            return Err(Error::Forbidden(message.to_owned()));
        }
        match user.suspended_at {
            Some(_) => Err(Error::Forbidden("This account is suspended.".to_owned())),
            None => Ok(()),
        }
    }
}

/// An id that no user has.
fn nobody() -> UserId {
    uuid::Uuid::nil().into()
}

/// At login: neither is said to be the wrong one.
fn anywhere() -> UserError {
    let message = "The identifier or the password is wrong.".to_owned();
    UserError { code: UserErrorCode::WrongCredentials, field: None, message }
}

/// For somebody who is signed in, only the password can be wrong.
fn in_field(field: &str) -> UserError {
    UserError::of(field, UserErrorCode::WrongCredentials, "The password is wrong.")
}
