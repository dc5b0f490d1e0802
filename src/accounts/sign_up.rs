//! `signUp`: a new user, furnished, and their first session, in one transaction.
//!
//! Where confirmation is required nobody is signed in, and a known address must look like an unknown one. So the
//! address is not looked at: nobody owns it before somebody follows the link in the mail to it, and the database keeps
//! addresses unique only then. If the address is somebody's, the mail tells them instead, and the new account goes when
//! those that nobody confirmed go.
//!
//! An account that nobody has confirmed holds its username for those who know its password: they may sign up again, with
//! another address if the first was wrong. Once its links have expired, anybody may have the username.

use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _};

use crate::accounts::account_event::{self, Kind};
use crate::accounts::email_token::{self, Kind::ResetPassword, Kind::VerifyEmail};
use crate::accounts::identity::Identifier;
use crate::accounts::limits::MailCause;
use crate::accounts::login::SignedIn;
use crate::accounts::new_user::{NewUser, Profile};
use crate::accounts::password::Match;
use crate::accounts::prove::Claim;
use crate::accounts::{Accounts, Furnish, Password, identity, queued_mail, session, user, username_skeleton};
use crate::caller::Caller;
use crate::clock::Clock;
use crate::config::EmailVerification;
use crate::error::{Error, UserError, UserErrorCode};
use crate::store::DatabaseTransaction;

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
    pub display_name: Option<String>,
}

/// An account that has the username of a sign-up, and that nobody has confirmed.
#[derive(Clone)]
enum Unconfirmed {
    /// There is none.
    No,
    /// The same person signs up again: it becomes the new account.
    Renewed(Box<user::Model>),
    /// Its links have expired: it goes, and the username is free.
    Abandoned(Box<user::Model>),
}

/// A sign-up, as its transaction sees it.
#[derive(Clone)]
struct SigningUp {
    user: NewUser,
    before: Unconfirmed,
    session: Option<session::ActiveModel>,
    event: account_event::ActiveModel,
    policy: EmailVerification,
    /// Where to send the link, if one is sent.
    address: Option<identity::Identity>,
    furnish: Furnish,
    clock: Clock,
}

impl Accounts {
    /// Makes a user and signs them in; `None` where they have to confirm their address first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what cannot be or is taken; [`Error::RateLimited`]; [`Error::Unavailable`] when too many
    /// passwords wait.
    pub async fn sign_up(&self, caller: &Caller, input: SignUp) -> Result<Option<SignedIn>, Error> {
        self.limits.sign_up_per_address.count_from(&caller.origin)?;
        let chose_username = input.username.is_some();
        let profile = Profile { email: input.email, username: input.username, display_name: input.display_name };
        let policy = self.settings.email_verification;
        let required = policy == EmailVerification::Required;
        if required && profile.email.is_none() {
            return Err(UserError::of("email", UserErrorCode::Required, "An e-mail address is needed.").into());
        }
        let mut user = self.new_user(profile, Some(&input.password)).await?;
        let mut address = user.email.clone().filter(|_| policy != EmailVerification::Off);
        if let Some(email) = &address
            && !self.limits.count_mail(MailCause::SignUp, &caller.origin, &email.key)?
        {
            address = None;
        }
        let mut before = Unconfirmed::No;
        if required {
            let days = chrono::TimeDelta::days(self.settings.unconfirmed_days.into());
            user.unconfirmed_until = Some(user.created_at + days);
            if chose_username {
                before = self.find_unconfirmed(&user).await?;
            }
        }
        // A hash takes long: before the transaction, not in it. One in any case.
        match &before {
            Unconfirmed::Renewed(before) => {
                let claim = Claim::Identifier(Identifier::Username(user.username.key.clone()));
                self.count_login(caller, &claim, Some(before.id)).await?;
                if self.passwords.matches(input.password, Some(&before.password_hash)).await? == Match::No {
                    return Err(user::username_taken().into());
                }
                user.password_hash.clone_from(&before.password_hash);
            }
            Unconfirmed::No | Unconfirmed::Abandoned(_) => {
                user.password_hash = self.passwords.hash(input.password).await?;
            }
        }
        let opened = match required {
            true => None,
            false => Some(self.new_session(user.id, None, &caller.origin)?),
        };
        let (session, tokens) = opened.unzip();
        let event = self.event(caller, user.id, Kind::SignedUp).by_owner();
        let furnish = self.hooks.furnish;
        let signing_up =
            SigningUp { user, before, session, event, policy, address, furnish, clock: self.clock.clone() };
        let user = self.database.write(move |transaction| Box::pin(signing_up.clone().run(transaction))).await?;
        self.post.wake();
        Ok(tokens.map(|tokens| SignedIn { user, tokens }))
    }

