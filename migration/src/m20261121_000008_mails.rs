//! Mails that wait to be sent, and the hashes of the tokens in those that were.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // No foreign key: whether anybody has the address is found out when the mail is sent.
        let mails = Table::create()
            .table("mails")
            .col(uuid("id").primary_key())
            .col(string_len("kind", 32))
            .col(string_len("recipient", 254))
            .col(uuid_null("user_id"))
            .col(integer("attempts"))
            .col(moment(manager, "created_at"))
            .col(moment(manager, "due_at"))
            .to_owned();
        create_table(manager, mails).await?;
        let by_due = Index::create().name("mails_by_due").col("due_at").to_owned();
        create_index(manager, "mails", by_due).await?;
        let tokens = Table::create()
            .table("email_tokens")
            .col(string_len("hash", 64).primary_key())
            .col(string_len("kind", 32))
            .col(uuid("user_id"))
            .col(string_len("email", 254))
            .col(moment(manager, "expires_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("email_tokens_user_id")
                    .from("email_tokens", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, tokens).await?;
        let by_user = Index::create().name("email_tokens_by_user").col("user_id").to_owned();
        create_index(manager, "email_tokens", by_user).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "email_tokens").await?;
        drop_table(manager, "mails").await
    }
}
