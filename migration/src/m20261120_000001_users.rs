//! People. The `_key` columns hold the normalised form that must be unique.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("users")
            .col(uuid("id").primary_key())
            .col(string_len("username", 32))
            .col(string_len("username_key", 64))
            .col(string_len_null("email", 254))
            .col(string_len_null("email_key", 254))
            .col(string_len_null("name", 100))
            .col(string_len("password_hash", 255))
            .col(string_len("role", 16))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .to_owned();
        manager.create_table(table).await?;
        for column in ["username_key", "email_key"] {
            let name = format!("users_{column}");
            let index = Index::create().name(name).table("users").col(column).unique().to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("users").to_owned()).await
    }
}
