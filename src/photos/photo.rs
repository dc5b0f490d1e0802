//! A photo, as the database keeps it, and who sees it.
//!
//! **Invariant:** every finder that others than the author may use asks for what is published, of somebody who is there.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, LockType, Query};
use sea_orm::{Condition, DbBackend, JoinType, QueryOrder as _, QuerySelect};

use crate::accounts::user;
use crate::error::Error;
use crate::id::{PhotoId, UserId};
use crate::photos::photo_tag;
use crate::store::{DatabaseTransaction, PRIMARY, current_time, delete_locked, locked, write_locked};

/// A row of `photos`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "photos")]
pub struct Model {
    /// Global id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PhotoId,
    /// Who uploaded it; nobody once their account has been removed, and until the sweep removes this too.
    pub user_id: Option<UserId>,
    /// Whether others see it.
    pub published: bool,
    /// What its author says of it.
    pub caption: Option<String>,
    /// A ThumbHash, in base64.
    pub thumbhash: String,
    /// When it was uploaded.
    pub created_at: DateTimeUtc,
    /// When its caption or state last changed.
    pub updated_at: DateTimeUtc,
    /// When it was first published.
    pub published_at: Option<DateTimeUtc>,
    /// When it was last published, by the clock of the database, for those who listen.
    pub announced_at: Option<DateTimeUtc>,
    /// The generation of its signed URLs. Each time it becomes a draft again, a new one begins.
    pub link_generation: i64,
}

/// What a photo belongs to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The user who uploaded it.
    #[sea_orm(
        belongs_to = "crate::accounts::user::Entity",
        from = "Column::UserId",
        to = "crate::accounts::user::Column::Id"
    )]
    Author,
}

impl ActiveModelBehavior for ActiveModel {}

/// Photos that everybody may see.
pub(super) fn published() -> Select<Entity> {
    Entity::find().join(JoinType::InnerJoin, Relation::Author.def()).filter(is_published())
}

/// What makes a photo, joined with its author, everybody's to see.
pub(super) fn is_published() -> Condition {
    Condition::all().add(Column::Published.eq(true)).add(user::is_present())
}

/// A user's own photos.
pub(super) fn of(author: UserId) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(author))
}

/// Those with all of these tags.
pub(super) fn tagged(photos: Select<Entity>, tags: &[String]) -> Select<Entity> {
    tags.iter().fold(photos, |photos, tag| {
        let tagged = Query::select()
            .column(photo_tag::Column::PhotoId)
            .from(photo_tag::Entity)
            .and_where(photo_tag::Column::Tag.eq(tag))
            .take();
        photos.filter(Column::Id.in_subquery(tagged))
    })
}

