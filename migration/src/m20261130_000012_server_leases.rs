//! One row per running server, with the time until which it counts as running.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_table, drop_table, moment};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("server_leases")
            .col(uuid("id").primary_key())
            .col(string_len("host", 255))
            .col(big_integer("process_id"))
            .col(string_len("version", 32))
            .col(moment(manager, "started_at"))
            .col(moment(manager, "expires_at"))
            .to_owned();
        create_table(manager, table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "server_leases").await
    }
}
