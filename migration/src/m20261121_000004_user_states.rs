//! What can become of an account, and the text by which it is found.

use sea_orm_migration::prelude::*;

use crate::steps::{add_column, drop_column, fill, moment_null, text_or_empty};

const MOMENTS: [&str; 4] = ["email_verified_at", "unconfirmed_until", "suspended_at", "deleted_at"];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for moment in MOMENTS {
            add_column(manager, "users", moment_null(manager, moment)).await?;
        }
        add_column(manager, "users", text_or_empty(manager, "search_key")).await?;
        fill(manager, "UPDATE users SET search_key = username_key || '\n' || lower(coalesce(name, ''))").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in MOMENTS.into_iter().chain(["search_key"]) {
            drop_column(manager, "users", column).await?;
        }
        Ok(())
    }
}
