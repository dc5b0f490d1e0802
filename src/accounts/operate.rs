//! What only an operator does, at the server's own command line: users made, changed and removed by hand.

use crate::accounts::access::AccessAfter;
use crate::accounts::account_event::{self, Kind};
use crate::accounts::change_password::Replacement;
use crate::accounts::email_owner::NewOwner;
use crate::accounts::end::{self, Ended};
use crate::accounts::new_user::{NewUser, Profile};
use crate::accounts::{Accounts, Furnish, Password, Passwords, UpdateProfile, email_owner, user};
use crate::caller::Caller;
use crate::clock::Clock;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;
use crate::store::DatabaseTransaction;

/// A user to make.
#[derive(Clone, Debug)]
pub struct AddUser {
    /// Who they are.
    pub profile: Profile,
    /// How they prove it.
    pub secret: Secret,
    /// What they may do.
    pub role: user::Role,
    /// Whether the address is known to be theirs.
    pub email_verified: bool,
    /// When they signed up, if that was elsewhere.
    pub created_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// How a new user proves who they are.
#[derive(Clone)]
pub enum Secret {
    /// By this password.
    Password(Password),
    /// By the password behind this hash: Argon2, bcrypt or PBKDF2-SHA256, replaced by ours at the next login.
    Hash(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(****)")
    }
}

/// A user about to be added by an operator, as the transaction sees it.
#[derive(Clone)]
pub(super) struct Addition {
    user: NewUser,
    /// For an address that is the user's by the operator's word.
    owner: Option<NewOwner>,
    event: account_event::ActiveModel,
    furnish: Furnish,
    clock: Clock,
}

impl Addition {
    pub(super) async fn run(self, transaction: &DatabaseTransaction) -> Result<user::Model, Error> {
        if let Some(owner) = self.owner {
            owner.displace_all(transaction).await?;
        } else if let Some(email) = &self.user.email {
            let other = email_owner::find_present(transaction, &email.key).await?;
            other.map_or(Ok(()), |_| Err(user::email_taken()))?;
        }
        let user = self.user.insert(transaction).await?;
        (self.furnish)(transaction, user.id, &self.clock).await?;
        account_event::add(transaction, self.event).await?;
        Ok(user)
    }
}

impl Accounts {
    /// Makes a user. A password is only checked for its length: an operator knows what they do.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::Invalid`] for what cannot be or is taken.
    pub async fn add_user(&self, caller: &Caller, input: AddUser) -> Result<user::Model, Error> {
        caller.require_operator()?;
        let mut user = self.checked(&input).await?;
        user.password_hash = match input.secret {
            Secret::Password(password) => self.passwords.hash(password).await?,
            Secret::Hash(hash) => hash,
        };
        let addition = self.addition(caller, user);
        self.database.write(move |transaction| Box::pin(addition.clone().run(transaction))).await
    }

    /// A user with a password hash, about to be added.
    pub(super) fn addition(&self, caller: &Caller, user: NewUser) -> Addition {
        let event = self.event(caller, user.id, Kind::SignedUp);
        let verified = user.email.clone().filter(|_| user.email_verified_at.is_some());
        let owner = verified.map(|email| self.new_owner(user.id, email));
        Addition { user, owner, event, furnish: self.hooks.furnish, clock: self.clock.clone() }
    }

    /// Gives a user another password, and ends all access that was granted before: sessions, API keys and links.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::Invalid`] for a password that is too short or long,
    /// or with `CONFLICT` for somebody who is deleted.
    pub async fn set_password(&self, caller: &Caller, id: UserId, new: Password) -> Result<user::Model, Error> {
        caller.require_operator()?;
        let user = user::find_by_id(self.database.reader(), id).await?.ok_or(Error::NotFound("user"))?;
        if user.deleted_at.is_some() {
            return Err(deleted().into());
        }
        new.check_new("password")?;
        let hash = self.passwords.hash(new).await?;
        let event = self.event(caller, id, Kind::PasswordChanged);
        let now = self.clock.now();
        self.replace_password(Replacement { user, hash, access: AccessAfter::NONE, event, now }).await
    }

    /// Gives a user another username or name.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::NotFound`]; [`Error::Invalid`] for what cannot be
    /// or is taken.
    pub async fn rename(&self, caller: &Caller, id: UserId, input: UpdateProfile) -> Result<user::Model, Error> {
        caller.require_operator()?;
        self.change_profile(caller, id, input, |_| true).await
    }

    /// Ends every session of a user; how many there were.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::NotFound`].
    pub async fn end_sessions_of(&self, caller: &Caller, id: UserId) -> Result<usize, Error> {
        caller.require_operator()?;
        let (event, now) = (self.event(caller, id, Kind::SessionEnded), self.clock.now());
        self.write_and_end(move |transaction| {
            let event = event.clone();
            Box::pin(async move {
                user::lock(transaction, id).await?.ok_or(Error::NotFound("user"))?;
                let ended = end::all_sessions(transaction, id, None, now).await?;
                if !ended.is_empty() {
                    account_event::add(transaction, event).await?;
                }
                Ok((ended.len(), Ended::sessions(&ended)))
            })
        })
        .await
    }

    /// Deletes a user: as they could themselves, or, if `at_once`, without the time of grace. Then it returns when
    /// everything that belongs to them is removed; if it is cut off, the next sweep of a server continues.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::NotFound`]; [`Error::Invalid`] with `CONFLICT` for
    /// the last administrator.
    pub async fn delete_user(&self, caller: &Caller, id: UserId, at_once: bool) -> Result<(), Error> {
        caller.require_operator()?;
        self.delete_by_operator(caller, id).await?;
        if at_once { self.purge_now(id).await } else { Ok(()) }
    }

    /// The user that would be made, still without a password hash; everything that is wrong at once.
    pub(super) async fn checked(&self, input: &AddUser) -> Result<NewUser, Error> {
        let (mut faults, now) = (Vec::new(), self.clock.now());
        let user = match self.new_user(input.profile.clone(), None).await {
            Err(Error::Invalid(found)) => {
                faults.extend(found);
                None
            }
            user => Some(user?),
        };
        match &input.secret {
            Secret::Password(password) => faults.extend(password.check_new("password").err()),
            Secret::Hash(hash) => faults.extend(Passwords::check_importable(hash).err().map(unreadable)),
        }
        if input.email_verified && input.profile.email.is_none() {
            let message = "There is no e-mail address that could be verified.";
            faults.push(UserError::of("emailVerified", UserErrorCode::Invalid, message));
        }
        if input.created_at.is_some_and(|created_at| created_at > now) {
            faults.push(UserError::of("createdAt", UserErrorCode::Invalid, "This is in the future."));
        }
        let (Some(mut user), true) = (user, faults.is_empty()) else { return Err(Error::Invalid(faults)) };
        user.role = input.role;
        user.created_at = input.created_at.unwrap_or(now);
        user.owns_email |= input.email_verified;
        user.email_verified_at = user.email.as_ref().filter(|_| input.email_verified).map(|_| now);
        Ok(user)
    }
}

fn unreadable(reason: &'static str) -> UserError {
    UserError::of("passwordHash", UserErrorCode::Invalid, format!("This cannot be taken over: {reason}."))
}

fn deleted() -> UserError {
    let message = "This account is deleted: restore it first.".to_owned();
    UserError { code: UserErrorCode::Conflict, field: None, message }
}
