//! The purge of accounts: everything that belongs to a user is removed in short transactions, the user's row last.
//!
//! A user may have millions of rows. One cascade over all of them would keep other writers waiting, and would never end
//! within `database.answer_seconds`. The mark is in the database: a purge that is cut off continues with the next sweep,
//! on whatever server, and no account can be restored from it.

use std::time::Instant;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, Condition};
use uuid::Uuid;

use crate::accounts::{Accounts, account_event, api_key, email_token, idempotency, session, user};
use crate::error::Error;
use crate::id::{AccountEventId, ApiKeyId, UserId};

/// Users who are purged together. Most have few rows, which one batch removes.
const USERS_AT_ONCE: u64 = 100;

impl Accounts {
    /// Marks the users who match `due`, and purges them and all who are marked.
    pub(super) async fn purge_due(&self, due: Condition) -> Result<(), Error> {
        loop {
            let begun = Instant::now();
            let users = user::list_ids(self.database.reader(), due.clone(), USERS_AT_ONCE).await?;
            if users.is_empty() {
                break;
            }
            self.mark_purged(users, due.clone()).await?;
            self.database.rest_after(begun).await?;
        }
        loop {
            let users = user::list_ids(self.database.reader(), user::is_marked(), USERS_AT_ONCE).await?;
            if users.is_empty() {
                return Ok(());
            }
            self.purge_rows(users).await?;
        }
    }

    /// Purges one user, whose account can no longer be restored.
    pub(super) async fn purge_now(&self, id: UserId) -> Result<(), Error> {
        self.mark_purged(vec![id], Condition::all()).await?;
        self.purge_rows(vec![id]).await
    }

    /// Marks those of these users who still match `condition`.
    async fn mark_purged(&self, users: Vec<UserId>, condition: Condition) -> Result<(), Error> {
        let now = self.clock.now();
        let mark = self.database.write(move |transaction| {
            let (users, condition) = (users.clone(), condition.clone());
            Box::pin(async move {
                for id in users {
                    user::mark_purged(transaction, id, condition.clone(), now).await?;
                }
                Ok(())
            })
        });
        mark.await
    }

    async fn purge_rows(&self, users: Vec<UserId>) -> Result<(), Error> {
        let database = &self.database;
        let of_users = |is_theirs| Condition::all().add::<Expr>(is_theirs);
        let users = || users.iter().copied();
        session::remove_in_batches(database, of_users(session::Column::UserId.is_in(users()))).await?;
        let keys = of_users(api_key::Column::UserId.is_in(users()));
        database.remove_in_batches::<ApiKeyId, _>(api_key::Column::Id, keys).await?;
        let links = of_users(email_token::Column::UserId.is_in(users()));
        database.remove_in_batches::<String, _>(email_token::Column::Hash, links).await?;
        let events = of_users(account_event::Column::UserId.is_in(users()));
        database.remove_in_batches::<AccountEventId, _>(account_event::Column::Id, events).await?;
        let records = of_users(idempotency::Column::UserId.is_in(users()));
        database.remove_in_batches::<Uuid, _>(idempotency::Column::Id, records).await?;
        for purge_users in self.hooks.purge_users {
            purge_users(database.clone(), self.clock.clone(), users().collect()).await?;
        }
        let rows = of_users(user::Column::Id.is_in(users())).add(user::is_marked());
        database.remove_in_batches::<UserId, _>(user::Column::Id, rows).await?;
        Ok(())
    }
}
