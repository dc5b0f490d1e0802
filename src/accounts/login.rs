//! `login`: a password for a session.

use sea_orm::ActiveModelTrait;

use crate::accounts::account_event::{self, Kind};
use crate::accounts::prove::Claim;
use crate::accounts::{Accounts, Password, Tokens, identity, session, user};
use crate::caller::Caller;
use crate::error::Error;
use crate::store::DatabaseTransaction;

/// How often a login is tried whose user changes between the check of the password and the session.
const ATTEMPTS: usize = 3;

/// What someone gives to sign in.
#[derive(Clone, Debug)]
pub struct Login {
    /// A username or e-mail address.
    pub identifier: String,
    /// The password.
    pub password: Password,
    /// A name for the session, such as a device.
    pub session_name: Option<String>,
}

/// Somebody with a new session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub user: user::Model,
    /// The session's tokens.
    pub tokens: Tokens,
}

impl Accounts {
    /// Opens a session. Whether the identifier is unknown or the password wrong is not told, in word or time.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `WRONG_CREDENTIALS`, or for a malformed input; [`Error::Forbidden`] for somebody who is
    /// suspended or has to confirm their address first; [`Error::RateLimited`]; [`Error::Unavailable`] when too many
    /// passwords wait.
    pub async fn login(&self, caller: &Caller, input: Login) -> Result<SignedIn, Error> {
        let identifier = identity::identifier("identifier", &input.identifier)?;
        input.password.check_length("password")?;
        let session_name = input.session_name.as_deref().map(|name| identity::name("sessionName", name)).transpose()?;

        let claim = Claim::Identifier(identifier);
        let mut proved = self.prove(caller, claim.clone(), input.password.clone()).await?;
        for _ in 0..ATTEMPTS {
            self.admit(&proved.user)?;
            let upgrade = match proved.outdated {
                true => Some(self.passwords.hash(input.password.clone()).await?),
                false => None,
            };
            let (session, tokens) = self.new_session(proved.user.id, session_name.clone(), &caller.origin)?;
            let event = self.event(caller, proved.user.id, Kind::LoggedIn);
            let opening = Opening { proved: proved.user.clone(), upgrade, session, event };
            if self.database.write(move |transaction| Box::pin(opening.clone().run(transaction))).await? {
                return Ok(SignedIn { user: proved.user, tokens });
            }
            // Another login has upgraded the hash, or the password is another one, or the user was shut out.
            proved = self.prove_again(caller, claim.clone(), input.password.clone()).await?;
        }
        Err(Error::Unavailable { retry_after_seconds: 1 })
    }
}

/// A session about to be opened, as its transaction sees it.
#[derive(Clone)]
struct Opening {
    /// The user as they were when the password was checked.
    proved: user::Model,
    upgrade: Option<String>,
    session: session::ActiveModel,
    event: account_event::ActiveModel,
}

impl Opening {
    /// False if the user has changed since the password was checked: then nothing is opened.
    async fn run(self, transaction: &DatabaseTransaction) -> Result<bool, Error> {
        let locked = user::lock(transaction, self.proved.id).await?;
        let unchanged = |now: &user::Model| now.may_act() && now.password_hash == self.proved.password_hash;
        if !locked.as_ref().is_some_and(unchanged) {
            return Ok(false);
        }
        if let Some(hash) = self.upgrade {
            user::set_password_hash(transaction, self.proved.id, hash).await?;
        }
        self.session.insert(transaction).await?;
        account_event::add(transaction, self.event).await?;
        Ok(true)
    }
}
