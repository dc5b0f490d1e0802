//! Photos, their sizes, their tags, and what each user has stored.

use sea_orm_migration::{prelude::*, schema::*};

use crate::steps::{create_index, create_table, drop_table, moment, moment_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_photos(manager).await?;
        create_images(manager).await?;
        create_tags(manager).await?;
        let storage = Table::create()
            .table("photo_storage")
            .col(uuid("user_id").primary_key())
            .col(big_integer("used_bytes"))
            .foreign_key(
                ForeignKey::create()
                    .name("photo_storage_user_id")
                    .from("photo_storage", "user_id")
                    .to("users", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        create_table(manager, storage).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["photo_storage", "photo_tags", "photo_images", "photos"] {
            drop_table(manager, table).await?;
        }
        Ok(())
    }
}

async fn create_photos(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("photos")
        .col(uuid("id").primary_key())
        // Without a user a photo waits for the sweep, which releases what it holds.
        .col(uuid_null("user_id"))
        .col(boolean("published"))
        .col(text_null("caption"))
        .col(string_len("thumbhash", 64))
        .col(moment(manager, "created_at"))
        .col(moment(manager, "updated_at"))
        .col(moment_null(manager, "published_at"))
        .col(moment_null(manager, "announced_at"))
        .foreign_key(
            ForeignKey::create()
                .name("photos_user_id")
                .from("photos", "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::SetNull),
        )
        .to_owned();
    create_table(manager, table).await?;
    for (name, columns) in [
        ("photos_by_publication", &["published", "published_at", "id"] as &[&'static str]),
        ("photos_by_author_and_publication", &["user_id", "published", "published_at", "id"]),
        ("photos_by_author_and_creation", &["user_id", "created_at", "id"]),
        ("photos_by_announcement", &["announced_at"]),
    ] {
        let mut index = Index::create().name(name).to_owned();
        for column in columns {
            index.col(*column);
        }
        create_index(manager, "photos", index).await?;
    }
    Ok(())
}

async fn create_images(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("photo_images")
        .col(uuid("photo_id"))
        .col(small_integer("size"))
        .col(uuid("blob_id"))
        .col(small_integer("format"))
        .col(integer("width"))
        .col(integer("height"))
        .primary_key(Index::create().col("photo_id").col("size"))
        .foreign_key(
            ForeignKey::create()
                .name("photo_images_photo_id")
                .from("photo_images", "photo_id")
                .to("photos", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .foreign_key(
            ForeignKey::create().name("photo_images_blob_id").from("photo_images", "blob_id").to("blobs", "id"),
        )
        .to_owned();
    create_table(manager, table).await?;
    let by_blob = Index::create().name("photo_images_by_blob").col("blob_id").to_owned();
    create_index(manager, "photo_images", by_blob).await
}

async fn create_tags(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("photo_tags")
        .col(string_len("tag", 100))
        .col(uuid("photo_id"))
        .primary_key(Index::create().col("tag").col("photo_id"))
        .foreign_key(
            ForeignKey::create()
                .name("photo_tags_photo_id")
                .from("photo_tags", "photo_id")
                .to("photos", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned();
    create_table(manager, table).await?;
    let by_photo = Index::create().name("photo_tags_by_photo").col("photo_id").to_owned();
    create_index(manager, "photo_tags", by_photo).await
}
