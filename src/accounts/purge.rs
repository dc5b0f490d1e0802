//! The purge of accounts: everything that belongs to a user is removed in short transactions, the user's row last.
//!
//! A user may have millions of rows. One cascade over all of them would keep other writers waiting, and would never end
//! within `database.answer_seconds`. The mark is in the database: a purge that is cut off continues with the next sweep,
//! on whatever server, and nobody can be reinstated from it.

use std::time::Instant;

use sea_orm::{ColumnTrait as _, Condition};
use uuid::Uuid;

use crate::accounts::{Accounts, account_event, api_key, email_token, idempotency, session, user};
use crate::error::Error;
use crate::id::{AccountEventId, ApiKeyId, UserId};

/// Users that one statement lists.
const LISTED_USERS: u64 = 1000;

impl Accounts {
    /// Marks the users who match `due`, and purges them and all who are marked.
    pub(super) async fn purge_due(&self, due: Condition) -> Result<(), Error> {
        loop {
            let users = user::list_ids(self.database.reader(), due.clone(), LISTED_USERS).await?;
            for id in &users {
                let begun = Instant::now();
                self.mark_purged(*id, due.clone()).await?;
                self.database.rest_after(begun).await?;
            }
            if users.is_empty() {
                break;
            }
        }
        loop {
            let marked = Condition::all().add(user::Column::PurgeStartedAt.is_not_null());
            let users = user::list_ids(self.database.reader(), marked, LISTED_USERS).await?;
            for id in &users {
                self.purge_rows(*id).await?;
            }
            if users.is_empty() {
                return Ok(());
            }
        }
    }

    /// Purges one user, who may be reinstated no longer.
    pub(super) async fn purge_now(&self, id: UserId) -> Result<(), Error> {
        self.mark_purged(id, Condition::all()).await?;
        self.purge_rows(id).await
    }

    async fn mark_purged(&self, id: UserId, condition: Condition) -> Result<(), Error> {
        let now = self.clock.now();
        let mark = self.database.write(move |transaction| {
            let condition = condition.clone();
            Box::pin(async move { user::mark_purged(transaction, id, condition, now).await })
        });
        mark.await.map(drop)
    }

    async fn purge_rows(&self, id: UserId) -> Result<(), Error> {
        let database = &self.database;
        session::remove_in_batches(database, Condition::all().add(session::Column::UserId.eq(id))).await?;
        let keys = Condition::all().add(api_key::Column::UserId.eq(id));
        database.remove_in_batches::<ApiKeyId, _>(api_key::Column::Id, keys).await?;
        let links = Condition::all().add(email_token::Column::UserId.eq(id));
        database.remove_in_batches::<String, _>(email_token::Column::Hash, links).await?;
        let events = Condition::all().add(account_event::Column::UserId.eq(id));
        database.remove_in_batches::<AccountEventId, _>(account_event::Column::Id, events).await?;
        let records = Condition::all().add(idempotency::Column::UserId.eq(id));
        database.remove_in_batches::<Uuid, _>(idempotency::Column::Id, records).await?;
        for purge_user in self.hooks.purge_user {
            purge_user(database.clone(), self.clock.clone(), id).await?;
        }
        let user = Condition::all().add(user::Column::Id.eq(id)).add(user::Column::PurgeStartedAt.is_not_null());
        database.remove_in_batches::<UserId, _>(user::Column::Id, user).await?;
        Ok(())
    }
}
