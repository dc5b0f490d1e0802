//! A session, as the database keeps it: from a login to its logout or expiry.

use chrono::Utc;
use sea_orm::entity::prelude::*;
use sea_orm::{QuerySelect, sea_query::Expr};

use crate::error::Error;
use crate::id::{SessionId, UserId};

/// A row of `sessions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// Global id; the `sid` claim of its access tokens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// Whose session it is.
    pub user_id: UserId,
    /// SHA-256 of the refresh token: 256 random bits need no slow hash.
    pub refresh_token_hash: Vec<u8>,
    /// What its owner calls it, such as a device.
    pub name: Option<String>,
    /// When the password was given.
    pub created_at: DateTimeUtc,
    /// When it ends by itself.
    pub expires_at: DateTimeUtc,
    /// When it was ended.
    pub ended_at: Option<DateTimeUtc>,
}

/// Sessions have no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Whether this session of this user is live at `now`.
pub(super) async fn is_live(
    db: &impl ConnectionTrait,
    id: SessionId,
    user: UserId,
    now: chrono::DateTime<Utc>,
) -> Result<bool, Error> {
    let live = Entity::find_by_id(id)
        .select_only()
        .column(Column::Id)
        .filter(Column::UserId.eq(user))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .into_tuple::<SessionId>()
        .one(db)
        .await?;
    Ok(live.is_some())
}

/// Ends a session; how many were live, 0 or 1.
pub(super) async fn end(db: &impl ConnectionTrait, id: SessionId, now: chrono::DateTime<Utc>) -> Result<u64, Error> {
    let update = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(now));
    Ok(update.exec(db).await?.rows_affected)
}
