//! Images and authors of photos, one statement for all photos of a page; and images by their links, one statement for
//! all requests that come together.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};

use crate::accounts::user;
use crate::batching::batched;
use crate::caller::Caller;
use crate::error::Error;
use crate::id::{PhotoId, UserId};
use crate::photos::Photos;
use crate::photos::photo_image::{self, Stored};
use crate::photos::picture::Size;
use crate::store::Database;

/// Images that one statement finds at most: the first to ask would wait for the last.
const MAX_LINKED: usize = 100;

/// The loaders of photos that are shown together, to one caller.
pub struct Loaders {
    /// The slice, for whatever else its objects need.
    pub photos: Arc<Photos>,
    images: DataLoader<ImageLoader>,
    authors: DataLoader<AuthorLoader>,
}

impl Loaders {
    /// Loaders for one page, one object or one payload.
    #[must_use]
    pub fn new(photos: &Arc<Photos>, caller: &Caller) -> Arc<Self> {
        let images = batched(ImageLoader(Arc::clone(photos)));
        let authors = batched(AuthorLoader(Arc::clone(photos), caller.clone()));
        Arc::new(Self { photos: Arc::clone(photos), images, authors })
    }

    /// Every size of this photo.
    pub(super) async fn images(&self, photo: PhotoId) -> Result<Vec<Stored>, Error> {
        Ok(self.images.load_one(photo).await?.unwrap_or_default())
    }

    /// The author of a photo.
    pub(super) async fn author(&self, author: UserId) -> Result<Option<user::Model>, Error> {
        self.authors.load_one(author).await
    }
}

struct ImageLoader(Arc<Photos>);

impl Loader<PhotoId> for ImageLoader {
    type Value = Vec<Stored>;
    type Error = Error;

    async fn load(&self, photos: &[PhotoId]) -> Result<HashMap<PhotoId, Vec<Stored>>, Error> {
        let mut found: HashMap<PhotoId, Vec<Stored>> = HashMap::with_capacity(photos.len());
        for image in self.0.list_images(photos).await? {
            found.entry(image.photo_id).or_default().push(image);
        }
        Ok(found)
    }
}

struct AuthorLoader(Arc<Photos>, Caller);

impl Loader<UserId> for AuthorLoader {
    type Value = user::Model;
    type Error = Error;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, user::Model>, Error> {
        let authors = self.0.list_authors(&self.1, ids).await?;
        Ok(authors.into_iter().map(|author| (author.id, author)).collect())
    }
}

/// An image that links ask for, and the generation of its photo's links.
pub(super) type Linked = Arc<(Stored, i64)>;

/// Where links are looked up, by all requests of this server. Nothing is remembered: who asks gets a row that is read
/// after they have asked.
pub(super) struct LinkedImages(DataLoader<LinkedLoader>);

impl LinkedImages {
    pub(super) fn new(database: Database) -> Self {
        Self(batched(LinkedLoader(database)).max_batch_size(MAX_LINKED))
    }

    /// One size of a photo whose author is there.
    pub(super) async fn find(&self, photo: PhotoId, size: Size) -> Result<Option<Linked>, Error> {
        self.0.load_one((photo, size)).await
    }
}

struct LinkedLoader(Database);

impl Loader<(PhotoId, Size)> for LinkedLoader {
    type Value = Linked;
    type Error = Error;

    async fn load(&self, images: &[(PhotoId, Size)]) -> Result<HashMap<(PhotoId, Size), Linked>, Error> {
        let rows = photo_image::list_linked(self.0.reader(), images).await?;
        let place = |image: &Stored| photo_image::size_of(image.size).map(|size| (image.photo_id, size));
        Ok(rows.into_iter().filter_map(|row| Some((place(&row.0)?, Arc::new(row)))).collect())
    }
}
