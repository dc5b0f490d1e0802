//! `login`: a password for a session.

use sea_orm::ActiveModelTrait;

use crate::accounts::identity::Identifier;
use crate::accounts::password::Match;
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
    /// [`Error::Invalid`] with `WRONG_CREDENTIALS`, or for a malformed input; [`Error::Unavailable`] when too
    /// many passwords wait.
    pub async fn login(&self, caller: &Caller, input: Login) -> Result<SignedIn, Error> {
        let identifier = identity::identifier("identifier", &input.identifier)?;
        input.password.check_length("password")?;
        let session_name = input.session_name.as_deref().map(|name| identity::name("sessionName", name)).transpose()?;

        let reader = self.database.reader();
        let user = match &identifier {
            Identifier::Username(key) => user::find_by_username(reader, key).await?,
            Identifier::Email(key) => user::find_by_email(reader, key).await?,
        };
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let matched = self.passwords.matches(input.password, hash).await?;
        let (Match::Yes | Match::YesButOutdated, Some(user)) = (matched, user) else {
            let message = "The identifier or the password is wrong.".to_owned();
            return Err(UserError { code: UserErrorCode::WrongCredentials, field: None, message }.into());
        };

        let (session, tokens) = self.new_session(user.id, session_name, &caller.origin)?;
        self.database
            .write(move |transaction| {
                let session = session.clone();
                Box::pin(async move { Ok(session.insert(transaction).await?) })
            })
            .await?;
        Ok(SignedIn { user, tokens })
    }
}
