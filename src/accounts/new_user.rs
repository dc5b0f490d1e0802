//! A user about to be made: what is said about them, checked, and the row that it becomes.

use chrono::{DateTime, Utc};
use sea_orm::ActiveModelTrait as _;
use sea_orm::ActiveValue::Set;

use crate::accounts::identity::{self, Identity};
use crate::accounts::{Accounts, Password, user, username_skeleton};
use crate::config::EmailVerification;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;
use crate::store::DatabaseTransaction;

/// What is said about a new user.
#[derive(Clone, Debug)]
pub struct Profile {
    /// An address, needed without a username.
    pub email: Option<String>,
    /// A name to sign in with; one is made up if it is left out.
    pub username: Option<String>,
    /// A name to show.
    pub display_name: Option<String>,
}

/// A user about to be made.
#[derive(Clone)]
pub(super) struct NewUser {
    pub(super) id: UserId,
    pub(super) username: Identity,
    pub(super) email: Option<Identity>,
    /// Whether the address is theirs alone from the beginning.
    pub(super) owns_email: bool,
    pub(super) name: Option<String>,
    pub(super) password_hash: String,
    pub(super) role: user::Role,
    pub(super) created_at: DateTime<Utc>,
    pub(super) email_verified_at: Option<DateTime<Utc>>,
    pub(super) unconfirmed_until: Option<DateTime<Utc>>,
    pub(super) import_fingerprint: Option<String>,
    pub(super) has_made_up_username: bool,
}

impl Accounts {
    /// Everything that is wrong at once, or a user without a password hash.
    pub(super) async fn new_user(&self, said: Profile, password: Option<&Password>) -> Result<NewUser, Error> {
        let mut faults = Vec::new();
        let email = keep(&mut faults, said.email.as_deref().map(|text| identity::email("email", text)));
        let username = match said.username.as_deref() {
            Some(text) => keep(&mut faults, Some(identity::username("username", text))),
            None => Some(identity::made_up_username().map_err(Error::internal)?),
        };
        if said.email.is_none() && said.username.is_none() {
            let message = "An e-mail address or a username is needed.".to_owned();
            let field = Some(vec!["input".to_owned()]);
            faults.push(UserError { code: UserErrorCode::Required, field, message });
        }
        let name = keep(&mut faults, said.display_name.as_deref().map(|text| identity::name("displayName", text)));
        if let Some(password) = password {
            let texts = [said.email.as_deref(), said.username.as_deref(), said.display_name.as_deref()];
            let personal: Vec<&str> = texts.into_iter().flatten().collect();
            faults.extend(self.password_fault("password", password, &personal).await?);
        }
        let (true, Some(username)) = (faults.is_empty(), username) else { return Err(Error::Invalid(faults)) };
        Ok(NewUser {
            id: UserId::generate(),
            username,
            email,
            owns_email: self.settings.email_verification == EmailVerification::Off,
            name,
            password_hash: String::new(),
            role: user::Role::User,
            created_at: self.clock.now(),
            email_verified_at: None,
            unconfirmed_until: None,
            import_fingerprint: None,
            has_made_up_username: said.username.is_none(),
        })
    }

    /// What is wrong with a new password of somebody of whom `personal` is known.
    pub(super) async fn password_fault(
        &self,
        field: &str,
        password: &Password,
        personal: &[&str],
    ) -> Result<Option<UserError>, Error> {
        if let Err(fault) = password.check_new(field) {
            return Ok(Some(fault));
        }
        let weakness = self.passwords.weakness(password, personal).await?;
        Ok(weakness.map(|reason| UserError::of(field, UserErrorCode::TooWeak, reason)))
    }
}

impl NewUser {
    /// Inserts the row, and claims the username against look-alikes.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `TAKEN` for a username or address that somebody has.
    pub(super) async fn insert(self, transaction: &DatabaseTransaction) -> Result<user::Model, Error> {
        let user = self.row().insert(transaction).await.map_err(user::taken)?;
        username_skeleton::claim(transaction, user.id, &user.username).await?;
        Ok(user)
    }

    pub(super) fn row(self) -> user::ActiveModel {
        let search_key = user::search_key(&self.username.key, self.name.as_deref());
        let (email, email_key) = self.email.map(|email| (email.text, email.key)).unzip();
        user::ActiveModel {
            username_skeleton: Set(username_skeleton::shared(&self.username.text)),
            id: Set(self.id),
            username: Set(self.username.text),
            username_key: Set(self.username.key),
            email: Set(email),
            email_owner_key: Set(email_key.clone().filter(|_| self.owns_email)),
            email_key: Set(email_key),
            name: Set(self.name),
            password_hash: Set(self.password_hash),
            role: Set(self.role),
            created_at: Set(self.created_at),
            updated_at: Set(self.created_at),
            email_verified_at: Set(self.email_verified_at),
            unconfirmed_until: Set(self.unconfirmed_until),
            suspended_at: Set(None),
            deleted_at: Set(None),
            restorable_until: Set(None),
            search_key: Set(search_key),
            purge_started_at: Set(None),
            import_fingerprint: Set(self.import_fingerprint),
        }
    }
}

fn keep<T>(faults: &mut Vec<UserError>, checked: Option<Result<T, UserError>>) -> Option<T> {
    checked.transpose().map_err(|fault| faults.push(fault)).ok().flatten()
}
