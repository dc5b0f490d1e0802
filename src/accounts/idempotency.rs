//! Idempotency records: the result of a request under its key, so that a retry gets it again and changes nothing.
//!
//! `createCounter`, `createApiKey` and `uploadPhotos` share this table. [`claim`] is the first step of the transaction
//! that does the work: of simultaneous requests with one key it lets one through, and the others wait for its commit
//! and get its result. A request that is refused rolls the record back with everything else. `next` and `setCurrent`
//! have records of their own, which the group commit writes in bulk.

use std::sync::Arc;

use aws_lc_rs::digest;
use chrono::{TimeDelta, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{Condition, QuerySelect as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::accounts::Accounts;
use crate::accounts::api_key::hex;
use crate::error::Error;
use crate::id::UserId;
use crate::store::DatabaseTransaction;

/// Lifetime of a record.
pub const RETENTION_HOURS: i64 = 24;
/// The most characters of a key.
const MAX_KEY_CHARS: usize = 128;
/// Attempts to insert or find a record that others insert and remove at the same time.
const ATTEMPTS: usize = 3;
/// `Retry-After` of `next` and `setCurrent`: expired records of counters are removed once a minute.
const RETRY_AFTER_SECONDS: u32 = 60;

/// A row of `idempotency_records`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_records")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The user who sent the request.
    pub user_id: UserId,
    /// The mutation. Keys of two mutations are independent.
    pub operation: Operation,
    /// The idempotency key.
    pub key: String,
    /// SHA-256 of the request in hexadecimal, to recognize another one.
    pub request_hash: String,
    /// The first result, as JSON.
    pub result: String,
    /// Time of the first request.
    pub created_at: DateTimeUtc,
}

/// A mutation whose records are in this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the mutations")]
pub enum Operation {
    CreateApiKey,
    CreateCounter,
    UploadPhotos,
}

/// Records have no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A request with an idempotency key.
#[derive(Clone, Debug)]
pub struct KeyedRequest {
    user: UserId,
    operation: Operation,
    key: Arc<str>,
    hash: String,
    max_records: u64,
}

/// The outcome of [`claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim<R> {
    /// The first request with this key: do it.
    New,
    /// An earlier request with this key has done it.
    Replay(Recorded<R>),
}

/// The result of an earlier request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded<R> {
    /// The result.
    pub result: R,
    /// Time of the first request.
    pub at: chrono::DateTime<Utc>,
}

impl Accounts {
    /// A request of `user` with this idempotency key. `request` has whatever makes it another request.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a key that is malformed.
    pub fn keyed_request(
        &self,
        user: UserId,
        operation: Operation,
        key: Arc<str>,
        request: &impl Serialize,
    ) -> Result<KeyedRequest, Error> {
        check_key(&key)?;
        let request = serde_json::to_vec(request).map_err(Error::internal)?;
        let hash = hex(digest::digest(&digest::SHA256, &request).as_ref());
        Ok(KeyedRequest { user, operation, key, hash, max_records: self.settings.max_idempotency_records })
    }
}

impl KeyedRequest {
    /// The idempotency key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    fn replay<R: DeserializeOwned>(&self, record: &Model) -> Result<Recorded<R>, Error> {
        if record.request_hash != self.hash {
            return Err(conflict());
        }
        let result = serde_json::from_str(&record.result).map_err(Error::internal)?;
        Ok(Recorded { result, at: record.created_at })
    }
}

/// The result of an earlier request with this key, if there is one: spares the work that precedes the transaction.
///
/// # Errors
/// [`Error::Conflict`] if that was another request.
pub async fn find<R: DeserializeOwned>(
    db: &impl ConnectionTrait,
    request: &KeyedRequest,
    now: chrono::DateTime<Utc>,
) -> Result<Option<Recorded<R>>, Error> {
    let record = find_record(db, request).await?.filter(|record| record.created_at > live_since(now));
    record.map(|record| request.replay(&record)).transpose()
}

