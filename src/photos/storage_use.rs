//! What a user has stored: counted in the transaction that adds or removes it.
//!
//! A photo counts with every file of it, each rounded up to blocks of [`BLOCK_BYTES`], and with [`ROW_BYTES`] for what the
//! database has of it: its row, those of four images and contents, a caption of 2,000 characters, 30 tags, and their
//! indexes. So a photo counts with [`MIN_PHOTO_BYTES`] at least. Contents that several photos share count for each.
//!
//! **Invariant:** it is the sum of [`photo_bytes`] of their photos. [`MEASURE`] says so of a row: an earlier version counted
//! the bytes of originals, and its rows are counted again by the first upload and by [`Photos::recount_storage`].

use std::time::Instant;

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, OnConflict, Order, Query, SelectStatement};
use sea_orm::{DbBackend, FromQueryResult, QuerySelect as _};

use crate::accounts::user;
use crate::error::Error;
use crate::id::UserId;
use crate::photos::{Photos, blob, photo, photo_image};
use crate::store::DatabaseTransaction;

/// A row of `photo_storage`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "photo_storage")]
pub struct Model {
    /// Who.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// How many bytes their photos count with.
    pub used_bytes: i64,
    /// How they were counted: see [`MEASURE`].
    pub measure: i16,
}

/// The block in which file systems store files, and in which S3 is counted as well.
pub const BLOCK_BYTES: i64 = 4096;
/// What a photo takes in the database at most: measured with the longest caption and 20 tags.
pub const ROW_BYTES: i64 = 65_536;
/// What a photo counts with at least: four files, and its rows.
pub const MIN_PHOTO_BYTES: i64 = 4 * BLOCK_BYTES + ROW_BYTES;
/// The present way to count. 0 is that of an earlier version: the bytes of the originals.
const MEASURE: i16 = 1;
/// Users that are looked for at once.
const RECOUNTED_AT_ONCE: u64 = 100;

/// The number of bytes with which a photo counts whose files have these sizes.
#[must_use]
pub fn photo_bytes(file_bytes: impl IntoIterator<Item = i64>) -> i64 {
    let blocks = file_bytes.into_iter().map(|bytes| bytes.saturating_add(BLOCK_BYTES - 1) / BLOCK_BYTES);
    blocks.map(|blocks| blocks.saturating_mul(BLOCK_BYTES)).fold(ROW_BYTES, i64::saturating_add)
}

/// It has no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How many bytes a user has stored.
pub(super) async fn find(db: &impl ConnectionTrait, user: UserId) -> Result<i64, Error> {
    Ok(Entity::find_by_id(user).one(db).await?.map_or(0, |row| Ord::max(row.used_bytes, 0)))
}

/// Counts these bytes, if there is room for them. Until the transaction ends, nobody else counts for this user, who is
/// locked.
pub(super) async fn add(
    transaction: &DatabaseTransaction,
    user: UserId,
    bytes: i64,
    quota: i64,
) -> Result<bool, Error> {
    insert(transaction, user).await?;
    if add_to(transaction, user, bytes, quota).await? {
        return Ok(true);
    }
    let row = Entity::find_by_id(user).one(transaction).await?;
    if row.is_none_or(|row| row.measure == MEASURE) {
        return Ok(false);
    }
    set_to_sum(transaction, user).await?;
    add_to(transaction, user, bytes, quota).await
}

/// Inserts a row of somebody who has none.
async fn insert(db: &impl ConnectionTrait, user: UserId) -> Result<(), Error> {
    let row = ActiveModel { user_id: Set(user), used_bytes: Set(0), measure: Set(MEASURE) };
    let keep = OnConflict::column(Column::UserId).do_nothing_on([Column::UserId]).to_owned();
    Entity::insert(row).on_conflict(keep).exec_without_returning(db).await?;
    Ok(())
}

