//! A password as proof of who somebody is: for `login`, and again before whatever a stolen session must not do.

use crate::accounts::identity::Identifier;
use crate::accounts::password::Match;
use crate::accounts::{Accounts, Password, account_event, limits, session, user};
use crate::caller::Caller;
use crate::config::EmailVerification;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;

/// Whose password it is said to be.
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
        let reader = self.database.reader();
        let (found, wrong) = match &claim {
            Claim::Identifier(Identifier::Username(key)) => (user::find_by_username(reader, key).await?, anywhere()),
            Claim::Identifier(Identifier::Email(key)) => (user::find_by_email(reader, key).await?, anywhere()),
            Claim::User(id, field) => (user::find_by_id(reader, *id).await?, in_field(field)),
        };
        // Nobody but the database knows any more that a deleted account was there.
        let found = found.filter(|user| user.deleted_at.is_none());
        self.count_login(caller, &claim, found.as_ref()).await?;

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
        let key = match (found, claim) {
            (Some(user), _) => user.id.to_string(),
            (None, Claim::User(id, _)) => id.to_string(),
            (None, Claim::Identifier(Identifier::Username(key) | Identifier::Email(key))) => key.clone(),
        };
        let Err(refusal) = self.limits.login_per_account.count(&key) else { return Ok(()) };
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
