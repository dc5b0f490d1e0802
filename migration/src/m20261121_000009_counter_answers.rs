//! Answers that a retry with the same idempotency key gets again.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("counter_answers")
            .col(uuid("counter_id"))
            .col(string_len("key", 128))
            .col(big_integer_null("count"))
            .col(big_integer_null("set_to"))
            .col(big_integer_null("if_current"))
            .col(big_integer("previous"))
            .col(big_integer("current"))
            .col(moment(manager, "created_at"))
            .primary_key(Index::create().col("counter_id").col("key"))
            .foreign_key(
                ForeignKey::create()
                    .name("counter_answers_counter_id")
                    .from("counter_answers", "counter_id")
                    .to("counters", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, table).await?;
        let by_age = Index::create().name("counter_answers_by_age").col("created_at").to_owned();
        create_index(manager, "counter_answers", by_age).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "counter_answers").await
    }
}
