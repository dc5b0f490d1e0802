//! Results of `createCounter`, `createApiKey` and `uploadPhotos` under their idempotency keys.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("idempotency_records")
            .col(uuid("id").primary_key())
            .col(uuid("user_id"))
            .col(string_len("operation", 32))
            .col(string_len("key", 128))
            .col(string_len("request_hash", 64))
            .col(text("result"))
            .col(moment(manager, "created_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("idempotency_records_user_id")
                    .from("idempotency_records", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, table).await?;
        let by_key = Index::create()
            .name("idempotency_records_user_id_operation_key")
            .col("user_id")
            .col("operation")
            .col("key")
            .unique()
            .to_owned();
        create_index(manager, "idempotency_records", by_key).await?;
        let by_age = Index::create().name("idempotency_records_by_age").col("created_at").to_owned();
        create_index(manager, "idempotency_records", by_age).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "idempotency_records").await
    }
}
