//! One size of a photo: which content it is, and its form.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, FromQueryResult, IntoActiveModel as _, JoinType, QueryOrder as _, QuerySelect as _};

use crate::accounts::user;
use crate::error::Error;
use crate::id::PhotoId;
use crate::photos::picture::{Format, Size};
use crate::photos::{blob, photo, storage_use};

/// A row of `photo_images`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "photo_images")]
pub struct Model {
    /// Of which photo.
    #[sea_orm(primary_key, auto_increment = false)]
    pub photo_id: PhotoId,
    /// Which size: see [`number_of`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub size: i16,
    /// What it shows.
    pub blob_id: Uuid,
    /// See [`format_number`].
    pub format: i16,
    /// In pixels, as displayed.
    pub width: i32,
    /// In pixels, as displayed.
    pub height: i32,
}

/// What an image belongs to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The content.
    #[sea_orm(
        belongs_to = "crate::photos::blob::Entity",
        from = "Column::BlobId",
        to = "crate::photos::blob::Column::Id"
    )]
    Blob,
    /// The photo.
    #[sea_orm(
        belongs_to = "crate::photos::photo::Entity",
        from = "Column::PhotoId",
        to = "crate::photos::photo::Column::Id"
    )]
    Photo,
}

impl ActiveModelBehavior for ActiveModel {}

/// An image with its content's name and size.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Stored {
    /// Of which photo.
    pub photo_id: PhotoId,
    /// Which size: see [`number_of`].
    pub size: i16,
    /// See [`format_number`].
    pub format: i16,
    /// In pixels, as displayed.
    pub width: i32,
    /// In pixels, as displayed.
    pub height: i32,
    /// The content's SHA-256, in hexadecimal.
    pub hash: String,
    /// Under which name the content is stored.
    pub object_key: String,
    /// Of the content.
    pub byte_size: i64,
}

impl Stored {
    /// Its form, by its number.
    #[must_use]
    pub fn format(&self) -> Format {
        Format::ALL.into_iter().find(|format| format_number(*format) == self.format).unwrap_or(Format::Jpeg)
    }
}

/// Rows in one statement at most.
const AT_ONCE: usize = 500;

/// The number under which the database knows a size: it never changes.
pub(super) fn number_of(size: Size) -> i16 {
    match size {
        Size::Thumbnail => 0,
        Size::Small => 1,
        Size::Large => 2,
        Size::Original => 3,
    }
}

/// The number under which the database knows a format: it never changes.
pub(super) fn format_number(format: Format) -> i16 {
    match format {
        Format::Jpeg => 0,
        Format::Png => 1,
        Format::Webp => 2,
        Format::Gif => 3,
    }
}

/// Every size of these photos.
pub(super) async fn list_of(db: &impl ConnectionTrait, photos: &[PhotoId]) -> Result<Vec<Stored>, Error> {
    let images = stored().filter(Column::PhotoId.is_in(photos.iter().copied()));
    Ok(images.into_model::<Stored>().all(db).await?)
}

/// These images of photos, each with the generation of its photo's links; of authors who are there.
pub(super) async fn list_linked(
    db: &impl ConnectionTrait,
    images: &[(PhotoId, Size)],
) -> Result<Vec<(Stored, i64)>, Error> {
    let photos = images.iter().map(|(photo, _)| *photo);
    let sizes: BTreeSet<i16> = images.iter().map(|(_, size)| number_of(*size)).collect();
    let linked = stored()
        .join(JoinType::InnerJoin, Relation::Photo.def())
        .join(JoinType::InnerJoin, photo::Relation::Author.def())
        .column_as(photo::Column::LinkGeneration, "link_generation")
        .filter(Column::PhotoId.is_in(photos))
        .filter(Column::Size.is_in(sizes))
        .filter(user::is_present());
    let rows = linked.into_model::<Shown>().all(db).await?;
    Ok(rows.into_iter().map(|row| (row.stored, row.link_generation)).collect())
}

#[derive(FromQueryResult)]
struct Shown {
    #[sea_orm(nested)]
    stored: Stored,
    link_generation: i64,
}

fn stored() -> Select<Entity> {
    let images = Entity::find().select_only();
    let images = images.columns([Column::PhotoId, Column::Size, Column::Format, Column::Width, Column::Height]);
    images
        .columns([blob::Column::Hash, blob::Column::ObjectKey, blob::Column::ByteSize])
        .join(JoinType::InnerJoin, Relation::Blob.def())
}

/// Adds images.
pub(super) async fn add(db: &impl ConnectionTrait, images: Vec<Model>) -> Result<(), Error> {
    let rows: Vec<ActiveModel> = images.into_iter().map(|image| image.into_active_model().reset_all()).collect();
    for rows in rows.chunks(AT_ONCE) {
        Entity::insert_many(rows.to_vec()).exec_without_returning(db).await?;
    }
    Ok(())
}

