//! A person, as the database keeps them.

use sea_orm::entity::prelude::*;

use crate::error::Error;
use crate::id::UserId;

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Global id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// The name as its owner writes it.
    pub username: String,
    /// The form that is unique: see `identity.rs`.
    pub username_key: String,
    /// The address as its owner writes it.
    pub email: Option<String>,
    /// The form that is unique.
    pub email_key: Option<String>,
    /// What to call them.
    pub name: Option<String>,
    /// A PHC string.
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
    /// When they signed up.
    pub created_at: DateTimeUtc,
    /// When anything above last changed.
    pub updated_at: DateTimeUtc,
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
pub enum Role {
    /// Act for themselves.
    User,
    /// Act for everybody.
    Admin,
}

/// Users have no relations that are followed in SQL: loaders do that.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The user with this unique username.
pub(super) async fn find_by_username(db: &impl ConnectionTrait, key: &str) -> Result<Option<Model>, Error> {
    Ok(Entity::find().filter(Column::UsernameKey.eq(key)).one(db).await?)
}

/// The user with this unique e-mail address.
pub(super) async fn find_by_email(db: &impl ConnectionTrait, key: &str) -> Result<Option<Model>, Error> {
    Ok(Entity::find().filter(Column::EmailKey.eq(key)).one(db).await?)
}

/// Those of `ids` that exist, in no order. Every signed-in caller may see every user.
pub(super) async fn list_by_ids(db: &impl ConnectionTrait, ids: &[UserId]) -> Result<Vec<Model>, Error> {
    Ok(Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
}
