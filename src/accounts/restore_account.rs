//! `restoreAccount`: a deleted account comes back, for its owner.

use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Query};
use sea_orm::{ColumnTrait as _, Order};

use crate::accounts::account_event::{self, Kind};
use crate::accounts::email_owner::Credential;
use crate::accounts::email_token::{self, Kind::RestoreAccount};
use crate::accounts::end::{self, Ended};
use crate::accounts::identity::Identifier;
use crate::accounts::password::Match;
use crate::accounts::prove::{Claim, anywhere, in_field};
use crate::accounts::user::{Column, Entity};
use crate::accounts::{Accounts, Password, identity, user};
use crate::caller::Caller;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;
use crate::store::DatabaseTransaction;

/// The proof that an account is somebody's.
#[derive(Clone, Debug)]
pub enum Restore {
    /// The link in the email about the deletion.
    Link {
        /// The token of the link.
        token: String,
        /// The password: needed if the link was sent to an unconfirmed address.
        password: Option<Password>,
    },
    /// An identifier and the password.
    Credentials {
        /// A username or e-mail address.
        identifier: String,
        /// The password.
        password: Password,
    },
}

/// An account about to come back, as its transaction sees it.
#[derive(Clone)]
struct Restoring {
    id: UserId,
    token: Option<email_token::Model>,
    /// The hash that the password was checked against.
    hash: Option<String>,
    event: account_event::ActiveModel,
    now: chrono::DateTime<chrono::Utc>,
}

impl Accounts {
    /// Brings back an account that its user has deleted. Nobody is signed in.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `INVALID` or `EXPIRED` for the token, `REQUIRED` for what is missing, or with
    /// `WRONG_CREDENTIALS`, also for an account that is not deleted, or cannot be brought back any more;
    /// [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn restore_account(&self, caller: &Caller, input: Restore) -> Result<user::Model, Error> {
        let now = self.clock.now();
        let (id, token, hash) = match input {
            Restore::Link { token, password } => {
                self.limits.login_per_address.count_from(&caller.origin)?;
                let token = email_token::require(self.database.reader(), RestoreAccount, &token, now).await?;
                let user = user::find_by_id(self.database.reader(), token.user_id).await?;
                let user = user.ok_or_else(email_token::spent)?;
                let is_confirmed = user.email_verified_at.is_some()
                    && user.email_key.as_deref().is_some_and(|key| identity::is_spelling_of(&token.email, key));
                let hash = match is_confirmed {
                    true => None,
                    // Only the mailbox is proved, and it may be somebody else's.
                    false => {
                        let claim = Claim::User(user.id, "password");
                        let credential = Some((user.id, user.password_hash));
                        Some(self.prove_deleted(caller, &claim, credential, password).await?.1)
                    }
                };
                (user.id, Some(token), hash)
            }
            Restore::Credentials { identifier, password } => {
                self.limits.login_per_address.count_from(&caller.origin)?;
                let identifier = identity::identifier("identifier", &identifier)?;
                let credential = self.find_restorable(&identifier).await?;
                let claim = Claim::Identifier(identifier);
                let (id, hash) = self.prove_deleted(caller, &claim, credential, Some(password)).await?;
                (id, None, Some(hash))
            }
        };
        self.end_sessions_of_deleted(id).await?;
        let restoring = Restoring { id, token, hash, event: self.event(caller, id, Kind::Restored).by_owner(), now };
        self.write_and_end(move |transaction| Box::pin(restoring.clone().run(transaction))).await
    }

    /// Whose password it is, and the hash of it; one hash of work in any case.
    async fn prove_deleted(
        &self,
        caller: &Caller,
        claim: &Claim,
        credential: Option<Credential>,
        password: Option<Password>,
    ) -> Result<Credential, Error> {
        let Some(password) = password else {
            return Err(UserError::of("password", UserErrorCode::Required, "The password is needed.").into());
        };
        password.check_length("password")?;
        let (id, hash) = credential.unzip();
        self.count_login(caller, claim, id).await?;
        let matched = self.passwords.matches(password, hash.as_deref()).await?;
        match (id, hash, claim) {
            (Some(id), Some(hash), _) if matched != Match::No => Ok((id, hash)),
            (_, _, Claim::User(_, field)) => Err(in_field(field).into()),
            _ => Err(anywhere().into()),
        }
    }

    /// The deleted user who is called so and can come back; the last to leave, of several.
    async fn find_restorable(&self, identifier: &Identifier) -> Result<Option<Credential>, Error> {
        let called = match identifier {
            Identifier::Username(key) => Expr::col(Column::UsernameKey).eq(key),
            Identifier::Email(key) => Expr::col(Column::EmailKey).eq(key),
        };
        let latest = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(called)
            .and_where(Expr::col(Column::DeletedAt).is_not_null())
            .and_where(Expr::col(Column::RestorableUntil).gt(self.clock.now()))
            .order_by(Column::DeletedAt, Order::Desc)
            .limit(1)
            .take();
        let which = Condition::all().add(Expr::col((Entity, Column::Id)).eq(latest));
        user::find_hash_of(self.database.reader(), which.add(Column::DeletedAt.is_not_null())).await
    }
}

impl Restoring {
    async fn run(self, transaction: &DatabaseTransaction) -> Result<(user::Model, Ended), Error> {
        let unchanged = |user: &user::Model| {
            user.deleted_at.is_some()
                && user.restorable_until.is_some_and(|until| until > self.now)
                && self.hash.as_ref().is_none_or(|hash| *hash == user.password_hash)
        };
        let locked = user::lock(transaction, self.id).await?.filter(unchanged);
        let user = match &self.token {
            Some(_) => locked.ok_or_else(email_token::spent)?,
            None => locked.ok_or_else(anywhere)?,
        };
        if let Some(token) = &self.token {
            email_token::spend(transaction, token).await?;
        }
        // `deleteAccount` ends a bounded number of them, and so does what ran before this.
        let ended = end::all_sessions(transaction, self.id, None, self.now).await?;
        email_token::remove_all(transaction, RestoreAccount, self.id).await?;
        user::set_restored(transaction, self.id).await?;
        account_event::add(transaction, self.event).await?;
        let mut ended = Ended::sessions(&ended);
        ended.user = true;
        Ok((user::Model { deleted_at: None, restorable_until: None, ..user }, ended))
    }
}
