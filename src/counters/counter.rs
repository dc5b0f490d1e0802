//! A counter, as the database keeps it.

use std::sync::Arc;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{DbBackend, QueryOrder as _, QuerySelect};

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
    let own = Entity::find().filter(Column::UserId.eq(owner));
    Ok(own.filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// Every counter of `owner`, by name.
pub(super) async fn list_all(db: &impl ConnectionTrait, owner: UserId) -> Result<Vec<Model>, Error> {
    Ok(Entity::find().filter(Column::UserId.eq(owner)).order_by_asc(Column::Name).all(db).await?)
}

/// A user's counters, to be filtered and ordered further.
pub(super) fn of(owner: UserId) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(owner))
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

/// Removes a counter, for whoever does so first.
pub(super) async fn remove(db: &impl ConnectionTrait, id: CounterId) -> Result<bool, Error> {
    Ok(Entity::delete_by_id(id).exec(db).await?.rows_affected == 1)
}

fn by_key(key: &Key) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(key.owner)).filter(Column::Name.eq(&*key.name))
}
