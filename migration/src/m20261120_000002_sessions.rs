//! Sessions: one a login, ended by a time in `ended_at`; and access tokens that were given up alone.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment, moment_null};

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
            .col(moment(manager, "created_at"))
            .col(moment(manager, "expires_at"))
            .col(moment_null(manager, "refresh_ended_at"))
            .col(moment_null(manager, "ended_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("sessions_user_id")
                    .from("sessions", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, table).await?;
        let by_user = Index::create().name("sessions_by_user").col("user_id").to_owned();
        create_index(manager, "sessions", by_user).await?;
        let revoked = Table::create()
            .table("revoked_access_tokens")
            .col(uuid("id").primary_key())
            .col(uuid("session_id"))
            .col(moment(manager, "expires_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("revoked_access_tokens_session_id")
                    .from("revoked_access_tokens", "session_id")
                    .to("sessions", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, revoked).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "revoked_access_tokens").await?;
        drop_table(manager, "sessions").await
    }
}
