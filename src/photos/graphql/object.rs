//! Photos, their images and their pages, in the schema.

use std::sync::Arc;

use async_graphql::connection::{Connection, Edge, EmptyFields, PageInfo};
use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::accounts::graphql::User;
use crate::error::Error;
use crate::page::{self, Page, page_info};
use crate::photos::graphql::{caller, photos};
use crate::photos::loader::Loaders;
use crate::photos::picture::Size;
use crate::photos::{Filter, Owned, caption, list, photo, photo_image};
use crate::scalars::{DateTime, SafeInt, Url};

/// Who sees a photo.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhotoState {
    /// Its author alone.
    Draft,
    /// Everybody who is signed in.
    Published,
}

/// Which size of a photo. None is larger than the original.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhotoSize {
    /// 160 x 160, cropped from the middle.
    Thumbnail,
    /// Fits 320 x 320.
    Small,
    /// Fits 1280 x 1280.
    Large,
    /// As uploaded, metadata stripped of everything personal.
    Original,
}

impl From<PhotoSize> for Size {
    fn from(size: PhotoSize) -> Self {
        match size {
            PhotoSize::Thumbnail => Self::Thumbnail,
            PhotoSize::Small => Self::Small,
            PhotoSize::Large => Self::Large,
            PhotoSize::Original => Self::Original,
        }
    }
}

/// A picture that somebody uploaded: a draft, or published.
#[derive(Clone)]
pub struct Photo {
    row: photo::Model,
    loaders: Arc<Loaders>,
}

impl Photo {
    /// A photo that the caller may see.
    #[must_use]
    pub fn new(row: photo::Model, loaders: &Arc<Loaders>) -> Self {
        Self { row, loaders: Arc::clone(loaders) }
    }
}

/// A picture that somebody uploaded: a draft, or published.
#[Object]
impl Photo {
    /// Global id.
    pub async fn id(&self) -> ID {
        self.row.id.into()
    }
    /// The user who uploaded it. Null if their account is deleted.
    async fn author(&self) -> Option<Result<User, Error>> {
        let author = self.loaders.author(self.row.user_id?).await.transpose()?;
        Some(author.map(User::from))
    }
    /// Who sees it.
    async fn state(&self) -> PhotoState {
        if self.row.published { PhotoState::Published } else { PhotoState::Draft }
    }
    /// What its author says of it.
    async fn caption(&self) -> Option<&str> {
        self.row.caption.as_deref()
    }
    /// The #tags of the caption, lower case, in order of appearance.
    async fn tags(&self) -> Vec<String> {
        let tags = caption::tags(self.row.caption.as_deref().unwrap_or_default());
        tags.into_iter().map(|tag| tag.text).collect()
    }
    /// One size of it. Null while it is still being made.
    async fn image(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which size.", default_with = "PhotoSize::Large")] size: PhotoSize,
    ) -> Option<Result<Image, Error>> {
        let number = photo_image::number_of(size.into());
        let images = match self.loaders.images(self.row.id).await {
            Ok(images) => images,
            Err(error) => return Some(Err(error)),
        };
        let image = images.into_iter().find(|image| image.size == number)?;
        let base_url = caller(ctx).origin.base_url.as_deref();
        let url = Url(self.loaders.photos.link(&image, size.into(), self.row.link_generation, base_url));
        Some(Ok(Image { content_type: image.format().content_type(), url, stored: image }))
    }
    /// A 20 to 30 byte ThumbHash, base64: a placeholder to draw before the image arrives.
    async fn thumbhash(&self) -> &str {
        &self.row.thumbhash
    }
    /// When it was uploaded.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }
    /// When its caption or state last changed.
    async fn updated_at(&self) -> DateTime {
        self.row.updated_at.into()
    }
    /// When it was first published; null if never.
    async fn published_at(&self) -> Option<DateTime> {
        self.row.published_at.map(DateTime::from)
    }
}

