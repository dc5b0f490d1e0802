//! A tag of a photo's caption, for the lists.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use crate::error::Error;
use crate::id::PhotoId;

/// Rows in one statement at most.
const AT_ONCE: usize = 500;

/// A row of `photo_tags`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "photo_tags")]
pub struct Model {
    /// The tag, in the form that compares: see `caption.rs`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tag: String,
    /// Whose it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub photo_id: PhotoId,
}

/// Tags have no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Adds the tags of some photos.
pub(super) async fn add(
    db: &impl ConnectionTrait,
    tags: impl IntoIterator<Item = (PhotoId, String)>,
) -> Result<(), Error> {
    let rows = tags.into_iter().map(|(photo, tag)| ActiveModel { tag: Set(tag), photo_id: Set(photo) });
    let rows: Vec<ActiveModel> = rows.collect();
    for rows in rows.chunks(AT_ONCE) {
        Entity::insert_many(rows.to_vec()).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Removes the tags of some photos.
pub(super) async fn remove_of(db: &impl ConnectionTrait, photos: &[PhotoId]) -> Result<(), Error> {
    Entity::delete_many().filter(Column::PhotoId.is_in(photos.iter().copied())).exec(db).await?;
    Ok(())
}
