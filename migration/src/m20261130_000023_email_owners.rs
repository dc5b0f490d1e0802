//! The owners of e-mail addresses: an address that nobody has confirmed may be that of several accounts.
//!
//! `email_owner_key` is unique and set for the owner alone. It is a column because MariaDB has no partial index.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{add_column, create_index, drop_column, drop_index, fill, fill_with, moment_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, "users", string_len_null("email_owner_key", 254)).await?;
        add_column(manager, "users", moment_null(manager, "restorable_until")).await?;
        // The keys are unique until the last step. Owners have to be known before the server starts: another account
        // could confirm their address.
        fill(
            manager,
            "UPDATE users SET email_owner_key = email_key WHERE email_verified_at IS NOT NULL AND email_key IS NOT NULL \
             AND email_owner_key IS NULL",
        )
        .await?;
        let owner = Index::create().name("users_email_owner_key").col("email_owner_key").unique().to_owned();
        create_index(manager, "users", owner).await?;
        let newest = Index::create().name("users_by_email_key").col("email_key").col("created_at").to_owned();
        create_index(manager, "users", newest).await?;
        drop_index(manager, "users", "users_email_key").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Of several accounts with one address the owner keeps it, or else the newest.
        fill_with(
            manager,
            "users",
            "email_owner_key",
            "UPDATE users SET email = NULL, email_key = NULL WHERE email_key IS NOT NULL AND email_owner_key IS NULL \
             AND EXISTS (SELECT 1 FROM (SELECT id, email_key, email_owner_key FROM users) AS other \
             WHERE other.email_key = users.email_key AND other.id <> users.id \
             AND (other.email_owner_key IS NOT NULL OR other.id > users.id))",
        )
        .await?;
        let unique = Index::create().name("users_email_key").col("email_key").unique().to_owned();
        create_index(manager, "users", unique).await?;
        drop_index(manager, "users", "users_by_email_key").await?;
        drop_index(manager, "users", "users_email_owner_key").await?;
        drop_column(manager, "users", "restorable_until").await?;
        drop_column(manager, "users", "email_owner_key").await
    }
}
