//! Contents: what is stored, under which name, and what nobody may need any more.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("blobs")
            .col(uuid("id").primary_key())
            .col(string_len_null("hash", 64))
            .col(string_len("object_key", 96))
            .col(big_integer("byte_size"))
            .col(moment_null(manager, "sweep_after"))
            .to_owned();
        create_table(manager, table).await?;
        let by_hash = Index::create().name("blobs_hash").col("hash").unique().to_owned();
        create_index(manager, "blobs", by_hash).await?;
        let by_sweep = Index::create().name("blobs_by_sweep_after").col("sweep_after").to_owned();
        create_index(manager, "blobs", by_sweep).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "blobs").await
    }
}
