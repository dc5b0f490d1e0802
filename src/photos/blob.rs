//! Contents in the storage: named by their SHA-256, held by the images that show them.
//!
//! A content's row comes first, with a term; then the content is stored, and the photos that show it, in one transaction
//! that lifts the term. An upload that fails ends its term early, and a crash leaves a row whose term ends by itself: the
//! sweep finds everything by its row.
//! A content that is stored anew gets a new name, so that nothing that was asked to be deleted late can hit it; and a row
//! outlives its content by a term, so that nothing that is stored late is without one.
//!
//! **Invariant:** whatever is in the storage has a row. **Invariant:** what an image shows has a row without a term, or
//! with one that the sweep only uses to look again.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, LockType, Query, SelectStatement};
use sea_orm::{DbBackend, FromQueryResult, QueryOrder as _, QuerySelect as _};

use crate::error::Error;
use crate::photos::photo_image;
use crate::storage;
use crate::store::{Database, DatabaseTransaction, locked, migrations, write_locked};

/// How long an upload may take from its first stored content to its commit.
pub(super) const TERM: TimeDelta = TimeDelta::hours(1);
/// Contents that one look of the sweep takes.
const SWEPT_AT_ONCE: u64 = 100;

/// A row of `blobs`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blobs")]
pub struct Model {
    /// Its identity, whatever it is called.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Its SHA-256, in hexadecimal; none once it is condemned, so that the next upload of the same makes a new row.
    pub hash: Option<String>,
    /// Under which name it is stored: never used twice.
    pub object_key: String,
    /// How large it is.
    pub byte_size: i64,
    /// When the sweep is to look whether anybody still holds it.
    pub sweep_after: Option<DateTimeUtc>,
}

/// Contents have no relations that are followed from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A content to be stored.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// Its SHA-256, in hexadecimal.
    pub(super) hash: String,
    pub(super) byte_size: i64,
}

impl Content {
    /// A row with a term that begins now.
    pub(super) fn row(&self, now: DateTime<Utc>) -> ActiveModel {
        let id = Uuid::now_v7();
        let folder = self.hash.get(..2).unwrap_or_default();
        ActiveModel {
            id: Set(id),
            hash: Set(Some(self.hash.clone())),
            object_key: Set(format!("{folder}/{}-{:08x}", self.hash, id.as_u64_pair().1 & 0xffff_ffff)),
            byte_size: Set(self.byte_size),
            sweep_after: Set(Some(now + TERM)),
        }
    }
}

/// Has the sweep look after these contents at once, which were claimed at `claimed_at`; but for those that were claimed
/// once more since, and those that photos have come to show.
pub(super) async fn give_up(
    transaction: &DatabaseTransaction,
    ids: &[Uuid],
    claimed_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let rows = lock(transaction, ids).await?;
    let claimed = rows.iter().filter(|row| row.sweep_after == Some(claimed_at + TERM)).map(|row| row.id);
    set_sweep_after(transaction, claimed, Some(now)).await
}

/// Whether the sweep has taken one of these contents.
pub(super) async fn is_any_swept(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<bool, Error> {
    let kept = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).filter(Column::Hash.is_not_null());
    let kept: Vec<Uuid> = kept.select_only().column(Column::Id).into_tuple().all(db).await?;
    Ok(ids.iter().any(|id| !kept.contains(id)))
}

/// Returns those of these contents that are not condemned, locked until the transaction ends, by
/// their hashes: the order in which uploads claim them. Condemned ones have no hash,
/// and only the sweep writes them, one at a time.
pub(super) async fn lock(transaction: &DatabaseTransaction, ids: &[Uuid]) -> Result<Vec<Model>, Error> {
    let these = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).filter(Column::Hash.is_not_null());
    let these = match transaction.get_database_backend() {
        // By hash, to be found through the index that an insert goes through as well.
        DbBackend::MySql => {
            let hashes: Vec<String> = these.select_only().column(Column::Hash).into_tuple().all(transaction).await?;
            Entity::find().filter(Column::Hash.is_in(hashes))
        }
        _ => these,
    };
    let mut rows = lock_by_hash(transaction, these).await?;
    // A content may have been condemned and claimed anew in between.
    rows.retain(|row| ids.contains(&row.id));
    Ok(rows)
}

/// Locks contents by their hashes until the transaction ends.
pub(super) async fn lock_by_hash(
    transaction: &DatabaseTransaction,
    these: Select<Entity>,
) -> Result<Vec<Model>, Error> {
    Ok(locked(transaction, these.order_by_asc(Column::Hash), "blobs_hash").all(transaction).await?)
}

/// Has transactions that insert or condemn contents take turns on MariaDB. Both change the index by
/// hash, where an insert that finds a former entry of its hash locks the gaps around it: what is
/// inserted into these gaps would wait for it, and it for the lock of the former entry's neighbor.
pub(super) async fn take_turn(transaction: &DatabaseTransaction) -> Result<(), Error> {
    match transaction.get_database_backend() {
        DbBackend::MySql => storage::record::lock_turn(transaction).await,
        _ => Ok(()),
    }
}

