//! A counter, as the database keeps it.

use sea_orm::FromQueryResult;
use sea_orm::entity::prelude::*;

use crate::error::Error;
use crate::id::{CounterId, UserId};

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

/// The integer that `owner`'s counter of this name shows.
pub(super) async fn find_current(db: &impl ConnectionTrait, owner: UserId, name: &str) -> Result<Option<i64>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        current: i64,
    }
    let select = sea_orm::QuerySelect::column(sea_orm::QuerySelect::select_only(owned(owner)), Column::Current);
    Ok(select.filter(Column::Name.eq(name)).into_model::<Row>().one(db).await?.map(|row| row.current))
}

/// `owner`'s counter of this name.
pub(super) async fn find_by_name(db: &impl ConnectionTrait, owner: UserId, name: &str) -> Result<Option<Model>, Error> {
    Ok(owned(owner).filter(Column::Name.eq(name)).one(db).await?)
}

/// Those of `ids` that exist and are `owner`'s, in no order.
pub(super) async fn list_by_ids(
    db: &impl ConnectionTrait,
    owner: UserId,
    ids: &[CounterId],
) -> Result<Vec<Model>, Error> {
    Ok(owned(owner).filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

fn owned(owner: UserId) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(owner))
}