/// One size of a photo.
pub struct Image {
    stored: photo_image::Stored,
    url: Url,
    content_type: &'static str,
}

/// One size of a photo.
#[Object]
impl Image {
    /// Signed and good for a limited time, for an hour at least by default: works in an `<img>` without a header. It ends
    /// at once when the photo is deleted or unpublished, and when an operator has this size made anew and it is another.
    async fn url(&self) -> &Url {
        &self.url
    }
    /// In pixels, as displayed.
    async fn width(&self) -> i32 {
        self.stored.width
    }
    /// In pixels, as displayed.
    async fn height(&self) -> i32 {
        self.stored.height
    }
    /// Such as `image/jpeg`.
    async fn content_type(&self) -> &str {
        self.content_type
    }
    /// How large its file is.
    async fn byte_size(&self) -> SafeInt {
        self.stored.byte_size.into()
    }
}

/// A page of photos.
pub struct PhotoConnection {
    page: Connection<String, Photo>,
    of: Of,
}

enum Of {
    Everybody(Filter),
    Oneself(Owned),
}

impl PhotoConnection {
    /// What the cursors of everybody's photos say that they are of.
    pub const PUBLISHED: &'static str = "photos";
    /// What the cursors of one's own photos say that they are of.
    pub const OWN: &'static str = "ownPhotos";

    /// A page of everybody's photos.
    pub(super) fn published(page: Page<photo::Model>, filter: Filter, loaders: &Arc<Loaders>) -> Self {
        let cursor = |row: &photo::Model| {
            page::cursor(Self::PUBLISHED, &list::key_of(row.published_at.unwrap_or(row.created_at), row.id))
        };
        Self { page: page.connection(|row| (cursor(&row), Photo::new(row, loaders))), of: Of::Everybody(filter) }
    }

    /// A page of the caller's own photos.
    #[must_use]
    pub fn own(page: Page<photo::Model>, which: Owned, loaders: &Arc<Loaders>) -> Self {
        let cursor = |row: &photo::Model| page::cursor(Self::OWN, &list::key_of(row.created_at, row.id));
        Self { page: page.connection(|row| (cursor(&row), Photo::new(row, loaders))), of: Of::Oneself(which) }
    }
}

/// A page of photos.
#[Object]
impl PhotoConnection {
    /// The photos, each with its cursor.
    async fn edges(&self) -> &[Edge<String, Photo, EmptyFields>] {
        &self.page.edges
    }
    /// The photos.
    async fn nodes(&self) -> Vec<&Photo> {
        self.page.edges.iter().map(|edge| &edge.node).collect()
    }
    /// Where the page is in the list.
    async fn page_info(&self) -> PageInfo {
        page_info(&self.page)
    }
    /// How many photos the whole list has. It costs a count: ask only when it is shown.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<u64, Error> {
        match &self.of {
            Of::Everybody(filter) => photos(ctx).count(caller(ctx), filter).await,
            Of::Oneself(which) => photos(ctx).count_own(caller(ctx), which).await,
        }
    }
}

/// What the caller has stored, and may store.
#[derive(SimpleObject)]
pub struct StorageUse {
    /// Bytes that the caller's photos take: the files of all sizes, each rounded up to blocks of 4,096 bytes, and 65,536
    /// bytes a photo for its caption, tags and rows. So a photo takes 81,920 bytes at least.
    used_bytes: SafeInt,
    /// Bytes that they may take. Beyond it, `uploadPhotos` ends in LIMIT_REACHED.
    quota_bytes: SafeInt,
    /// Photos that the caller may have, drafts included. Beyond it, `uploadPhotos` ends in LIMIT_REACHED.
    max_photos: SafeInt,
}

impl From<crate::photos::StorageUse> for StorageUse {
    fn from(storage: crate::photos::StorageUse) -> Self {
        Self {
            used_bytes: storage.used_bytes.into(),
            quota_bytes: storage.quota_bytes.into(),
            max_photos: storage.max_photos.into(),
        }
    }
}
