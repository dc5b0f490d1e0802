//! One sentence: the change, and the reason for it.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// Take every step from `steps.rs`: a migration that was interrupted runs again, and they skip what
// has been done.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("notes")
            .col(uuid("id").primary_key())
            .col(uuid("user_id"))
            .col(string_len("title", 100))
            .col(moment(manager, "created_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("notes_user_id")
                    .from("notes", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, table).await?;
        let by_user = Index::create().name("notes_by_user").col("user_id").to_owned();
        create_index(manager, "notes", by_user).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "notes").await
    }
}
