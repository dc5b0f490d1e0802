//! Counts the idempotency records that each counter has.
//!
//! A migration of its own, so that PostgreSQL does not hold the exclusive lock of the new column while it counts. It
//! locks the counters that have records, and reads each record once.

use sea_orm_migration::prelude::*;

use crate::steps::fill;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let counts = "UPDATE counters SET idempotency_records = \
                    (SELECT COUNT(*) FROM counter_answers WHERE counter_answers.counter_id = counters.id) \
                    WHERE EXISTS (SELECT 1 FROM counter_answers WHERE counter_answers.counter_id = counters.id)";
        fill(manager, counts).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