/// Gives contents that are locked another term, or none.
pub(super) async fn set_sweep_after(
    transaction: &DatabaseTransaction,
    ids: impl IntoIterator<Item = Uuid>,
    sweep_after: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    let these = Entity::update_many().filter(Column::Id.is_in(ids));
    write_locked(transaction, &these.col_expr(Column::SweepAfter, Expr::value(sweep_after))).await?;
    Ok(())
}

/// Takes the terms of these contents away, for images that the same transaction adds.
///
/// # Errors
/// [`Error::Unavailable`] when one of them was swept in the meantime.
pub(super) async fn hold(transaction: &DatabaseTransaction, ids: &[Uuid]) -> Result<(), Error> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if lock(transaction, &ids).await?.len() != ids.len() {
        return Err(Error::Unavailable { retry_after_seconds: 1 });
    }
    set_sweep_after(transaction, ids, None).await
}

/// Has the sweep look after these contents, in the transaction that takes images of them away. A term that is there
/// stays: it is that of an upload. Every row is written, so that [`judge`] and this wait for each other.
pub(super) async fn release(transaction: &DatabaseTransaction, ids: &[Uuid], now: DateTime<Utc>) -> Result<(), Error> {
    lock(transaction, ids).await?;
    let released = Entity::update_many()
        .col_expr(Column::SweepAfter, Func::coalesce([Expr::col(Column::SweepAfter), Expr::value(now)]).into())
        .filter(Column::Id.is_in(ids.iter().copied()));
    write_locked(transaction, &released).await?;
    Ok(())
}

/// Some contents whose term has ended.
pub(super) async fn list_due(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<Vec<Model>, Error> {
    let due = Entity::find().filter(Column::SweepAfter.lte(now)).order_by_asc(Column::SweepAfter);
    Ok(due.limit(SWEPT_AT_ONCE).all(db).await?)
}

/// A content, and whether anything shows it.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Kept {
    #[sea_orm(nested)]
    pub(super) row: Model,
    /// The number of the smallest size that shows it.
    shown: Option<i16>,
}

impl Kept {
    pub(super) fn is_held(&self) -> bool {
        self.shown.is_some()
    }
}

/// The next contents by id. One statement, so that who holds them is of the same moment as their terms.
pub(super) async fn list_kept(db: &impl ConnectionTrait, after: Option<Uuid>, limit: u64) -> Result<Vec<Kept>, Error> {
    let shown = Query::select()
        .expr(Expr::col(photo_image::Column::Size).min())
        .from(photo_image::Entity)
        .and_where(photo_image::Column::BlobId.into_expr().equals((Entity, Column::Id)))
        .take();
    let rows = Entity::find().expr_as(Expr::SubQuery(None, Box::new(shown.into())), "shown");
    let rows = rows.filter(Column::Id.gt(after.unwrap_or(Uuid::nil()))).order_by_asc(Column::Id).limit(limit);
    Ok(rows.into_model::<Kept>().all(db).await?)
}

/// Those of these keys that rows have.
pub(super) async fn list_keys_of(db: &impl ConnectionTrait, keys: &[&str]) -> Result<Vec<String>, Error> {
    let known = Entity::find().filter(Column::ObjectKey.is_in(keys.iter().copied()));
    Ok(known.select_only().column(Column::ObjectKey).into_tuple().all(db).await?)
}

/// The number of contents that nobody shows and no sweep will look at.
pub(super) async fn count_forgotten(db: &impl ConnectionTrait) -> Result<u64, Error> {
    let forgotten = Entity::find().filter(Expr::exists(images_of_this()).not()).filter(Column::SweepAfter.is_null());
    Ok(forgotten.count(db).await?)
}

/// The number of contents.
pub(super) async fn count_all(db: &impl ConnectionTrait) -> Result<u64, Error> {
    Ok(Entity::find().count(db).await?)
}

/// Corrects the hash and the size of a content, by its object. Returns whether that was possible: another row may have
/// the hash.
pub(super) async fn correct(transaction: &DatabaseTransaction, id: Uuid, content: &Content) -> Result<bool, Error> {
    take_turn(transaction).await?;
    let others = Entity::find().filter(Column::Hash.eq(content.hash.as_str())).filter(Column::Id.ne(id));
    if others.one(transaction).await?.is_some() {
        return Ok(false);
    }
    let row = Entity::update_many().filter(Column::Id.eq(id));
    let row = row.col_expr(Column::Hash, Expr::value(content.hash.as_str()));
    row.col_expr(Column::ByteSize, Expr::value(content.byte_size)).exec(transaction).await?;
    Ok(true)
}

/// Returns whether a row has one of these keys.
pub(super) async fn is_any_known(db: &impl ConnectionTrait, keys: &[&str]) -> Result<bool, Error> {
    let known = Entity::find().filter(Column::ObjectKey.is_in(keys.iter().copied())).limit(1);
    Ok(known.one(db).await?.is_some())
}

/// Whether there is any content at all.
pub(super) async fn any(db: &impl ConnectionTrait) -> Result<bool, Error> {
    Ok(Entity::find().one(db).await?.is_some())
}

