//! `login`: a password for a session.

use sea_orm::ActiveModelTrait;

use crate::accounts::account_event::{self, Kind};
use crate::accounts::prove::{Claim, Proved};
use crate::accounts::{Accounts, Password, Tokens, identity, user};
use crate::caller::Caller;
use crate::error::{Error, UserError, UserErrorCode};

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
        let Proved { user, outdated } = self.prove(caller, claim, input.password.clone()).await?;
        self.admit(&user)?;
        let upgrade = if outdated { Some(self.passwords.hash(input.password).await?) } else { None };
        let (session, tokens) = self.new_session(user.id, session_name, &caller.origin)?;
        let event = self.event(caller, user.id, Kind::LoggedIn);
        let proved = user.clone();
        let opened = self.database.write(move |transaction| {
            let (session, event, proved, upgrade) = (session.clone(), event.clone(), proved.clone(), upgrade.clone());
            Box::pin(async move {
                // Since the password was checked it may have been changed, or the user shut out.
                let locked = user::lock(transaction, proved.id).await?;
                let unchanged = |now: &user::Model| now.may_act() && now.password_hash == proved.password_hash;
                if !locked.as_ref().is_some_and(unchanged) {
                    let message = "The account has just changed: try again.".to_owned();
                    return Err(UserError { code: UserErrorCode::WrongCredentials, field: None, message }.into());
                }
                if let Some(hash) = upgrade {
                    user::set_password_hash(transaction, proved.id, hash).await?;
                }
                session.insert(transaction).await?;
                account_event::add(transaction, event).await
            })
        });
        opened.await?;
        Ok(SignedIn { user, tokens })
    }
}
