//! The identity as the database keeps it: one row, which never changes but by `photos adopt` and a
//! restore.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, LockType, OnConflict};
use sea_orm::{DbBackend, QuerySelect as _};

use crate::error::Error;
use crate::storage::identity::{Expected, Identity};
use crate::store::{Database, DatabaseTransaction, migrations};

/// The id of the only row.
const ONLY: i16 = 1;
/// The migration that creates the table.
const MIGRATION: &str = "m20261130_000020_storage_identity";

/// A row of `storage_identity`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "storage_identity")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i16,
    /// The id of this database.
    pub database_id: Uuid,
    /// The id of its storage; `None` until one has been assigned.
    pub storage_id: Option<Uuid>,
    /// A description of the storage, as of the last start of a server.
    pub place: Option<String>,
}

/// The row has no relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Returns the storage that is assigned to this database.
    pub(super) fn expected(&self) -> Option<Expected> {
        let identity = Identity { database_id: self.database_id, storage_id: self.storage_id? };
        Some(Expected { identity, place: self.place.clone().unwrap_or_default() })
    }
}

pub(super) async fn find(db: &impl ConnectionTrait) -> Result<Option<Model>, Error> {
    Ok(Entity::find_by_id(ONLY).one(db).await?)
}

/// Returns the row, locked until the transaction ends. It is created with a new id first if there
/// is none: of servers that do so at once, one decides.
pub(super) async fn lock(transaction: &DatabaseTransaction, database_id: Uuid) -> Result<Model, Error> {
    let row = ActiveModel { id: Set(ONLY), database_id: Set(database_id), storage_id: Set(None), place: Set(None) };
    let keep = OnConflict::column(Column::Id).do_nothing_on([Column::Id]).to_owned();
    Entity::insert(row).on_conflict(keep).exec_without_returning(transaction).await?;
    let row = Entity::find_by_id(ONLY);
    let row = match transaction.get_database_backend() {
        DbBackend::Sqlite => row,
        _ => row.lock(LockType::Update),
    };
    let missing = || Error::internal(anyhow::anyhow!("the row of storage_identity is missing"));
    row.one(transaction).await?.ok_or_else(missing)
}

/// Assigns a storage, in place of another one if there is one.
pub(super) async fn assign(db: &impl ConnectionTrait, storage_id: Uuid, place: &str) -> Result<(), Error> {
    let update = Entity::update_many()
        .col_expr(Column::StorageId, Expr::value(storage_id))
        .col_expr(Column::Place, Expr::value(shorten(place)))
        .filter(Column::Id.eq(ONLY));
    update.exec(db).await?;
    Ok(())
}

/// Replaces the description of the storage.
pub(super) async fn describe(db: &impl ConnectionTrait, place: &str) -> Result<(), Error> {
    let update = Entity::update_many().col_expr(Column::Place, Expr::value(shorten(place)));
    update.filter(Column::Id.eq(ONLY)).exec(db).await?;
    Ok(())
}

/// Gives the database another identity than it has: a restored copy is an installation of its own.
///
/// # Errors
/// Errors of the database.
pub async fn replace_identity(database: &Database, identity: Identity, place: &str) -> Result<(), Error> {
    let place = shorten(place);
    let replace = database.write(move |transaction| {
        let place = place.clone();
        Box::pin(async move {
            lock(transaction, identity.database_id).await?;
            let update = Entity::update_many()
                .col_expr(Column::DatabaseId, Expr::value(identity.database_id))
                .filter(Column::Id.eq(ONLY));
            update.exec(transaction).await?;
            assign(transaction, identity.storage_id, &place).await
        })
    });
    replace.await
}

/// Returns whether the database is of a version whose storages have an identity.
///
/// # Errors
/// A database that cannot be read.
pub async fn is_known(database: &Database) -> anyhow::Result<bool> {
    let status = migrations::status(database).await?;
    Ok(status.iter().any(|migration| migration.applied && migration.name == MIGRATION))
}

/// A description that fits into its column.
fn shorten(place: &str) -> String {
    place.chars().take(1000).collect()
}
