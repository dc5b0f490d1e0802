//! `login`: a password for a session.

use sea_orm::ActiveModelTrait;

use chrono::{DateTime, Utc};

use crate::accounts::account_event::{self, Kind};
use crate::accounts::end::{self, Ended};
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
    /// A name for the session's device.
    pub device_name: Option<String>,
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
    /// Opens a session, and ends the oldest one of a user who has `accounts.max_sessions`. Neither
    /// the words nor the time of a refusal tell an unknown identifier from a wrong password.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `WRONG_CREDENTIALS`, or for a malformed input; [`Error::Forbidden`] for somebody who is
    /// suspended, or has to confirm their address first: then the link is sent again; [`Error::RateLimited`];
    /// [`Error::Unavailable`] when too many passwords wait.
    pub async fn login(&self, caller: &Caller, input: Login) -> Result<SignedIn, Error> {
        let identifier = identity::identifier("identifier", &input.identifier)?;
        input.password.check_length("password")?;
        let device_name = input.device_name.as_deref().map(|name| identity::name("deviceName", name)).transpose()?;

        let claim = Claim::Identifier(identifier);
        let mut proved = self.prove(caller, claim.clone(), input.password.clone()).await?;
        for _ in 0..ATTEMPTS {
            if self.must_confirm(&proved.user) {
                return Err(self.send_link_at_login(caller, &proved.user).await?);
            }
            self.admit(&proved.user)?;
            let upgrade = match proved.outdated {
                true => Some(self.passwords.hash(input.password.clone()).await?),
                false => None,
            };
            let (session, tokens) = self.new_session(proved.user.id, device_name.clone(), &caller.origin)?;
            let opening = Opening {
                proved: proved.user.clone(),
                upgrade,
                session,
                logged_in: self.event(caller, proved.user.id, Kind::LoggedIn).by_owner(),
                session_ended: self.event(caller, proved.user.id, Kind::SessionEnded).by_owner(),
                max_sessions: self.settings.max_sessions,
                now: self.clock.now(),
            };
            if self.write_and_end(move |transaction| Box::pin(opening.clone().run(transaction))).await? {
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
    logged_in: account_event::ActiveModel,
    /// For the case that older sessions end.
    session_ended: account_event::ActiveModel,
    max_sessions: u32,
    now: DateTime<Utc>,
}

impl Opening {
    /// False if the user has changed since the password was checked: then nothing is opened.
    async fn run(self, transaction: &DatabaseTransaction) -> Result<(bool, Ended), Error> {
        let user = self.proved.id;
        let locked = user::lock(transaction, user).await?;
        let unchanged = |now: &user::Model| now.may_act() && now.password_hash == self.proved.password_hash;
        if !locked.as_ref().is_some_and(unchanged) {
            return Ok((false, Ended::default()));
        }
        if let Some(hash) = self.upgrade {
            user::set_password_hash(transaction, user, hash).await?;
        }
        let ended = end::oldest_sessions(transaction, user, self.max_sessions, self.now).await?;
        if !ended.is_empty() {
            account_event::add(transaction, self.session_ended).await?;
        }
        self.session.insert(transaction).await?;
        account_event::add(transaction, self.logged_in).await?;
        Ok((true, Ended::sessions(&ended)))
    }
}
