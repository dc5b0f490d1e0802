//! From where a session was opened, and when it was last used.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{add_column, drop_column, moment_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns =
            [string_len_null("ip_address", 45), text_null("user_agent"), moment_null(manager, "last_used_at")];
        for column in columns {
            add_column(manager, "sessions", column).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["ip_address", "user_agent", "last_used_at"] {
            drop_column(manager, "sessions", column).await?;
        }
        Ok(())
    }
}
