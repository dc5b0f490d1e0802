//! What can become of an account, and the text by which it is found.

use sea_orm_migration::{prelude::*, schema::*};

const MOMENTS: [&str; 4] = ["email_verified_at", "unconfirmed_until", "suspended_at", "deleted_at"];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for moment in MOMENTS {
            let add = Table::alter().table("users").add_column(timestamp_with_time_zone_null(moment)).to_owned();
            manager.alter_table(add).await?;
        }
        let search_key = text("search_key").default("").to_owned();
        manager.alter_table(Table::alter().table("users").add_column(search_key).to_owned()).await?;
        let fill = "UPDATE users SET search_key = username_key || '\n' || lower(coalesce(name, ''))";
        manager.get_connection().execute_unprepared(fill).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in MOMENTS.into_iter().chain(["search_key"]) {
            manager.alter_table(Table::alter().table("users").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
