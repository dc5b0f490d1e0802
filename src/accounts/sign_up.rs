//! `signUp`: a new user, furnished, and their first session, in one transaction.

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, DbErr, SqlErr};

use crate::accounts::login::SignedIn;
use crate::accounts::{Accounts, Password, identity, user};
use crate::caller::Caller;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;

/// What a new user says about themselves.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// An address, needed without a username.
    pub email: Option<String>,
    /// A name to sign in with; one is made up if it is left out.
    pub username: Option<String>,
    /// The password.
    pub password: Password,
    /// A name to show.
    pub name: Option<String>,
}

impl Accounts {
    /// Makes a user and signs them in.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what cannot be or is taken; [`Error::Unavailable`] when too many passwords wait.
    pub async fn sign_up(&self, caller: &Caller, input: SignUp) -> Result<SignedIn, Error> {
        let mut user = self.check(&input)?;
        let personal: Vec<&str> =
            [&input.email, &input.username, &input.name].into_iter().flatten().map(String::as_str).collect();
        if let Some(reason) = self.passwords.weakness(&input.password, &personal).await? {
            return Err(UserError::of("password", UserErrorCode::TooWeak, reason).into());
        }
        // A hash takes long: before the transaction, not in it.
        user.password_hash = Set(self.passwords.hash(input.password).await?);
        let id = UserId::generate();
        user.id = Set(id);
        let (session, tokens) = self.new_session(id, None, &caller.origin)?;
        let (furnish, clock) = (self.furnish, self.clock.clone());
        let user = self.database.write(move |transaction| {
            let (user, session, clock) = (user.clone(), session.clone(), clock.clone());
            Box::pin(async move {
                let user = user.insert(transaction).await.map_err(taken)?;
                furnish(transaction, id, &clock).await?;
                session.insert(transaction).await?;
                Ok(user)
            })
        });
        Ok(SignedIn { user: user.await?, tokens })
    }

    /// Everything that is wrong with the input at once, or the row that it makes.
    fn check(&self, input: &SignUp) -> Result<user::ActiveModel, Error> {
        let mut faults = Vec::new();
        let mut keep = |checked: Result<identity::Identity, UserError>| {
            checked.map_err(|fault| faults.push(fault)).ok().map(|identity| (identity.text, identity.key))
        };
        let (email, email_key) = input.email.as_deref().and_then(|text| keep(identity::email("email", text))).unzip();
        let username = match input.username.as_deref() {
            Some(text) => keep(identity::username("username", text)),
            None => keep(Ok(identity::made_up_username().map_err(Error::internal)?)),
        };
        if input.email.is_none() && input.username.is_none() {
            let message = "An e-mail address or a username is needed.".to_owned();
            let field = Some(vec!["input".to_owned()]);
            faults.push(UserError { code: UserErrorCode::Required, field, message });
        }
        let name = input.name.as_deref().map(|text| identity::name("name", text)).transpose();
        let name = name.map_err(|fault| faults.push(fault)).ok().flatten();
        if let Err(fault) = input.password.check_new("password") {
            faults.push(fault);
        }
        let (true, Some((username, username_key))) = (faults.is_empty(), username) else {
            return Err(Error::Invalid(faults));
        };
        let now = self.clock.now();
        Ok(user::ActiveModel {
            username: Set(username),
            username_key: Set(username_key),
            email: Set(email),
            email_key: Set(email_key),
            name: Set(name),
            role: Set(user::Role::User),
            created_at: Set(now),
            updated_at: Set(now),
            email_verified_at: Set(None),
            unconfirmed_until: Set(None),
            suspended_at: Set(None),
            deleted_at: Set(None),
            search_key: Set(String::new()),
            ..Default::default()
        })
    }
}

/// Both backends name the column or its index, which are called alike.
fn taken(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(text)) if text.contains("email_key") => {
            UserError::of("email", UserErrorCode::Taken, "An account with this e-mail address exists.").into()
        }
        Some(SqlErr::UniqueConstraintViolation(text)) if text.contains("username_key") => {
            UserError::of("username", UserErrorCode::Taken, "This username is taken.").into()
        }
        _ => error.into(),
    }
}
