//! What a user has stored: counted in the transaction that adds or removes it.
//!
//! **Invariant:** it is the sum of their originals' bytes. The smaller sizes are not counted.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, OnConflict, Order, Query, SelectStatement};
use sea_orm::{DbBackend, FromQueryResult};

use crate::accounts::user;
use crate::error::Error;
use crate::id::UserId;
use crate::photos::picture::Size;
use crate::photos::{blob, photo, photo_image};
use crate::store::DatabaseTransaction;

/// A row of `photo_storage`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "photo_storage")]
pub struct Model {
    /// Who.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// How many bytes their originals have.
    pub used_bytes: i64,
}

/// It has no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How many bytes a user has stored.
pub(super) async fn find(db: &impl ConnectionTrait, user: UserId) -> Result<i64, Error> {
    Ok(Entity::find_by_id(user).one(db).await?.map_or(0, |row| row.used_bytes))
}

/// Counts these bytes, if there is room for them. Until the transaction ends, nobody else counts for this user.
pub(super) async fn add(db: &impl ConnectionTrait, user: UserId, bytes: i64, quota: i64) -> Result<bool, Error> {
    let row = ActiveModel { user_id: Set(user), used_bytes: Set(0) };
    let keep = OnConflict::column(Column::UserId).do_nothing_on([Column::UserId]).to_owned();
    Entity::insert(row).on_conflict(keep).exec_without_returning(db).await?;
    let room = quota.saturating_sub(bytes);
    let added = Entity::update_many()
        .col_expr(Column::UsedBytes, Expr::col(Column::UsedBytes).add(bytes))
        .filter(Column::UserId.eq(user))
        .filter(Column::UsedBytes.lte(room))
        .exec(db)
        .await?;
    Ok(added.rows_affected == 1)
}

/// What a user is said to have stored, and what they have.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Counted {
    pub(super) user_id: UserId,
    pub(super) username: String,
    pub(super) used_bytes: i64,
    pub(super) stored_bytes: i64,
}

/// The next users by id. One statement, so that both figures are of the same moment.
pub(super) async fn list_counted(
    db: &impl ConnectionTrait,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<Counted>, Error> {
    let stored = originals_of(db, Expr::col((user::Entity, user::Column::Id)));
    let used = Func::coalesce([Expr::col((Entity, Column::UsedBytes)), Expr::val(0_i64)]);
    let after = after.map_or(Uuid::nil(), UserId::uuid);
    let select = Query::select()
        .expr_as(Expr::col((user::Entity, user::Column::Id)), "user_id")
        .expr_as(Expr::col((user::Entity, user::Column::Username)), "username")
        .expr_as(used, "used_bytes")
        .expr_as(Expr::SubQuery(None, Box::new(stored.into())), "stored_bytes")
        .from(user::Entity)
        .left_join(Entity, Expr::col((Entity, Column::UserId)).equals((user::Entity, user::Column::Id)))
        .and_where(Expr::col((user::Entity, user::Column::Id)).gt(after))
        // While an account is purged its photos go, and nobody counts them.
        .and_where(Expr::col((user::Entity, user::Column::PurgeStartedAt)).is_null())
        .order_by((user::Entity, user::Column::Id), Order::Asc)
        .limit(limit)
        .take();
    let rows = db.query_all(&select).await?;
    Ok(rows.iter().map(|row| Counted::from_query_result(row, "")).collect::<Result<_, _>>()?)
}

/// Counts anew what a user has stored; until the transaction ends, nobody else counts for them.
pub(super) async fn recount(transaction: &DatabaseTransaction, user: UserId) -> Result<(), Error> {
    // The user first: a new row refers to it.
    user::lock(transaction, user).await?;
    add(transaction, user, 0, i64::MAX).await?;
    let stored = originals_of(transaction, Expr::val(user));
    let row = transaction.query_one(&stored).await?;
    let stored: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    let update = Entity::update_many().col_expr(Column::UsedBytes, Expr::value(stored));
    update.filter(Column::UserId.eq(user)).exec(transaction).await?;
    Ok(())
}

/// How many bytes the originals of `user` have together.
fn originals_of(db: &impl ConnectionTrait, user: Expr) -> SelectStatement {
    // A sum is a decimal number to the database servers.
    let integer = match db.get_database_backend() {
        DbBackend::MySql => "SIGNED",
        _ => "BIGINT",
    };
    let sum = Expr::col((blob::Entity, blob::Column::ByteSize)).sum();
    let sum: Expr = Func::coalesce([sum, Expr::val(0_i64)]).into();
    Query::select()
        .expr(sum.cast_as(integer))
        .from(photo::Entity)
        .inner_join(
            photo_image::Entity,
            Expr::col((photo_image::Entity, photo_image::Column::PhotoId)).equals((photo::Entity, photo::Column::Id)),
        )
        .inner_join(
            blob::Entity,
            Expr::col((blob::Entity, blob::Column::Id)).equals((photo_image::Entity, photo_image::Column::BlobId)),
        )
        .and_where(Expr::col((photo::Entity, photo::Column::UserId)).eq(user))
        .and_where(
            Expr::col((photo_image::Entity, photo_image::Column::Size)).eq(photo_image::number_of(Size::Original)),
        )
        .take()
}

/// Counts these bytes no more.
pub(super) async fn subtract(db: &impl ConnectionTrait, user: UserId, bytes: i64) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::UsedBytes, Expr::col(Column::UsedBytes).sub(bytes))
        .filter(Column::UserId.eq(user))
        .exec(db)
        .await?;
    Ok(())
}
