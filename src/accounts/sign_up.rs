//! `signUp`: a new user, furnished, and their first session, in one transaction.
//!
//! Where confirmation is required nobody is signed in, and a known address must look like an unknown one. So the
//! address is not looked at: the account has none before somebody follows the link in the mail to it, and the
//! database keeps addresses unique only then. If the address is somebody's, the mail tells them instead, and the
//! new account goes when those that nobody confirmed go.

use sea_orm::ActiveModelTrait as _;
use sea_orm::ActiveValue::Set;

use crate::accounts::account_event::{self, Kind};
use crate::accounts::login::SignedIn;
use crate::accounts::new_user::{NewUser, Profile};
use crate::accounts::{Accounts, Furnish, Password, identity, queued_mail, session, user};
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
    pub name: Option<String>,
}

/// A sign-up, as its transaction sees it.
#[derive(Clone)]
struct SigningUp {
    user: NewUser,
    session: Option<session::ActiveModel>,
    event: account_event::ActiveModel,
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
        let profile = Profile { email: input.email, username: input.username, name: input.name };
        let required = self.settings.email_verification == EmailVerification::Required;
        if required && profile.email.is_none() {
            return Err(UserError::of("email", UserErrorCode::Required, "An e-mail address is needed.").into());
        }
        let mut user = self.new_user(profile, Some(&input.password)).await?;
        let address = user.email.clone().filter(|_| self.settings.email_verification != EmailVerification::Off);
        if required {
            // What sends a mail to somebody is limited by whom it is sent to.
            if let Some(email) = user.email.take() {
                self.limits.mail_per_account.count(&email.key)?;
            }
            user.unconfirmed_until =
                Some(user.created_at + chrono::TimeDelta::days(self.settings.unconfirmed_days.into()));
        }
        // A hash takes long: before the transaction, not in it.
        user.password_hash = self.passwords.hash(input.password).await?;
        let opened = match required {
            true => None,
            false => Some(self.new_session(user.id, None, &caller.origin)?),
        };
        let (session, tokens) = opened.unzip();
        let mut event = self.event(caller, user.id, Kind::SignedUp);
        event.actor_id = Set(Some(user.id));
        let signing_up =
            SigningUp { user, session, event, address, furnish: self.hooks.furnish, clock: self.clock.clone() };
        let user = self.database.write(move |transaction| Box::pin(signing_up.clone().run(transaction))).await?;
        self.post.wake();
        Ok(tokens.map(|tokens| SignedIn { user, tokens }))
    }
}

impl SigningUp {
    async fn run(self, transaction: &DatabaseTransaction) -> Result<user::Model, Error> {
        let (id, now) = (self.user.id, self.user.created_at);
        let user = self.user.insert(transaction).await?;
        (self.furnish)(transaction, id, &self.clock).await?;
        account_event::add(transaction, self.event).await?;
        if let Some(session) = self.session {
            session.insert(transaction).await?;
        }
        if let Some(address) = self.address {
            queued_mail::add(transaction, queued_mail::Kind::VerifyEmail, &address.text, Some(id), now).await?;
        }
        Ok(user)
    }
}
