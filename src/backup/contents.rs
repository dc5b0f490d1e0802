//! The contents of a backup, counted in its snapshot.

use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QuerySelect as _};
use sea_orm::{DbErr, ExprTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};

use crate::accounts::user;
use crate::backup::{KEYS, PHOTOS};
use crate::clock::rfc3339;
use crate::counters::counter;
use crate::photos::photo;
use crate::store::{Database, migrations};

/// The contents of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// The number of users, deleted ones included until they are removed.
    pub users: u64,
    /// The number of counters.
    pub counters: u64,
    /// The time at which a counter last changed, in RFC 3339.
    pub last_counter_change: Option<String>,
    /// The number of photos.
    pub photos: u64,
    /// The number of photo files. Photos that show the same picture share them.
    pub photo_files: u64,
    /// The size of the photo files together, in bytes.
    pub photo_bytes: u64,
    /// The number of key files, which sign access tokens and links.
    pub key_files: u64,
    /// The last migration of the database.
    pub migration: Option<String>,
}

impl Contents {
    /// Counts the rows of a database, which may be of an older version that lacks some tables.
    pub(super) async fn count(database: &Database) -> anyhow::Result<Self> {
        let applied = migrations::status(database).await?.into_iter().filter(|migration| migration.applied);
        let applied: Vec<String> = applied.map(|migration| migration.name).collect();
        let has = |name: &str| applied.iter().any(|applied| applied == name);
        let (db, mut contents) = (database.reader(), Self::default());
        if has("m20261120_000001_users") {
            contents.users = count::<user::Entity>(db, user::Column::Id).await?;
        }
        if has("m20261120_000003_counters") {
            contents.counters = count::<counter::Entity>(db, counter::Column::Id).await?;
            contents.last_counter_change = last_counter_change(db).await?;
        }
        if has("m20261121_000011_photos") {
            contents.photos = count::<photo::Entity>(db, photo::Column::Id).await?;
        }
        contents.migration = applied.last().cloned();
        Ok(contents)
    }

    /// Counts a file of a backup.
    pub(super) fn add_file(&mut self, path: &str, bytes: u64) {
        match path.split_once('/') {
            Some((KEYS, _)) => self.key_files += 1,
            Some((PHOTOS, _)) => {
                self.photo_files += 1;
                self.photo_bytes += bytes;
            }
            _ => {}
        }
    }
}

/// Counts by one column: a database of an older version lacks others.
async fn count<E: sea_orm::EntityTrait>(db: &impl ConnectionTrait, id: E::Column) -> Result<u64, DbErr> {
    let count: Option<i64> = E::find().select_only().column_as(id.count(), "rows").into_tuple().one(db).await?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}

async fn last_counter_change(db: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    let changed = counter::Entity::find()
        .filter(counter::Column::UpdatedAt.into_expr().gt(sea_orm::sea_query::Expr::col(counter::Column::CreatedAt)))
        .select_only()
        .column_as(counter::Column::UpdatedAt.max(), "last");
    let last: Option<Option<sea_orm::prelude::DateTimeUtc>> = changed.into_tuple().one(db).await?;
    Ok(last.flatten().map(rfc3339))
}
