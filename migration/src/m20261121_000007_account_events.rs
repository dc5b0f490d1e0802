//! The audit log: what was done to an account, by whom and from where.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // No foreign key for the actor: what an administrator did stays true when their account is gone.
        let table = Table::create()
            .table("account_events")
            .col(uuid("id").primary_key())
            .col(uuid("user_id"))
            .col(uuid_null("actor_id"))
            .col(string_len("kind", 32))
            .col(string_len_null("ip_address", 45))
            .col(text_null("user_agent"))
            .col(moment(manager, "created_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("account_events_user_id")
                    .from("account_events", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, table).await?;
        let by_user = Index::create().name("account_events_by_user").col("user_id").col("id").to_owned();
        create_index(manager, "account_events", by_user).await?;
        let by_age = Index::create().name("account_events_by_age").col("created_at").to_owned();
        create_index(manager, "account_events", by_age).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "account_events").await
    }
}
