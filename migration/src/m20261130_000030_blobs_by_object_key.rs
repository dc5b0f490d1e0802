//! An index of the keys of contents: `photos check` looks objects up by them.

use sea_orm_migration::prelude::*;

use crate::steps::{create_index, drop_index};

const INDEX: &str = "blobs_by_object_key";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_index(manager, "blobs", Index::create().name(INDEX).col("object_key").to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_index(manager, "blobs", INDEX).await
    }
}
