//! An access token that was given up alone, while its session lives on. Kept until it would have expired.

use std::collections::HashSet;

use chrono::Utc;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SelectStatement;
use sea_orm::{ActiveValue::Set, Condition, QuerySelect, QueryTrait, TryInsertResult};

use crate::accounts::ASKED_AT_ONCE;
use crate::error::Error;
use crate::id::SessionId;

/// A row of `revoked_access_tokens`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "revoked_access_tokens")]
pub struct Model {
    /// The `jti` claim.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The `sid` claim.
    pub session_id: SessionId,
    /// From when on it is refused anyhow.
    pub expires_at: DateTimeUtc,
}

/// No relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Revokes a token.
pub(super) async fn add(
    db: &impl ConnectionTrait,
    id: Uuid,
    session_id: SessionId,
    expires_at: chrono::DateTime<Utc>,
) -> Result<(), Error> {
    let row = ActiveModel { id: Set(id), session_id: Set(session_id), expires_at: Set(expires_at) };
    // Twice is as good as once.
    match Entity::insert(row).on_conflict_do_nothing().exec_without_returning(db).await? {
        TryInsertResult::Empty | TryInsertResult::Conflicted | TryInsertResult::Inserted(_) => Ok(()),
    }
}

/// Those of `ids` that are revoked.
pub(super) async fn list(db: &impl ConnectionTrait, ids: &HashSet<Uuid>) -> Result<HashSet<Uuid>, Error> {
    let mut revoked = HashSet::new();
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    for some in ids.chunks(ASKED_AT_ONCE) {
        let rows = Entity::find().filter(Column::Id.is_in(some.iter().copied()));
        let found: Vec<Uuid> = rows.select_only().column(Column::Id).into_tuple().all(db).await?;
        revoked.extend(found);
    }
    Ok(revoked)
}

/// Matches tokens that are refused anyhow at `moment`.
pub(super) fn expired_at(moment: chrono::DateTime<Utc>) -> Condition {
    Condition::all().add(Column::ExpiresAt.lte(moment))
}

/// Finds a row if this token is revoked: for an `EXISTS`.
pub(super) fn with_id(id: Uuid) -> SelectStatement {
    Entity::find_by_id(id).select_only().column(Column::Id).into_query()
}
