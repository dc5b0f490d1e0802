//! Sessions: one a login, ended by a time in `ended_at`; and access tokens that were given up alone.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("sessions")
            .col(uuid("id").primary_key())
            .col(uuid("user_id"))
            .col(integer("generation"))
            .col(string_len_null("name", 100))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .col(timestamp_with_time_zone_null("refresh_ended_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("sessions_user_id")
                    .from("sessions", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(table).await?;
        let by_user = Index::create().name("sessions_by_user").table("sessions").col("user_id").to_owned();
        manager.create_index(by_user).await?;
        let revoked = Table::create()
            .table("revoked_access_tokens")
            .col(uuid("id").primary_key())
            .col(uuid("session_id"))
            .col(timestamp_with_time_zone("expires_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("revoked_access_tokens_session_id")
                    .from("revoked_access_tokens", "session_id")
                    .to("sessions", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(revoked).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("revoked_access_tokens").to_owned()).await?;
        manager.drop_table(Table::drop().table("sessions").to_owned()).await
    }
}
