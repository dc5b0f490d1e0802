//! Users whose rows are being purged, and the index that removes a session's revoked tokens without reading all.

use sea_orm_migration::prelude::*;

use crate::steps::{add_column, create_index, drop_column, drop_index, fill, is_mysql, moment_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, "users", moment_null(manager, "purge_started_at")).await?;
        let by_purge = Index::create().name("users_by_purge").col("purge_started_at").to_owned();
        create_index(manager, "users", by_purge).await?;
        if !is_mysql(manager) {
            // InnoDB has one for the foreign key.
            let by_session = Index::create().name("revoked_access_tokens_by_session").col("session_id").to_owned();
            create_index(manager, "revoked_access_tokens", by_session).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Without the column nothing would continue their purge.
        fill(manager, "DELETE FROM users WHERE username_key LIKE '!%'").await?;
        drop_index(manager, "revoked_access_tokens", "revoked_access_tokens_by_session").await?;
        drop_index(manager, "users", "users_by_purge").await?;
        drop_column(manager, "users", "purge_started_at").await
    }
}
