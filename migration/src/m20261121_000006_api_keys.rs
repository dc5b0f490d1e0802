//! API keys: their hashes, and what each may do.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment, moment_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("api_keys")
            .col(uuid("id").primary_key())
            .col(uuid("user_id"))
            .col(string_len("name", 100))
            .col(string_len("prefix", 16))
            .col(string_len("secret_hash", 64))
            .col(small_integer("scopes"))
            .col(uuid_null("counter_id"))
            .col(string_len_null("counter_name", 128))
            .col(moment(manager, "created_at"))
            .col(moment_null(manager, "last_used_at"))
            .col(moment_null(manager, "expires_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("api_keys_user_id")
                    .from("api_keys", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .foreign_key(
                ForeignKey::create()
                    .name("api_keys_counter_id")
                    .from("api_keys", "counter_id")
                    .to("counters", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, table).await?;
        let by_hash = Index::create().name("api_keys_secret_hash").col("secret_hash").unique().to_owned();
        create_index(manager, "api_keys", by_hash).await?;
        for column in ["user_id", "counter_id"] {
            let name = format!("api_keys_by_{column}");
            create_index(manager, "api_keys", Index::create().name(name).col(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "api_keys").await
    }
}