/// Those of `ids` that `caller` may see, in no order.
pub(super) async fn list_visible(
    db: &impl ConnectionTrait,
    caller: UserId,
    ids: &[PhotoId],
) -> Result<Vec<Model>, Error> {
    let seen = Condition::any().add(is_published()).add(Column::UserId.eq(caller));
    let photos = Entity::find().join(JoinType::InnerJoin, Relation::Author.def()).filter(seen);
    Ok(photos.filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// Those of `ids` that are `author`'s, locked until the transaction ends, always in the same order.
pub(super) async fn lock_own(
    transaction: &DatabaseTransaction,
    author: UserId,
    ids: &[PhotoId],
) -> Result<HashMap<PhotoId, Model>, Error> {
    let photos = locked_by_id(transaction, of(author).filter(Column::Id.is_in(ids.iter().copied())));
    Ok(photos.all(transaction).await?.into_iter().map(|photo| (photo.id, photo)).collect())
}

/// Locks those of `ids` that are there, whosever they are, until the transaction ends, in the order of [`lock_own`].
pub(super) async fn lock_all(transaction: &DatabaseTransaction, ids: &[PhotoId]) -> Result<(), Error> {
    if transaction.get_database_backend() == DbBackend::Sqlite {
        return Ok(());
    }
    let photos = locked_by_id(transaction, Entity::find().filter(Column::Id.is_in(ids.iter().copied())));
    photos.all(transaction).await?;
    Ok(())
}

/// Has these photos locked by id.
fn locked_by_id(transaction: &DatabaseTransaction, photos: Select<Entity>) -> Select<Entity> {
    locked(transaction, photos.order_by_asc(Column::Id), PRIMARY)
}

/// This photo, whosever it is, locked until the transaction ends.
pub(super) async fn lock(transaction: &DatabaseTransaction, id: PhotoId) -> Result<Option<Model>, Error> {
    let photo = Entity::find_by_id(id);
    let photo = match transaction.get_database_backend() {
        DbBackend::Sqlite => photo,
        _ => photo.lock(LockType::Update),
    };
    Ok(photo.one(transaction).await?)
}

/// How many photos a user has.
pub(super) async fn count_of(db: &impl ConnectionTrait, author: UserId) -> Result<u64, Error> {
    let row = of(author).select_only().column_as(Column::Id.count(), "photos").into_tuple::<i64>().one(db).await?;
    Ok(u64::try_from(row.unwrap_or_default()).unwrap_or_default())
}

/// Whether there is a photo with this id.
pub(super) async fn exists(db: &impl ConnectionTrait, id: PhotoId) -> Result<bool, Error> {
    Ok(Entity::find_by_id(id).one(db).await?.is_some())
}

/// The next photos by id, whosever they are.
pub(super) async fn list_ids(
    db: &impl ConnectionTrait,
    after: Option<PhotoId>,
    limit: u64,
) -> Result<Vec<PhotoId>, Error> {
    let photos = behind(after).order_by_asc(Column::Id).limit(limit);
    Ok(photos.select_only().column(Column::Id).into_tuple().all(db).await?)
}

/// How many photos there are, whosever they are.
pub(super) async fn count_all(db: &impl ConnectionTrait, after: Option<PhotoId>) -> Result<u64, Error> {
    let row = behind(after).select_only().column_as(Column::Id.count(), "photos").into_tuple::<i64>().one(db).await?;
    Ok(u64::try_from(row.unwrap_or_default()).unwrap_or_default())
}

fn behind(after: Option<PhotoId>) -> Select<Entity> {
    Entity::find().filter(Column::Id.gt(after.unwrap_or(Uuid::nil().into())))
}

/// Has listeners be told of these photos, which are locked or new: as late in a transaction as possible.
pub(super) async fn announce(transaction: &DatabaseTransaction, ids: &[PhotoId]) -> Result<(), Error> {
    let now = current_time(transaction.get_database_backend());
    let these = Entity::update_many().filter(Column::Id.is_in(ids.iter().copied()));
    write_locked(transaction, &these.col_expr(Column::AnnouncedAt, now)).await?;
    Ok(())
}

/// Keeps another ThumbHash of a photo.
pub(super) async fn set_thumbhash(db: &impl ConnectionTrait, id: PhotoId, thumbhash: &str) -> Result<(), Error> {
    let update = Entity::update_many().col_expr(Column::Thumbhash, Expr::value(thumbhash));
    update.filter(Column::Id.eq(id)).exec(db).await?;
    Ok(())
}

/// Some photos of these authors.
pub(super) async fn list_ids_of(
    db: &impl ConnectionTrait,
    authors: &[UserId],
    limit: u64,
) -> Result<Vec<PhotoId>, Error> {
    let photos = Entity::find().filter(Column::UserId.is_in(authors.iter().copied())).limit(limit);
    Ok(photos.select_only().column(Column::Id).into_tuple().all(db).await?)
}

/// Some photos whose author is no more.
pub(super) async fn list_abandoned(db: &impl ConnectionTrait, limit: u64) -> Result<Vec<PhotoId>, Error> {
    let abandoned = Entity::find().filter(Column::UserId.is_null()).limit(limit);
    Ok(abandoned.select_only().column(Column::Id).into_tuple().all(db).await?)
}

/// Removes photos, with their images and tags.
pub(super) async fn remove(transaction: &DatabaseTransaction, ids: &[PhotoId]) -> Result<(), Error> {
    Ok(delete_locked::<Entity, _>(transaction, Column::Id, ids).await?)
}
