//! People. The `_key` columns hold the normalised form that must be unique.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment};

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
            .col(moment(manager, "created_at"))
            .col(moment(manager, "updated_at"))
            .to_owned();
        create_table(manager, table).await?;
        for column in ["username_key", "email_key"] {
            let name = format!("users_{column}");
            let index = Index::create().name(name).col(column).unique().to_owned();
            create_index(manager, "users", index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "users").await
    }
}
