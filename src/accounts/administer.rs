//! What administrators do to others: roles, suspension and its end. It holds from the next request on.

use std::time::Instant;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use crate::accounts::account_event::{self, Kind};
use crate::accounts::end::{self, Ended};
use crate::accounts::{Accounts, user};
use crate::caller::Caller;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;
use crate::store::{DatabaseTransaction, MAX_BATCH_ROWS};

/// What is done to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    SetRole(user::Role),
    Suspend,
    Reinstate,
    Restore,
}

impl Accounts {
    /// Makes a user an administrator, or one no longer.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for whoever does not administer; [`Error::Invalid`] with
    /// `NOT_FOUND`, or with `CONFLICT` for the last administrator.
    pub async fn set_role(&self, caller: &Caller, id: Option<UserId>, role: user::Role) -> Result<user::Model, Error> {
        self.administer(caller, id, Act::SetRole(role)).await
    }

    /// Shuts a user out: their sessions end, their API keys are refused until they are reinstated.
    ///
    /// # Errors
    /// As [`Accounts::set_role`].
    pub async fn suspend(&self, caller: &Caller, id: Option<UserId>) -> Result<user::Model, Error> {
        self.administer(caller, id, Act::Suspend).await
    }

    /// Lifts the suspension of a user, and nothing else: a deleted account stays deleted.
    ///
    /// # Errors
    /// As [`Accounts::set_role`], but for the last administrator.
    pub async fn reinstate(&self, caller: &Caller, id: Option<UserId>) -> Result<user::Model, Error> {
        self.administer(caller, id, Act::Reinstate).await
    }

    /// Brings back an account that was deleted, and does nothing else: a suspended user stays suspended.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::Invalid`] with `NOT_FOUND`.
    pub async fn restore(&self, caller: &Caller, id: UserId) -> Result<user::Model, Error> {
        caller.require_operator()?;
        self.end_sessions_of_deleted(id).await?;
        self.administer(caller, Some(id), Act::Restore).await
    }

    async fn administer(&self, caller: &Caller, id: Option<UserId>, act: Act) -> Result<user::Model, Error> {
        let (actor, now) = (caller.admin()?, self.clock.now());
        let id = id.ok_or_else(unknown)?;
        let kind = match act {
            Act::SetRole(_) => Kind::RoleChanged,
            Act::Suspend => Kind::Suspended,
            Act::Reinstate => Kind::Reinstated,
            Act::Restore => Kind::Restored,
        };
        let event = self.event(caller, id, kind);
        let event = match act {
            Act::SetRole(role) => event.about(role.name()),
            Act::Suspend | Act::Reinstate | Act::Restore => event,
        };
        self.write_and_end(move |transaction| {
            let event = event.clone();
            Box::pin(async move {
                let (admins, user) = user::lock_admins_and(transaction, id).await?;
                // What is remembered of the caller may be a moment old.
                if actor.is_some_and(|actor| !admins.contains(&actor)) {
                    return Err(Error::Forbidden("Only an administrator can do this.".to_owned()));
                }
                let seen = |user: &user::Model| {
                    actor.is_none() || (user.deleted_at.is_none() && user.unconfirmed_until.is_none())
                };
                let user = user.filter(seen).ok_or_else(unknown)?;
                let ends_admin = matches!(act, Act::SetRole(user::Role::User) | Act::Suspend);
                if ends_admin && admins == [id] {
                    return Err(last_admin(Some("userId")).into());
                }
                let (changes, user) = change(transaction, user, act, now).await?;
                if changes {
                    account_event::add(transaction, event).await?;
                }
                Ok((user, Ended::user()))
            })
        })
        .await
    }
}

impl Accounts {
    /// Ends what sessions a deleted user still has: `deleteAccount` ends a bounded number, and their user would make the
    /// others good again.
    pub(super) async fn end_sessions_of_deleted(&self, id: UserId) -> Result<(), Error> {
        let user = user::find_by_id(self.database.reader(), id).await?;
        if user.is_none_or(|user| user.deleted_at.is_none()) {
            return Ok(());
        }
        let now = self.clock.now();
        loop {
            let begun = Instant::now();
            let ended = self
                .database
                .write(move |transaction| Box::pin(async move { end::some_sessions(transaction, id, now).await }));
            if ended.await? < MAX_BATCH_ROWS {
                return Ok(());
            }
            self.database.rest_after(begun).await?;
        }
    }
}

/// Whether anything changes, and the user after it.
async fn change(
    transaction: &DatabaseTransaction,
    mut user: user::Model,
    act: Act,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(bool, user::Model), Error> {
    let before = user.clone();
    match act {
        Act::SetRole(role) if role == user.role => {}
        Act::SetRole(role) => (user.role, user.updated_at) = (role, now),
        Act::Suspend => {
            user.suspended_at = user.suspended_at.or(Some(now));
            end::all_sessions(transaction, user.id, None, now).await?;
        }
        Act::Reinstate => user.suspended_at = None,
        Act::Restore => (user.deleted_at, user.restorable_until) = (None, None),
    }
    let update = user::Entity::update_many()
        .col_expr(user::Column::Role, Expr::value(user.role))
        .col_expr(user::Column::UpdatedAt, Expr::value(user.updated_at))
        .col_expr(user::Column::SuspendedAt, Expr::value(user.suspended_at))
        .col_expr(user::Column::DeletedAt, Expr::value(user.deleted_at))
        .col_expr(user::Column::RestorableUntil, Expr::value(user.restorable_until))
        .filter(user::Column::Id.eq(user.id));
    update.exec(transaction).await?;
    Ok((user != before, user))
}

/// Somebody must be left who can let others in.
pub(super) fn last_admin(field: Option<&str>) -> UserError {
    let message = "This is the last administrator: make somebody else one first.".to_owned();
    let field = field.map(|name| vec!["input".to_owned(), name.to_owned()]);
    UserError { code: UserErrorCode::Conflict, field, message }
}

fn unknown() -> Error {
    UserError::of("userId", UserErrorCode::NotFound, "There is no such user.").into()
}
