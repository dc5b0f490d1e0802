//! Look-alike usernames: a username whose skeleton (UTS 39) another one has cannot be chosen.
//!
//! ASCII-only usernames are not compared with each other: `paypal1` and `paypall` may coexist. A
//! row of `username_skeletons` says who holds a skeleton: one user with another username, or, where
//! `user_id` is null, all users with that `users.username_skeleton`. The primary key decides
//! between two users at once, and the row's lock is held until the end of the transaction.
//!
//! **Invariant:** skeletons are claimed after the user's own row has been written.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{Condition, DbBackend, QuerySelect as _};

use crate::accounts::user;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;

/// How often a claim begins again because the row has just been released.
const ATTEMPTS: usize = 3;

/// A row of `username_skeletons`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "username_skeletons")]
pub struct Model {
    /// The form in which look-alikes are equal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub skeleton: String,
    /// The user who holds it; `None` if ASCII-only usernames do.
    pub user_id: Option<UserId>,
}

/// Skeletons have no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The `username_skeleton` of a user with this username: `None` unless it is ASCII-only.
pub(super) fn shared(username: &str) -> Option<String> {
    normalization::skeletons(username).pop_first().filter(|_| username.is_ascii())
}

/// Claims the skeletons of a user's new username.
///
/// # Errors
/// [`Error::Invalid`] with `TAKEN` if it is too similar to another one.
pub(super) async fn claim(db: &impl ConnectionTrait, user: UserId, username: &str) -> Result<(), Error> {
    let owner = (!username.is_ascii()).then_some(user);
    // In order, so that two claims do not wait for each other.
    for skeleton in normalization::skeletons(username) {
        claim_one(db, user, owner, &skeleton).await?;
    }
    Ok(())
}

async fn claim_one(
    db: &impl ConnectionTrait,
    user: UserId,
    owner: Option<UserId>,
    skeleton: &str,
) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        let row = ActiveModel { skeleton: Set(skeleton.to_owned()), user_id: Set(owner) };
        let keep = OnConflict::column(Column::Skeleton).do_nothing_on([Column::Skeleton]).to_owned();
        Entity::insert(row).on_conflict(keep).exec_without_returning(db).await?;
        let Some(row) = lock(db, skeleton).await? else { continue };
        if row.user_id == owner {
            return Ok(());
        }
        let is_held = row.user_id.is_some() || is_shared(db, skeleton, Some(user)).await?;
        if is_held {
            return Err(too_similar().into());
        }
        // Left by a server of an earlier version.
        let take = Entity::update_many().col_expr(Column::UserId, Expr::value(owner));
        take.filter(Column::Skeleton.eq(skeleton)).exec(db).await?;
        return Ok(());
    }
    Err(Error::Unavailable { retry_after_seconds: 1 })
}

/// Releases the skeletons of a username that its user no longer has, of which `shared` is the one
/// that the user's row had.
pub(super) async fn release(db: &impl ConnectionTrait, user: UserId, shared: Option<&str>) -> Result<(), Error> {
    Entity::delete_many().filter(Column::UserId.eq(user)).exec(db).await?;
    let Some(shared) = shared else { return Ok(()) };
    // Locked first: a statement that waits for a claim would not see its user.
    let is_free = match lock(db, shared).await? {
        Some(row) => row.user_id.is_none() && !is_shared(db, shared, None).await?,
        None => false,
    };
    if is_free {
        Entity::delete_by_id(shared).exec(db).await?;
    }
    Ok(())
}

/// Whether a new user could have this username, for a dry run.
pub(super) async fn is_free(db: &impl ConnectionTrait, username: &str) -> Result<bool, Error> {
    let rows = Entity::find().filter(Column::Skeleton.is_in(normalization::skeletons(username))).all(db).await?;
    Ok(rows.iter().all(|row| username.is_ascii() && row.user_id.is_none()))
}

pub(super) fn too_similar() -> UserError {
    UserError::of("username", UserErrorCode::Taken, "Too similar to an existing username.")
}

async fn lock(db: &impl ConnectionTrait, skeleton: &str) -> Result<Option<Model>, Error> {
    let select = Entity::find_by_id(skeleton);
    let select = match db.get_database_backend() {
        // It has one writer.
        DbBackend::Sqlite => select,
        _ => select.lock(LockType::Update),
    };
    Ok(select.one(db).await?)
}

/// Whether an ASCII-only username has this skeleton, of a user other than `but`.
async fn is_shared(db: &impl ConnectionTrait, skeleton: &str, but: Option<UserId>) -> Result<bool, Error> {
    let mut others = Condition::all().add(user::Column::UsernameSkeleton.eq(skeleton));
    if let Some(but) = but {
        others = others.add(user::Column::Id.ne(but));
    }
    Ok(!user::list_ids(db, others, 1).await?.is_empty())
}
