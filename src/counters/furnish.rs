//! What every new user gets from this slice: a counter named `default`.

use futures_util::future::BoxFuture;
use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;

use crate::clock::Clock;
use crate::counters::{DEFAULT, counter};
use crate::error::Error;
use crate::id::{CounterId, UserId};
use crate::scalars::MAX_SAFE_INTEGER;
use crate::store::DatabaseTransaction;

/// Makes `owner`'s default counter, at 0, in the transaction that makes `owner`.
pub fn furnish<'t>(
    transaction: &'t DatabaseTransaction,
    owner: UserId,
    clock: &'t Clock,
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let now = clock.now();
        let counter = counter::ActiveModel {
            id: Set(CounterId::generate()),
            user_id: Set(owner),
            name: Set(DEFAULT.to_owned()),
            current: Set(0),
            step: Set(1),
            max: Set(MAX_SAFE_INTEGER),
            created_at: Set(now),
            updated_at: Set(now),
            deleted_at: Set(None),
            idempotency_records: Set(0),
        };
        counter.insert(transaction).await?;
        Ok(())
    })
}