/// A content that photos show.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Held {
    /// Its row.
    pub id: Uuid,
    /// Its SHA-256, in hexadecimal.
    pub hash: Option<String>,
    /// Under which name it is stored.
    pub object_key: String,
    /// How large it is.
    pub byte_size: i64,
}

/// The next contents by id that photos show.
///
/// # Errors
/// What the database says.
pub async fn list_held(db: &impl ConnectionTrait, after: Option<Uuid>, limit: u64) -> Result<Vec<Held>, Error> {
    let rows = held().filter(Column::Id.gt(after.unwrap_or(Uuid::nil()))).order_by_asc(Column::Id).limit(limit);
    Ok(rows.into_model::<Held>().all(db).await?)
}

/// The keys of the `count` oldest and the `count` newest contents that photos show.
pub(super) async fn sample_keys(db: &impl ConnectionTrait, count: u64) -> Result<Vec<String>, Error> {
    let keys = || held().limit(count).select_only().column(Column::ObjectKey);
    let mut sample: Vec<String> = keys().order_by_asc(Column::Id).into_tuple().all(db).await?;
    sample.extend(keys().order_by_desc(Column::Id).into_tuple::<String>().all(db).await?);
    sample.sort_unstable();
    sample.dedup();
    Ok(sample)
}

/// Those of these names under which contents are stored that photos show.
///
/// # Errors
/// What the database says.
pub async fn list_held_of(db: &impl ConnectionTrait, keys: &[String]) -> Result<Vec<String>, Error> {
    let held = held().filter(Column::ObjectKey.is_in(keys));
    Ok(held.select_only().column(Column::ObjectKey).into_tuple().all(db).await?)
}

fn held() -> Select<Entity> {
    Entity::find().filter(Expr::exists(images_of_this()))
}

/// The images that show the content of the outer statement.
fn images_of_this() -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(photo_image::Entity)
        .and_where(photo_image::Column::BlobId.into_expr().equals((Entity, Column::Id)))
        .take()
}

/// Whether the database is of a version that knows photos.
///
/// # Errors
/// What the database says.
pub async fn is_known(database: &Database) -> anyhow::Result<bool> {
    let table = "m20261121_000011_photos";
    Ok(migrations::status(database).await?.iter().any(|migration| migration.applied && migration.name == table))
}

/// The SHA-256 in a name that this slice gave to a content; `None` for every other name.
#[must_use]
pub fn hash_in(key: &str) -> Option<&str> {
    let (folder, name) = key.split_once('/')?;
    let (hash, number) = name.split_once('-')?;
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    (is_hex(hash, 64) && is_hex(number, 8) && hash.get(..2) == Some(folder)).then_some(hash)
}

/// What the sweep does with a content whose term has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody holds it, or its term goes on.
    Stays,
    /// Nobody holds it: its object goes. Its row stays for another term, because an upload that claimed it before, and
    /// now fails, may still be storing the object.
    Goes,
    /// That term is over as well: its object goes once more, and then its row, by [`remove`].
    Over,
}

/// Decides about a content, for good.
pub(super) async fn judge(transaction: &DatabaseTransaction, id: Uuid, now: DateTime<Utc>) -> Result<Verdict, Error> {
    take_turn(transaction).await?;
    lock(transaction, &[id]).await?;
    let due = Entity::find_by_id(id).filter(Column::SweepAfter.lte(now));
    let due = match transaction.get_database_backend() {
        DbBackend::Sqlite => due,
        // From here on nobody holds or releases it, so that the images that are found are all there are.
        _ => due.lock(LockType::Update),
    };
    let Some(found) = due.one(transaction).await? else { return Ok(Verdict::Stays) };
    if found.hash.is_none() {
        return Ok(Verdict::Over);
    }
    let row = Entity::update_many().filter(Column::Id.eq(id));
    if photo_image::holds(transaction, id).await? {
        row.col_expr(Column::SweepAfter, Expr::value(None::<DateTime<Utc>>)).exec(transaction).await?;
        return Ok(Verdict::Stays);
    }
    let row = row.col_expr(Column::Hash, Expr::value(None::<String>));
    row.col_expr(Column::SweepAfter, Expr::value(now + TERM)).exec(transaction).await?;
    Ok(Verdict::Goes)
}

/// Has the sweep try a condemned content again when a term is over.
pub(super) async fn postpone(db: &impl ConnectionTrait, id: Uuid, now: DateTime<Utc>) -> Result<(), Error> {
    let row = Entity::update_many().filter(Column::Id.eq(id)).filter(Column::Hash.is_null());
    row.col_expr(Column::SweepAfter, Expr::value(now + TERM)).exec(db).await?;
    Ok(())
}

/// Forgets a condemned content whose object is gone for good.
pub(super) async fn remove(db: &impl ConnectionTrait, id: Uuid) -> Result<(), Error> {
    Entity::delete_many().filter(Column::Id.eq(id)).filter(Column::Hash.is_null()).exec(db).await?;
    Ok(())
}
