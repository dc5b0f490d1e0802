//! The way in which a user's storage use was counted. A server counts again what an earlier version counted: user by
//! user, so that a server that is killed leaves the rest to the next one.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // 0: the bytes of the originals.
        add_column(manager, "photo_storage", small_integer("measure").default(0).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_column(manager, "photo_storage", "measure").await
    }
}