    /// The account with the username of `new` that nobody has confirmed. It is one to renew until somebody has shown
    /// that they do not know its password.
    async fn find_unconfirmed(&self, new: &NewUser) -> Result<Unconfirmed, Error> {
        let reader = self.database.reader();
        let Some(user) = user::find_by_username(reader, &new.username.key).await?.filter(is_unconfirmed) else {
            return Ok(Unconfirmed::No);
        };
        let link_lives = chrono::TimeDelta::seconds(self.settings.verification_seconds.into());
        let expired = user.created_at + link_lives <= new.created_at
            && !email_token::any_live(reader, VerifyEmail, user.id, new.created_at).await?;
        Ok(match expired {
            true => Unconfirmed::Abandoned(Box::new(user)),
            false => Unconfirmed::Renewed(Box::new(user)),
        })
    }
}

fn is_unconfirmed(user: &user::Model) -> bool {
    user.unconfirmed_until.is_some() && user.deleted_at.is_none()
}

impl SigningUp {
    async fn run(self, transaction: &DatabaseTransaction) -> Result<user::Model, Error> {
        let (mut id, now) = (self.user.id, self.user.created_at);
        if self.policy == EmailVerification::Flagged {
            self.refuse_confirmed(transaction).await?;
        }
        let mut event = self.event;
        let user = match self.before {
            Unconfirmed::Renewed(before) => {
                id = before.id;
                (event.user_id, event.actor_id) = (Set(id), Set(Some(id)));
                renew(transaction, &before, self.user).await?
            }
            before => {
                if let Unconfirmed::Abandoned(before) = before {
                    abandon(transaction, &before, now).await?;
                }
                let user = self.user.insert(transaction).await?;
                (self.furnish)(transaction, id, &self.clock).await?;
                user
            }
        };
        account_event::add(transaction, event).await?;
        if let Some(session) = self.session {
            session.insert(transaction).await?;
        }
        if let Some(address) = self.address {
            queued_mail::add(transaction, queued_mail::Kind::VerifyEmail, &address.text, Some(id), now).await?;
        }
        Ok(user)
    }

    /// Refuses an address that somebody else has confirmed. Nothing depends on it: who gives the address at the same moment
    /// as it is confirmed has it, and does not own it.
    async fn refuse_confirmed(&self, db: &impl ConnectionTrait) -> Result<(), Error> {
        let Some(email) = &self.user.email else { return Ok(()) };
        let confirmed = Condition::all()
            .add(user::Column::EmailOwnerKey.eq(&email.key))
            .add(user::Column::EmailVerifiedAt.is_not_null())
            .add(user::Column::DeletedAt.is_null());
        match user::Entity::find().filter(confirmed).one(db).await? {
            Some(_) => Err(user::email_taken().into()),
            None => Ok(()),
        }
    }
}

/// Has an account that nobody has confirmed begin again, as `new`. The links that were sent for it end.
async fn renew(transaction: &DatabaseTransaction, before: &user::Model, new: NewUser) -> Result<user::Model, Error> {
    let unchanged = |now: &user::Model| is_unconfirmed(now) && now.password_hash == before.password_hash;
    let locked = user::lock(transaction, before.id).await?.filter(unchanged);
    locked.ok_or_else(user::username_taken)?;
    email_token::remove_all(transaction, VerifyEmail, before.id).await?;
    email_token::remove_all(transaction, ResetPassword, before.id).await?;
    queued_mail::remove_changes(transaction, before.id, None).await?;
    let row = NewUser { id: before.id, ..new }.row();
    // What an operator has decided about them stays.
    let row = user::ActiveModel { role: NotSet, suspended_at: NotSet, ..row };
    let renewed = row.update(transaction).await.map_err(user::taken)?;
    username_skeleton::release(transaction, renewed.id, before.username_skeleton.as_deref()).await?;
    username_skeleton::claim(transaction, renewed.id, &renewed.username).await?;
    Ok(renewed)
}

/// Has an account that nobody has confirmed go, as the sweep does later.
async fn abandon(
    transaction: &DatabaseTransaction,
    before: &user::Model,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), Error> {
    user::lock(transaction, before.id).await?;
    let still = Condition::all().add(user::Column::UnconfirmedUntil.is_not_null());
    // One that has just been confirmed keeps the username, which the insert then refuses.
    user::mark_purged(transaction, before.id, still, now).await.map(drop)
}
