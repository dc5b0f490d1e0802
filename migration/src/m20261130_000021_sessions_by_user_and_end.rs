//! An index that finds the live sessions of a user without reading those that have been ended.

use sea_orm_migration::prelude::*;

use crate::steps::{create_index, drop_index};

const NAME: &str = "sessions_by_user_and_end";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create().name(NAME).col("user_id").col("ended_at").to_owned();
        create_index(manager, "sessions", index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_index(manager, "sessions", NAME).await
    }
}
