//! A counter, as the database keeps it.

use std::sync::Arc;

use chrono::Utc;
use futures_util::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockType};
use sea_orm::{Condition, DbBackend, QuerySelect};

use crate::counters::DEFAULT;
use crate::error::Error;
use crate::id::{CounterId, UserId};
use crate::store::DatabaseTransaction;

/// Characters of a counter's name at most.
pub(super) const MAX_NAME_CHARS: usize = 128;

/// A row of `counters`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "counters")]
pub struct Model {
    /// Global id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CounterId,
    /// Whose counter it is.
    pub user_id: UserId,
    /// Unique among its owner's.
    pub name: String,
    /// The last integer taken.
    pub current: i64,
    /// What `next` adds.
    pub step: i32,
    /// What `next` never goes past.
    pub max: i64,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When `current` last changed.
    pub updated_at: DateTimeUtc,
    /// Time of its deletion. The row stays until `purge.rs` has removed what refers to it.
    pub deleted_at: Option<DateTimeUtc>,
    /// Number of its rows in `counter_answers`, changed only in the transaction that adds or removes them.
    pub idempotency_records: i64,
}

/// Counters have no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Which counter: its owner and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) owner: UserId,
    pub(super) name: Arc<str>,
}

impl Key {
    /// The key of `owner`'s counter `name`; `None` for what no counter is called.
    pub(super) fn of(owner: UserId, name: &str) -> Option<Self> {
        is_name(name).then(|| Self { owner, name: name.into() })
    }
}

/// Whether a counter can be called so.
pub(super) fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=MAX_NAME_CHARS).contains(&name.len()) && name.bytes().all(good)
}

/// The integer that this counter shows.
pub(super) async fn find_current(db: &impl ConnectionTrait, key: &Key) -> Result<Option<i64>, Error> {
    let current = by_key(key).select_only().column(Column::Current).into_tuple::<i64>();
    Ok(current.one(db).await?)
}

/// This counter.
pub(super) async fn find_by_key(db: &impl ConnectionTrait, key: &Key) -> Result<Option<Model>, Error> {
    Ok(by_key(key).one(db).await?)
}

/// Those of `ids` that exist and are `owner`'s, in no order.
pub(super) async fn list_by_ids(
    db: &impl ConnectionTrait,
    owner: UserId,
    ids: &[CounterId],
) -> Result<Vec<Model>, Error> {
    Ok(of(owner).filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// A user's counters, to be filtered and ordered further.
pub(super) fn of(owner: UserId) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(owner)).filter(Column::DeletedAt.is_null())
}

/// Matches deleted counters. A range, because SQLite does not use the index for IS NOT NULL.
pub(super) fn is_deleted() -> Condition {
    Condition::all().add(Column::DeletedAt.gt(chrono::DateTime::UNIX_EPOCH))
}

/// How many counters a user has.
pub(super) async fn count(db: &impl ConnectionTrait, owner: UserId) -> Result<u64, Error> {
    Ok(of(owner).count(db).await?)
}

/// Locks a user's default counter until the transaction ends, and with it the set of their counters: on SQLite there
/// is one writer.
pub(super) async fn lock_default(transaction: &DatabaseTransaction, owner: UserId) -> Result<(), Error> {
    let default = of(owner).filter(Column::Name.eq(DEFAULT));
    let default = match transaction.get_database_backend() {
        DbBackend::Sqlite => default,
        _ => default.lock(LockType::Update),
    };
    default.one(transaction).await?;
    Ok(())
}

/// Locks a counter until the transaction ends, whether it is deleted or not. SQLite has one writer.
pub(super) async fn lock_by_id(transaction: &DatabaseTransaction, id: CounterId) -> Result<Option<Model>, Error> {
    let counter = Entity::find_by_id(id);
    let counter = match transaction.get_database_backend() {
        DbBackend::Sqlite => counter,
        _ => counter.lock(LockType::Update),
    };
    Ok(counter.one(transaction).await?)
}

/// Locks a user's counter until the transaction ends, so that it is not deleted meanwhile; false if there is none.
pub fn lock_counter(
    transaction: &DatabaseTransaction,
    owner: UserId,
    id: CounterId,
) -> BoxFuture<'_, Result<bool, Error>> {
    Box::pin(async move {
        let counter = lock_by_id(transaction, id).await?;
        Ok(counter.is_some_and(|counter| counter.user_id == owner && counter.deleted_at.is_none()))
    })
}

/// Marks a counter as deleted; false if it is already. Its name is free from the commit on: the new one is the id
/// behind a character that no name has, so that no client reaches it.
pub(super) async fn mark_deleted(
    db: &impl ConnectionTrait,
    id: CounterId,
    now: chrono::DateTime<Utc>,
) -> Result<bool, Error> {
    let update = Entity::update_many()
        .col_expr(Column::DeletedAt, Expr::value(now))
        .col_expr(Column::Name, Expr::value(format!("!{}", id.uuid().simple())))
        .filter(Column::Id.eq(id))
        .filter(Column::DeletedAt.is_null());
    Ok(update.exec(db).await?.rows_affected == 1)
}

/// Subtracts removed idempotency records from a locked counter's number of them. Never below zero: servers of an older
/// version that ran beside the migration have not counted theirs.
pub(super) async fn subtract_records(db: &impl ConnectionTrait, id: CounterId, removed: u64) -> Result<(), Error> {
    let removed = i64::try_from(removed).unwrap_or(i64::MAX);
    let records = || Expr::col(Column::IdempotencyRecords);
    let left = Expr::case(records().gt(removed), records().sub(removed)).finally(0);
    let update = Entity::update_many().col_expr(Column::IdempotencyRecords, left.into());
    update.filter(Column::Id.eq(id)).exec(db).await?;
    Ok(())
}

/// The number of idempotency records of each of these users: of all their counters, deleted ones included, because
/// those are stored as well until they are purged.
pub(super) async fn sum_records(db: &impl ConnectionTrait, users: &[UserId]) -> Result<Vec<(UserId, i64)>, Error> {
    // A sum is a decimal number to the database servers.
    let integer = match db.get_database_backend() {
        DbBackend::MySql => "SIGNED",
        _ => "BIGINT",
    };
    let sums = Entity::find()
        .select_only()
        .column(Column::UserId)
        .expr(Expr::col(Column::IdempotencyRecords).sum().cast_as(integer))
        .filter(Column::UserId.is_in(users.iter().copied()))
        .group_by(Column::UserId);
    Ok(sums.into_tuple().all(db).await?)
}

fn by_key(key: &Key) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(key.owner)).filter(Column::Name.eq(&*key.name))
}