async fn add_to(db: &impl ConnectionTrait, user: UserId, bytes: i64, quota: i64) -> Result<bool, Error> {
    let room = quota.saturating_sub(bytes);
    let added = Entity::update_many()
        .col_expr(Column::UsedBytes, Expr::col(Column::UsedBytes).add(bytes))
        .filter(Column::UserId.eq(user))
        .filter(Column::UsedBytes.lte(room))
        .filter(Column::Measure.eq(MEASURE))
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
    measure: i16,
}

impl Counted {
    /// Whether the figures differ, and not because an earlier version has counted.
    pub(super) fn is_wrong(&self) -> bool {
        self.used_bytes != self.stored_bytes && self.measure == MEASURE
    }
}

/// The next users by id. One statement, so that both figures are of the same moment.
pub(super) async fn list_counted(
    db: &impl ConnectionTrait,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<Counted>, Error> {
    let stored = sum_of(db, Expr::col((user::Entity, user::Column::Id)));
    let measure = Func::coalesce([Expr::col((Entity, Column::Measure)), Expr::val(MEASURE)]);
    let used = Func::coalesce([Expr::col((Entity, Column::UsedBytes)), Expr::val(0_i64)]);
    let after = after.map_or(Uuid::nil(), UserId::uuid);
    let select = Query::select()
        .expr_as(Expr::col((user::Entity, user::Column::Id)), "user_id")
        .expr_as(Expr::col((user::Entity, user::Column::Username)), "username")
        .expr_as(used, "used_bytes")
        .expr_as(stored, "stored_bytes")
        .expr_as(measure, "measure")
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
    insert(transaction, user).await?;
    set_to_sum(transaction, user).await
}

async fn set_to_sum(transaction: &DatabaseTransaction, user: UserId) -> Result<(), Error> {
    // Whoever deletes photos writes the row as well: from here on they wait.
    subtract(transaction, user, 0).await?;
    let sum = Query::select().expr(sum_of(transaction, Expr::val(user))).take();
    let row = transaction.query_one(&sum).await?;
    let sum: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
    let update = Entity::update_many().col_expr(Column::UsedBytes, Expr::value(sum));
    update.col_expr(Column::Measure, Expr::value(MEASURE)).filter(Column::UserId.eq(user)).exec(transaction).await?;
    Ok(())
}

/// The sum of [`photo_bytes`] of all photos of `user`.
fn sum_of(db: &impl ConnectionTrait, user: Expr) -> Expr {
    // A sum is a decimal number to the database servers.
    let integer = match db.get_database_backend() {
        DbBackend::MySql => "SIGNED",
        _ => "BIGINT",
    };
    let size = || Expr::col((blob::Entity, blob::Column::ByteSize)).add(BLOCK_BYTES - 1);
    let blocks = size().sub(size().modulo(BLOCK_BYTES));
    let sum: Expr = Func::coalesce([blocks.sum(), Expr::val(0_i64)]).into();
    let files = Query::select()
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
        .and_where(Expr::col((photo::Entity, photo::Column::UserId)).eq(user.clone()))
        .take();
    let photos = Query::select()
        .expr(Expr::col((photo::Entity, photo::Column::Id)).count())
        .from(photo::Entity)
        .and_where(Expr::col((photo::Entity, photo::Column::UserId)).eq(user))
        .take();
    let scalar = |select: SelectStatement| Expr::SubQuery(None, Box::new(select.into()));
    scalar(files).add(scalar(photos).mul(ROW_BYTES))
}

impl Photos {
    /// Counts again what an earlier version has counted: user by user, so that it can be ended at any time, and several
    /// servers may do it at once.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn recount_storage(&self) -> Result<(), Error> {
        loop {
            let earlier = Entity::find().filter(Column::Measure.ne(MEASURE)).limit(RECOUNTED_AT_ONCE);
            let earlier: Vec<UserId> =
                earlier.select_only().column(Column::UserId).into_tuple().all(self.database.reader()).await?;
            if earlier.is_empty() {
                return Ok(());
            }
            for user in earlier {
                let begun = Instant::now();
                let recount =
                    self.database.write(move |transaction| Box::pin(async move { recount(transaction, user).await }));
                recount.await?;
                self.database.rest_after(begun).await?;
            }
        }
    }
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
