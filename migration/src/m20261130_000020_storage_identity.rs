//! The identity of this database, and of the storage that holds its photos.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_table, drop_table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("storage_identity")
            // Always 1: there is one row.
            .col(small_integer("id").primary_key())
            .col(uuid("database_id"))
            // Null until a storage has been assigned.
            .col(uuid_null("storage_id"))
            // A description of the storage, for messages.
            .col(string_len_null("place", 1024))
            .to_owned();
        create_table(manager, table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "storage_identity").await
    }
}
