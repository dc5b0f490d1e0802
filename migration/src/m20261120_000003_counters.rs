//! Counters, found by owner and name.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment};

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
            .col(moment(manager, "created_at"))
            .col(moment(manager, "updated_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("counters_user_id")
                    .from("counters", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, table).await?;
        let by_name = Index::create().name("counters_user_id_name").col("user_id").col("name").unique().to_owned();
        create_index(manager, "counters", by_name).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "counters").await
    }
}
