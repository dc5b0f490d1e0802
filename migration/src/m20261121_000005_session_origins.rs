//! From where a session was opened, and when it was last used.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns =
            [string_len_null("ip_address", 45), text_null("user_agent"), timestamp_with_time_zone_null("last_used_at")];
        for column in columns {
            manager.alter_table(Table::alter().table("sessions").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["ip_address", "user_agent", "last_used_at"] {
            manager.alter_table(Table::alter().table("sessions").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
