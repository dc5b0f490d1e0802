//! The counters that changed last, for the operator who restores a backup.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder as _, QuerySelect as _};

use crate::accounts::user;
use crate::counters::counter::{self, Column};
use crate::error::Error;

/// A counter, and its owner's username.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestCounter {
    /// The owner's username.
    pub username: String,
    /// The counter.
    pub counter: counter::Model,
}

/// Returns the counters that changed last, the newest change first.
///
/// # Errors
/// Errors of the database.
pub async fn list_latest(db: &impl ConnectionTrait, limit: u64) -> Result<Vec<LatestCounter>, Error> {
    let latest = counter::Entity::find()
        .filter(Column::DeletedAt.is_null())
        .order_by_desc(Column::UpdatedAt)
        .order_by_asc(Column::Id)
        .limit(limit);
    let counters = latest.all(db).await?;
    let usernames = user::list_usernames(db, counters.iter().map(|counter| counter.user_id)).await?;
    let username = |counter: &counter::Model| {
        let found = usernames.iter().find(|(id, _)| *id == counter.user_id);
        found.map(|(_, username)| username.clone()).unwrap_or_default()
    };
    Ok(counters.into_iter().map(|counter| LatestCounter { username: username(&counter), counter }).collect())
}
