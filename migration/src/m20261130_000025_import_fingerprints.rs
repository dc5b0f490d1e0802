//! The fingerprint of the password hash with which a user was imported, so that an import can be repeated.
//!
//! The stored hash changes with the first login. The fingerprint stays.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_len_null;

use crate::steps::{add_column, drop_column};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_column(manager, "users", string_len_null("import_fingerprint", 64)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_column(manager, "users", "import_fingerprint").await
    }
}