/// A size of a photo that shows a content, and whose photo it is.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Holder {
    pub(super) photo_id: PhotoId,
    pub(super) size: i16,
    /// None once the author's account has been removed.
    pub(super) author: Option<String>,
}

/// The next images that show a content, by photo and size.
pub(super) async fn list_holders(
    db: &impl ConnectionTrait,
    blob: Uuid,
    after: Option<(PhotoId, i16)>,
    limit: u64,
) -> Result<Vec<Holder>, Error> {
    let images = Entity::find()
        .select_only()
        .columns([Column::PhotoId, Column::Size])
        .column_as(user::Column::Username, "author")
        .join(JoinType::InnerJoin, Relation::Photo.def())
        .join(JoinType::LeftJoin, photo::Relation::Author.def())
        .filter(Column::BlobId.eq(blob));
    let images = match after {
        None => images,
        Some((photo, size)) => images.filter(
            Condition::any()
                .add(Column::PhotoId.gt(photo))
                .add(Condition::all().add(Column::PhotoId.eq(photo)).add(Column::Size.gt(size))),
        ),
    };
    let images = images.order_by_asc(Column::PhotoId).order_by_asc(Column::Size).limit(limit);
    Ok(images.into_model::<Holder>().all(db).await?)
}

/// A size that a photo has, or that the photo has none.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct SizeOf {
    pub(super) photo_id: PhotoId,
    /// None once the author's account has been removed.
    pub(super) author: Option<String>,
    /// None for a photo without images.
    pub(super) size: Option<i16>,
    /// The content, if it has a row.
    pub(super) content: Option<Uuid>,
}

/// The sizes of these photos. One statement, so that they are of one moment; a photo that is deleted has no row in it.
pub(super) async fn list_sizes(db: &impl ConnectionTrait, photos: &[PhotoId]) -> Result<Vec<SizeOf>, Error> {
    let sizes = photo::Entity::find()
        .select_only()
        .column_as(photo::Column::Id, "photo_id")
        .column_as(user::Column::Username, "author")
        .column(Column::Size)
        .column_as(blob::Column::Id, "content")
        .join(JoinType::LeftJoin, photo::Relation::Author.def())
        .join(JoinType::LeftJoin, Relation::Photo.def().rev())
        .join(JoinType::LeftJoin, Relation::Blob.def())
        .filter(photo::Column::Id.is_in(photos.iter().copied()));
    Ok(sizes.into_model::<SizeOf>().all(db).await?)
}

/// The original of a photo.
pub(super) async fn find_original(db: &impl ConnectionTrait, photo: PhotoId) -> Result<Option<Stored>, Error> {
    let images = stored().filter(Column::PhotoId.eq(photo)).filter(Column::Size.eq(number_of(Size::Original)));
    Ok(images.into_model::<Stored>().one(db).await?)
}

/// Puts these sizes of a photo in the place of those that it has, and returns what those held.
pub(super) async fn replace(db: &impl ConnectionTrait, photo: PhotoId, images: Vec<Model>) -> Result<Vec<Uuid>, Error> {
    let sizes: Vec<i16> = images.iter().map(|image| image.size).collect();
    let of = Condition::all().add(Column::PhotoId.eq(photo)).add(Column::Size.is_in(sizes));
    let before = Entity::find().filter(of.clone()).select_only().column(Column::BlobId).into_tuple().all(db).await?;
    Entity::delete_many().filter(of).exec(db).await?;
    add(db, images).await?;
    Ok(before)
}

/// The size that [`number_of`] has made a number.
pub(super) fn size_of(number: i16) -> Option<Size> {
    Size::ALL.into_iter().find(|size| number_of(*size) == number)
}

/// Whether any photo shows this content.
pub(super) async fn holds(db: &impl ConnectionTrait, blob: Uuid) -> Result<bool, Error> {
    let images = Entity::find().filter(Column::BlobId.eq(blob)).limit(1);
    Ok(images.one(db).await?.is_some())
}

/// The contents that these photos hold.
pub(super) async fn list_blobs_of(db: &impl ConnectionTrait, photos: &[PhotoId]) -> Result<Vec<Uuid>, Error> {
    let images = Entity::find().filter(Column::PhotoId.is_in(photos.iter().copied()));
    Ok(images.select_only().column(Column::BlobId).into_tuple().all(db).await?)
}

/// How many bytes these photos count with.
pub(super) async fn sum_bytes(db: &impl ConnectionTrait, photos: &[PhotoId]) -> Result<i64, Error> {
    let images = list_of(db, photos).await?;
    let bytes_of = |photo: &PhotoId| {
        storage_use::photo_bytes(images.iter().filter(|image| image.photo_id == *photo).map(|image| image.byte_size))
    };
    Ok(photos.iter().map(bytes_of).sum())
}
