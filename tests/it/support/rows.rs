//! How much the database holds: whoever says that nothing was written can show it.

use cloakroom::accounts::{session, user};
use cloakroom::counters::counter;
use cloakroom::photos::{blob, photo, photo_image, photo_tag};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};

use super::TestApp;

/// How many rows there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub users: u64,
    pub sessions: u64,
    /// Without those that wait for their purge.
    pub counters: u64,
    pub photos: u64,
    pub images: u64,
    pub tags: u64,
    /// Contents that somebody shows or may come to show.
    pub blobs: u64,
}

impl TestApp {
    /// What the database holds now.
    pub async fn rows(&self) -> Rows {
        let reader = self.app.database.reader();
        Rows {
            users: user::Entity::find().count(reader).await.expect("users are counted"),
            sessions: session::Entity::find().count(reader).await.expect("sessions are counted"),
            counters: counter::Entity::find()
                .filter(counter::Column::DeletedAt.is_null())
                .count(reader)
                .await
                .expect("counters are counted"),
            photos: photo::Entity::find().count(reader).await.expect("photos are counted"),
            images: photo_image::Entity::find().count(reader).await.expect("images are counted"),
            tags: photo_tag::Entity::find().count(reader).await.expect("tags are counted"),
            blobs: blob::Entity::find()
                .filter(blob::Column::Hash.is_not_null())
                .count(reader)
                .await
                .expect("contents are counted"),
        }
    }
}
