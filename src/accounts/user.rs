//! A person, as the database keeps them.

use sea_orm::Condition;
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
    /// When anything but the moments below last changed.
    pub updated_at: DateTimeUtc,
    /// When the address was shown to be theirs.
    pub email_verified_at: Option<DateTimeUtc>,
    /// Signed up where confirmation is required, and not confirmed: nobody yet, and removed after this.
    pub unconfirmed_until: Option<DateTimeUtc>,
    /// Shut out since.
    pub suspended_at: Option<DateTimeUtc>,
    /// Deleted by themselves: gone for everybody, and removed after the time of grace.
    pub deleted_at: Option<DateTimeUtc>,
    /// Username and name in one form, for searching.
    pub search_key: String,
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

/// Whether a user may act: neither suspended nor deleted, nor still to be confirmed.
pub(super) fn is_welcome() -> Condition {
    is_present().add(Column::SuspendedAt.is_null())
}

/// Whether a user is there for others: neither deleted nor still to be confirmed.
pub(super) fn is_present() -> Condition {
    Condition::all().add(Column::DeletedAt.is_null()).add(Column::UnconfirmedUntil.is_null())
}

/// The user with this unique username, whatever has become of them.
pub(super) async fn find_by_username(db: &impl ConnectionTrait, key: &str) -> Result<Option<Model>, Error> {
    Ok(Entity::find().filter(Column::UsernameKey.eq(key)).one(db).await?)
}

/// The user with this unique e-mail address, whatever has become of them.
pub(super) async fn find_by_email(db: &impl ConnectionTrait, key: &str) -> Result<Option<Model>, Error> {
    Ok(Entity::find().filter(Column::EmailKey.eq(key)).one(db).await?)
}

/// This user, whatever has become of them.
pub(super) async fn find_by_id(db: &impl ConnectionTrait, id: UserId) -> Result<Option<Model>, Error> {
    Ok(Entity::find_by_id(id).one(db).await?)
}

/// The user with this username, if they are there for others.
pub(super) async fn find_present(db: &impl ConnectionTrait, username_key: &str) -> Result<Option<Model>, Error> {
    Ok(Entity::find().filter(Column::UsernameKey.eq(username_key)).filter(is_present()).one(db).await?)
}

/// Those of `ids` that are there for others, in no order.
pub(super) async fn list_by_ids(db: &impl ConnectionTrait, ids: &[UserId]) -> Result<Vec<Model>, Error> {
    Ok(Entity::find().filter(Column::Id.is_in(ids.iter().copied())).filter(is_present()).all(db).await?)
}
