//! A password as proof of who somebody is: for `login`, and again before whatever a stolen session must not do.

use sea_orm::ColumnTrait as _;
use sea_orm::sea_query::IntoCondition as _;

use crate::accounts::email_owner::Credential;
use crate::accounts::identity::Identifier;
use crate::accounts::limits::Account;
use crate::accounts::password::Match;
use crate::accounts::user::Column;
use crate::accounts::{Accounts, Password, account_event, email_owner, session, user};
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
        let candidates = self.find_claimed(&claim).await?;
        self.count_login(caller, &claim, claimed_id(&candidates)).await?;
        self.check(caller, &claim, candidates, password).await
    }

    /// The same once more, of what counted as one attempt.
    pub(super) async fn prove_again(&self, caller: &Caller, claim: Claim, password: Password) -> Result<Proved, Error> {
        let candidates = self.find_claimed(&claim).await?;
        self.check(caller, &claim, candidates, password).await
    }

    /// The users whose password it may be: as many of them, and thus as many hashes, whoever is known. Nobody but the
    /// database knows any more that a deleted account was there.
    ///
    /// An address is its owner's, or else that of the newest user who gave it. Where confirmation is required, both are
    /// tried. Otherwise somebody could sign up with an address and ask here whether it has another owner.
    async fn find_claimed(&self, claim: &Claim) -> Result<Vec<Option<Credential>>, Error> {
        let reader = self.database.reader();
        let which = match claim {
            Claim::Identifier(Identifier::Email(key)) => {
                let (owner, newest) = email_owner::find_hashes(reader, key).await?;
                let required = self.settings.email_verification == EmailVerification::Required;
                return Ok(match required {
                    // The owner last: that account is meant if both have this password.
                    true => vec![newest, owner],
                    false => vec![owner.or(newest)],
                });
            }
            Claim::Identifier(Identifier::Username(key)) => Column::UsernameKey.eq(key).into_condition(),
            Claim::User(id, _) => Column::Id.eq(*id).into_condition(),
        };
        Ok(vec![user::find_hash(reader, which).await?])
    }

    async fn check(
        &self,
        caller: &Caller,
        claim: &Claim,
        candidates: Vec<Option<Credential>>,
        password: Password,
    ) -> Result<Proved, Error> {
        let wrong = match claim {
            Claim::Identifier(_) => anywhere(),
            Claim::User(_, field) => in_field(field),
        };
        let claimed = claimed_id(&candidates);
        // Made for nobody, too, since it takes its time.
        let failed = self.event(caller, claimed.unwrap_or_else(nobody), account_event::Kind::LoginFailed);
        // All of them, whichever is right: the number of hashes tells nothing. The owner of an address comes last.
        let mut proved = None;
        for candidate in candidates {
            let (id, hash) = candidate.unzip();
            let matched = self.passwords.matches(password.clone(), hash.as_deref()).await?;
            if let (Some(id), Some(hash), Match::Yes | Match::YesButOutdated) = (id, hash, matched) {
                proved = Some((id, hash, matched == Match::YesButOutdated));
            }
        }
        if let Some((id, password_hash, outdated)) = proved {
            let user = user::find_by_id(self.database.reader(), id).await?.filter(|user| user.deleted_at.is_none());
            // With the hash that was checked: whoever changes the user sees whether it still is the one.
            let user = user::Model { password_hash, ..user.ok_or(wrong)? };
            return Ok(Proved { user, outdated });
        }
        if claimed.is_some() {
            // Written down later, since nothing is for somebody who does not exist.
            self.notes.add(failed);
        }
        Err(wrong.into())
    }

    /// Strangers share a bucket for an account. An address from which its owner signed in, or reset the password by
    /// mail, has one of its own, and so has, within a bound, each new address: the others' failures do not lock the
    /// owner out, at home or elsewhere.
    pub(super) async fn count_login(&self, caller: &Caller, claim: &Claim, found: Option<UserId>) -> Result<(), Error> {
        // By what was typed: were a username and its address one bucket, then filling it by the one would tell the
        // other, which is not public.
        let account = match claim {
            Claim::User(id, _) => Account::Of(*id),
            Claim::Identifier(Identifier::Username(key) | Identifier::Email(key)) => Account::Called(key.clone()),
        };
        let Err(refusal) = self.limits.login_per_account.count(&account) else { return Ok(()) };
        let Some(block) = caller.origin.block() else { return Err(refusal) };
        let user = found.unwrap_or_else(nobody);
        let mut known = session::list_addresses(self.database.reader(), user).await?;
        known.extend(account_event::list_reset_addresses(self.database.reader(), user).await?);
        match known.iter().any(|known| caller::block(*known) == block) {
            true => self.limits.login_from_known_address.count(&(user, block)),
            false => self.limits.count_new_address(&account, block).map_err(|()| refusal),
        }
    }

    /// Whether somebody whose password was right may sign in.
    pub(super) fn admit(&self, user: &user::Model) -> Result<(), Error> {
        if self.must_confirm(user) {
            let message = "Confirm your e-mail address first: follow the link in the mail that was sent to it.";
            return Err(Error::Forbidden(message.to_owned()));
        }
        match user.suspended_at {
            Some(_) => Err(Error::Forbidden("This account is suspended.".to_owned())),
            None => Ok(()),
        }
    }
}

impl Accounts {
    /// Whether somebody has to confirm their address before they may sign in.
    pub(super) fn must_confirm(&self, user: &user::Model) -> bool {
        let unverified = user.email.is_some() && user.email_verified_at.is_none();
        let required = self.settings.email_verification == EmailVerification::Required && unverified;
        user.unconfirmed_until.is_some() || required
    }
}

/// The user whose attempts these are: of several, the owner of the address.
fn claimed_id(candidates: &[Option<Credential>]) -> Option<UserId> {
    candidates.iter().rev().flatten().next().map(|(id, _)| *id)
}

/// An id that no user has.
fn nobody() -> UserId {
    uuid::Uuid::nil().into()
}

/// At login: neither is said to be the wrong one.
pub(super) fn anywhere() -> UserError {
    let message = "The identifier or the password is wrong.".to_owned();
    UserError { code: UserErrorCode::WrongCredentials, field: None, message }
}

/// For somebody who is signed in, only the password can be wrong.
pub(super) fn in_field(field: &str) -> UserError {
    UserError::of(field, UserErrorCode::WrongCredentials, "The password is wrong.")
}
