//! Counters that are marked as deleted until their rows are purged, and the number of idempotency records of each.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{add_column, create_index, drop_column, drop_index, fill, moment_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, "counters", moment_null(manager, "deleted_at")).await?;
        add_column(manager, "counters", big_integer("idempotency_records").default(0).take()).await?;
        let by_deletion = Index::create().name("counters_by_deletion").col("deleted_at").to_owned();
        create_index(manager, "counters", by_deletion).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Without the column nothing would tell a deleted counter from another one.
        fill(manager, "DELETE FROM counters WHERE name LIKE '!%'").await?;
        drop_index(manager, "counters", "counters_by_deletion").await?;
        for column in ["idempotency_records", "deleted_at"] {
            drop_column(manager, "counters", column).await?;
        }
        Ok(())
    }
}
