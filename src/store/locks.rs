//! Rows that are locked in one order, so that no two transactions wait for each other.
//!
//! A statement that writes several rows locks them in the order in which its plan finds them, which
//! differs from statement to statement. So a transaction that writes several rows locks them first,
//! in one order: of tables from the top of this list to its end, and within a table as it says.
//!
//! | rows | order |
//! |---|---|
//! | `users` | by id |
//! | `idempotency_records` | those of a locked user |
//! | `sessions` | by id |
//! | `counters`, then `counter_answers` | by owner and name (`counters/statements`) |
//! | `api_keys` | by id |
//! | `photos` | by id |
//! | `photo_storage` | one row |
//! | `storage_identity` | its row, on MariaDB, before contents are inserted or condemned |
//! | `blobs` | by hash (`photos/blob.rs`) |
//! | `photo_images`, `photo_tags` | those of locked photos |
//! | `email_tokens`, then `mails` | by hash; those of a locked user |
//!
//! A row that refers to another one locks that one as well when it is inserted, and on MariaDB when
//! an index with the reference changes, as with the name of a deleted counter. So a transaction
//! that writes something of a user's and then adds a session or an entry of the audit log locks the
//! user first.
//!
//! MariaDB locks every row that a plan looks at, if only for a moment, and waits for those that are
//! locked. If it scans a small table instead of using an index, it waits for rows that it does not
//! want. So a statement that locks or writes several rows names the index.
//!
//! Unique keys are not in this order. Two users who exchange their usernames at the same moment
//! wait for each other; the database gives one of them up, and [`crate::store::Database::write`]
//! runs it again.

use sea_orm::sea_query::LockType;
use sea_orm::sea_query::extension::mysql::{IndexHintScope, MySqlSelectStatementExt as _};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, DbErr, EntityTrait, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait, Select, TryGetable, Value,
};

use crate::store::DatabaseTransaction;

/// The primary key, as an index of MariaDB.
pub const PRIMARY: &str = "PRIMARY";

/// Locks the rows of `select` by `key` until the transaction ends, and returns their keys.
///
/// `index` is the index through which MariaDB finds the rows in that order: it locks them before it
/// sorts them. On SQLite there is one writer, and nothing is locked.
///
/// # Errors
/// Errors of the database.
pub async fn lock_keys<E: EntityTrait, K: TryGetable>(
    transaction: &DatabaseTransaction,
    select: Select<E>,
    key: E::Column,
    index: &'static str,
) -> Result<Vec<K>, DbErr> {
    let rows = locked(transaction, select.select_only().column(key).order_by_asc(key), index);
    let rows = transaction.query_all(&rows.into_query()).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Has `select`, which is ordered, lock its rows until the transaction ends. See [`lock_keys`].
pub fn locked<E: EntityTrait>(
    transaction: &DatabaseTransaction,
    mut select: Select<E>,
    index: &'static str,
) -> Select<E> {
    match transaction.get_database_backend() {
        DbBackend::Sqlite => return select,
        DbBackend::MySql => {
            QueryTrait::query(&mut select).force_index(index, IndexHintScope::All);
        }
        _ => {}
    }
    select.lock(LockType::Update)
}

/// Deletes the rows with these keys, which are locked.
///
/// # Errors
/// Errors of the database.
pub async fn delete_locked<E: EntityTrait, K: Into<Value> + Clone>(
    transaction: &DatabaseTransaction,
    key: E::Column,
    keys: &[K],
) -> Result<(), DbErr> {
    if keys.is_empty() {
        return Ok(());
    }
    write_locked(transaction, &E::delete_many().filter(key.is_in(keys.iter().cloned()))).await.map(drop)
}

/// Runs an UPDATE or a DELETE of rows that are locked, which it names by their primary key, and
/// returns their number. MariaDB must find them by that key; such a hint is what neither SeaORM nor
/// SeaQuery can express.
///
/// # Errors
/// Errors of the database.
pub async fn write_locked(transaction: &DatabaseTransaction, write: &impl QueryTrait) -> Result<u64, DbErr> {
    let mut statement = write.build(transaction.get_database_backend());
    if transaction.get_database_backend() == DbBackend::MySql {
        let table = statement.sql.split('`').nth(1).unwrap_or_default();
        statement.sql = match statement.sql.starts_with("UPDATE ") {
            true => statement.sql.replacen(" SET ", " FORCE INDEX (PRIMARY) SET ", 1),
            false => statement.sql.replacen(" WHERE ", &format!(" USING `{table}` FORCE INDEX (PRIMARY) WHERE "), 1),
        };
    }
    Ok(transaction.execute_raw(statement).await?.rows_affected())
}
