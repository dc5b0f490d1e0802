//! The kind of actor and the subject of an entry of the audit log, the detail of a queued mail, and
//! an index that finds the entries of one kind about a user.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{add_column, create_index, drop_column, drop_index};

const BY_KIND: &str = "account_events_by_user_and_kind";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, "account_events", string_len_null("actor_kind", 16)).await?;
        add_column(manager, "account_events", string_len_null("subject", 255)).await?;
        add_column(manager, "mails", string_len_null("detail", 255)).await?;
        let by_kind = Index::create().name(BY_KIND).col("user_id").col("kind").col("id").to_owned();
        create_index(manager, "account_events", by_kind).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_index(manager, "account_events", BY_KIND).await?;
        drop_column(manager, "mails", "detail").await?;
        drop_column(manager, "account_events", "subject").await?;
        drop_column(manager, "account_events", "actor_kind").await
    }
}
