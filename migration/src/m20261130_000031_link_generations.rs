//! The generation of a photo's signed URLs: they end when it changes.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, "photos", big_integer("link_generation").default(0).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_column(manager, "photos", "link_generation").await
    }
}
