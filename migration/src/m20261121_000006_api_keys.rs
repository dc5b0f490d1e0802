//! API keys: their hashes, and what each may do.

use sea_orm_migration::{prelude::*, schema::*};

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
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("last_used_at"))
            .col(timestamp_with_time_zone_null("expires_at"))
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
        manager.create_table(table).await?;
        let by_hash =
            Index::create().name("api_keys_secret_hash").table("api_keys").col("secret_hash").unique().to_owned();
        manager.create_index(by_hash).await?;
        for column in ["user_id", "counter_id"] {
            let name = format!("api_keys_by_{column}");
            manager.create_index(Index::create().name(name).table("api_keys").col(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("api_keys").to_owned()).await
    }
}
