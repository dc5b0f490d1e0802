//! A password as proof of who somebody is: for `login`, and again before whatever a stolen session must not do.

use crate::accounts::identity::Identifier;
use crate::accounts::limits::{self, Account};
use crate::accounts::password::Match;
use crate::accounts::{Accounts, Password, account_event, session, user};
use crate::caller::Caller;
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
        self.count_login(caller, &claim, found.as_ref()).await?;
        self.check(caller, &claim, found, password).await
    }

    /// The same once more, of what counted as one attempt.
    pub(super) async fn prove_again(&self, caller: &Caller, claim: Claim, password: Password) -> Result<Proved, Error> {
        let found = self.find_claimed(&claim).await?;
        self.check(caller, &claim, found, password).await
    }

    async fn find_claimed(&self, claim: &Claim) -> Result<Option<user::Model>, Error> {
        let reader = self.database.reader();
        let found = match claim {
            Claim::Identifier(Identifier::Username(key)) => user::find_by_username(reader, key).await?,
            // A sign-up with an address that is known makes an account without it. One that nobody confirmed must be
            // as hard to find by its address, or a login after the sign-up would tell the two apart.
            Claim::Identifier(Identifier::Email(key)) => {
                user::find_by_email(reader, key).await?.filter(|user| user.unconfirmed_until.is_none())
            }
            Claim::User(id, _) => user::find_by_id(reader, *id).await?,
        };
        // Nobody but the database knows any more that a deleted account was there.
        Ok(found.filter(|user| user.deleted_at.is_none()))
    }

    async fn check(
        &self,
        caller: &Caller,
        claim: &Claim,
        found: Option<user::Model>,
        password: Password,
    ) -> Result<Proved, Error> {
        let wrong = match claim {
            Claim::Identifier(_) => anywhere(),
            Claim::User(_, field) => in_field(field),
        };
        let hash = found.as_ref().map(|user| user.password_hash.as_str());
        let matched = self.passwords.matches(password, hash).await?;
        match found {
            Some(user) if matched != Match::No => Ok(Proved { user, outdated: matched == Match::YesButOutdated }),
            Some(user) => {
                let failed = self.event(caller, user.id, account_event::Kind::LoginFailed);
                // Written down later, since nothing is for somebody who does not exist.
                self.notes.add(failed);
                Err(wrong.into())
            }
            None => Err(wrong.into()),
        }
    }

    /// Strangers share a bucket for an account; an address from which its owner signed in has one of its own, so that
    /// the others' failures do not lock the owner out.
    async fn count_login(&self, caller: &Caller, claim: &Claim, found: Option<&user::Model>) -> Result<(), Error> {
        // By what was typed: were a username and its address one bucket, then filling it by the one would tell the
        // other, which is not public.
        let account = match claim {
            Claim::User(id, _) => Account::Of(*id),
            Claim::Identifier(Identifier::Username(key) | Identifier::Email(key)) => Account::Called(key.clone()),
        };
        let Err(refusal) = self.limits.login_per_account.count(&account) else { return Ok(()) };
        let Some(address) = caller.origin.address.map(limits::block) else { return Err(refusal) };
        let user = found.map_or(UserId::from(uuid::Uuid::nil()), |user| user.id);
        let known = session::list_addresses(self.database.reader(), user).await?;
        match known.iter().any(|known| limits::block(*known) == address) {
            true => self.limits.login_from_known_address.count(&(user, address)),
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

/// At login: neither is said to be the wrong one.
fn anywhere() -> UserError {
    let message = "The identifier or the password is wrong.".to_owned();
    UserError { code: UserErrorCode::WrongCredentials, field: None, message }
}

/// For somebody who is signed in, only the password can be wrong.
fn in_field(field: &str) -> UserError {
    UserError::of(field, UserErrorCode::WrongCredentials, "The password is wrong.")
}