/// Records `result` for this request, unless an earlier one with the same key has a live record.
///
/// Waits for a transaction that claims the same key at the same time. `result` is final: it has ids that are generated
/// before.
///
/// # Errors
/// [`Error::Conflict`] if the earlier one was another request; [`Error::TooManyRecords`] at
/// `accounts.max_idempotency_records`.
pub async fn claim<R: Serialize + DeserializeOwned>(
    transaction: &DatabaseTransaction,
    request: &KeyedRequest,
    result: &R,
    now: chrono::DateTime<Utc>,
) -> Result<Claim<R>, Error> {
    let row = ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(request.user),
        operation: Set(request.operation),
        key: Set(request.key.to_string()),
        request_hash: Set(request.hash.clone()),
        result: Set(serde_json::to_string(result).map_err(Error::internal)?),
        created_at: Set(now),
    };
    for _ in 0..ATTEMPTS {
        let mut keep = OnConflict::columns([Column::UserId, Column::Operation, Column::Key]);
        let keep = keep.do_nothing_on([Column::Id]).to_owned();
        Entity::insert(row.clone()).on_conflict(keep).exec_without_returning(transaction).await?;
        match find_record(transaction, request).await? {
            Some(record) if Some(&record.id) == row.id.try_as_ref() => {
                require_room(transaction, request, now).await?;
                return Ok(Claim::New);
            }
            Some(record) if record.created_at > live_since(now) => {
                return Ok(Claim::Replay(request.replay(&record)?));
            }
            Some(expired) => {
                Entity::delete_by_id(expired.id).exec(transaction).await?;
            }
            // Removed by the sweep in between.
            None => {}
        }
    }
    Err(Error::Unavailable { retry_after_seconds: 1 })
}

async fn find_record(db: &impl ConnectionTrait, request: &KeyedRequest) -> Result<Option<Model>, Error> {
    let record = Entity::find()
        .filter(Column::UserId.eq(request.user))
        .filter(Column::Operation.eq(request.operation))
        .filter(Column::Key.eq(&*request.key));
    Ok(record.one(db).await?)
}

/// Counts the live records of the user, the new one included. Simultaneous requests do not see each other's.
async fn require_room(
    transaction: &DatabaseTransaction,
    request: &KeyedRequest,
    now: chrono::DateTime<Utc>,
) -> Result<(), Error> {
    let live = Entity::find().filter(Column::UserId.eq(request.user)).filter(Column::CreatedAt.gt(live_since(now)));
    if live.clone().count(transaction).await? <= request.max_records {
        return Ok(());
    }
    let oldest = live.select_only().column_as(Column::CreatedAt.min(), "oldest").into_tuple().one(transaction).await?;
    let oldest: chrono::DateTime<Utc> = oldest.flatten().unwrap_or(now);
    let seconds = (oldest + TimeDelta::hours(RETENTION_HOURS) - now).num_seconds();
    let retry_after_seconds = u32::try_from(seconds.saturating_add(1)).unwrap_or(RETRY_AFTER_SECONDS);
    let max = i64::try_from(request.max_records).unwrap_or(i64::MAX);
    Err(Error::TooManyRecords { max, retry_after_seconds })
}

/// Records from this moment or before have expired.
#[must_use]
pub fn live_since(now: chrono::DateTime<Utc>) -> chrono::DateTime<Utc> {
    now - TimeDelta::hours(RETENTION_HOURS)
}

/// Matches records that have expired at `now`.
pub(super) fn expired_at(now: chrono::DateTime<Utc>) -> Condition {
    Condition::all().add(Column::CreatedAt.lte(live_since(now)))
}

/// Checks a key: printable ASCII, so that it means the same in a header and to every database.
///
/// # Errors
/// [`Error::BadInput`], naming the limit.
pub fn check_key(key: &str) -> Result<(), Error> {
    let good =
        (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let message = || {
        let form = format!("idempotencyKey has 1 to {MAX_KEY_CHARS} printable ASCII characters");
        format!("{form}, and is equal to the header Idempotency-Key if both are sent.")
    };
    if good { Ok(()) } else { Err(Error::BadInput(message())) }
}

/// The error for a key that an earlier, other request has used.
#[must_use]
pub fn conflict() -> Error {
    Error::Conflict("This idempotency key was used with other arguments.".to_owned())
}

/// The error for a new key of a user who has `max` records of `next` and `setCurrent`.
#[must_use]
pub fn too_many(max: i64) -> Error {
    Error::TooManyRecords { max, retry_after_seconds: RETRY_AFTER_SECONDS }
}
