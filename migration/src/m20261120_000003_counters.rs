//! Counters, found by owner and name.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("counters")
            .col(uuid("id").primary_key())
            .col(uuid("user_id"))
            .col(string_len("name", 128))
            .col(big_integer("current"))
            .col(integer("step"))
            .col(big_integer("max"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("counters_user_id")
                    .from("counters", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(table).await?;
        let by_name = Index::create()
            .name("counters_user_id_name")
            .table("counters")
            .col("user_id")
            .col("name")
            .unique()
            .to_owned();
        manager.create_index(by_name).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("counters").to_owned()).await
    }
}
