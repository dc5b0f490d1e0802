//! When the generations of a session's tokens were superseded, and which one was used.
//!
//! A mark is a generation and a moment: every generation below it was superseded at that moment or
//! before.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{add_column, drop_column, moment_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            integer_null("confirmed_generation"),
            integer_null("mark_generation"),
            moment_null(manager, "marked_at"),
            integer_null("earlier_mark_generation"),
            moment_null(manager, "earlier_marked_at"),
        ];
        for column in columns {
            add_column(manager, "sessions", column).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns =
            ["confirmed_generation", "mark_generation", "marked_at", "earlier_mark_generation", "earlier_marked_at"];
        for column in columns {
            drop_column(manager, "sessions", column).await?;
        }
        Ok(())
    }
}
