//! The photos of a user, for an export: drafts and published ones, and the original files if they are asked for.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::entity::prelude::*;
use serde_json::{Value, json};

use crate::accounts::export::{ExportUser, FileOutcome, Files, Items, PAGE_ROWS, Request, Section, paged};
use crate::clock::rfc3339;
use crate::error::Error;
use crate::id::{PhotoId, UserId};
use crate::page::{Order, Window};
use crate::photos::photo_image::{self, Stored};
use crate::photos::picture::Size;
use crate::photos::{FirstUse, Photos, caption, list, photo, storage_use};

impl ExportUser for Photos {
    fn export_user(&self, request: &Request) -> Vec<Section<'_>> {
        let (reader, user) = (self.database.reader(), request.user);
        let used_bytes = async move { Ok::<_, Error>(json!({ "usedBytes": storage_use::find(reader, user).await? })) };
        vec![
            Section::value("storage", Box::pin(used_bytes)),
            Section::list("photos", self.export_photos(user, request.files.clone())),
        ]
    }
}

impl Photos {
    fn export_photos(&self, user: UserId, files: Option<Arc<Files>>) -> Items<'_> {
        paged(move |after: Option<(DateTimeUtc, PhotoId)>| {
            let files = files.clone();
            Box::pin(async move {
                let mut photos = photo::of(user);
                if let Some((created_at, _)) = after {
                    // Implied by the cursor; with it the index is entered there.
                    photos = photos.filter(photo::Column::CreatedAt.gte(created_at));
                }
                let cursor = after.map(|(created_at, id)| list::key_of(created_at, id));
                let window = Window { after: cursor, before: None, rows: PAGE_ROWS, backward: false };
                let page = self.page(photos, photo::Column::CreatedAt, Order::Asc, &window).await?;
                if files.is_some() && after.is_none() && !page.rows.is_empty() {
                    self.attach_storage(FirstUse::Refuse).await.map_err(Error::internal)?;
                }
                let last = page.rows.last().filter(|_| page.has_next).map(|photo| (photo.created_at, photo.id));
                let ids: Vec<PhotoId> = page.rows.iter().map(|photo| photo.id).collect();
                let mut images: HashMap<PhotoId, Vec<Stored>> = HashMap::new();
                for image in photo_image::list_of(self.database.reader(), &ids).await? {
                    images.entry(image.photo_id).or_default().push(image);
                }
                let mut items = Vec::with_capacity(page.rows.len());
                for photo in &page.rows {
                    let images = images.remove(&photo.id).unwrap_or_default();
                    items.push(self.export_photo(photo, images, files.as_deref()).await?);
                }
                Ok((items, last))
            })
        })
    }

    async fn export_photo(
        &self,
        photo: &photo::Model,
        mut images: Vec<Stored>,
        files: Option<&Files>,
    ) -> Result<Value, Error> {
        images.sort_by_key(|image| image.size);
        let caption = photo.caption.as_deref();
        let tags = caption::tags(caption.unwrap_or_default()).into_iter().map(|tag| tag.text);
        let mut document = json!({
            "id": photo.id.to_string(),
            "state": if photo.published { "PUBLISHED" } else { "DRAFT" },
            "caption": caption,
            "tags": tags.collect::<Vec<_>>(),
            "createdAt": rfc3339(photo.created_at),
            "updatedAt": rfc3339(photo.updated_at),
            "publishedAt": photo.published_at.map(rfc3339),
            "announcedAt": photo.announced_at.map(rfc3339),
            "images": images.iter().filter_map(|image| self.export_image(photo, image)).collect::<Vec<_>>(),
        });
        if let (Some(files), Value::Object(members)) = (files, &mut document) {
            let original = images.iter().find(|image| image.size == photo_image::number_of(Size::Original));
            let extension = original.map_or("original", |image| image.format().extension());
            let name = format!("{}.{extension}", photo.id);
            let outcome = match original {
                Some(original) => self.export_file(files, &name, original).await?,
                None => FileOutcome::Missing,
            };
            files.count(&name, outcome);
            let fault = outcome.fault();
            members.insert("file".to_owned(), json!(fault.is_none().then_some(name)));
            members.insert("fileError".to_owned(), json!(fault));
        }
        Ok(document)
    }

    async fn export_file(&self, files: &Files, name: &str, original: &Stored) -> Result<FileOutcome, Error> {
        if let Some(found) = files.find(name, &original.hash)? {
            return Ok(found);
        }
        if let Some((_, content)) = self.blobs.read(&original.object_key, None).await? {
            return files.write(name, &original.hash, content).await;
        }
        let still = photo_image::find_original(self.database.reader(), original.photo_id).await?;
        Ok(if still.is_some() { FileOutcome::Missing } else { FileOutcome::Deleted })
    }

    fn export_image(&self, photo: &photo::Model, image: &Stored) -> Option<Value> {
        let size = photo_image::size_of(image.size)?;
        let name = match size {
            Size::Thumbnail => "THUMBNAIL",
            Size::Small => "SMALL",
            Size::Large => "LARGE",
            Size::Original => "ORIGINAL",
        };
        Some(json!({
            "size": name,
            "contentType": image.format().content_type(),
            "width": image.width,
            "height": image.height,
            "byteSize": image.byte_size,
            "sha256": image.hash,
            "url": self.link(image, size, photo.link_generation, None),
        }))
    }
}
