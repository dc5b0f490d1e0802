//! An API key, as the database keeps it: what it may do, and the hash of its secret.
//!
//! The secret is `crk_`, 40 random hexadecimal digits and 8 of their CRC-32: enough for secret scanners to tell a
//! real one from something that looks like one, without asking us. With 160 random bits one SHA-256 is a hash that
//! nobody inverts; Argon2 is for what people make up.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest;
use chrono::Utc;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, IntoColumnRef, Query, SelectStatement};
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use crate::accounts::ASKED_AT_ONCE;
use crate::accounts::user;
use crate::caller::Scopes;
use crate::error::Error;
use crate::id::{ApiKeyId, CounterId, UserId};
use crate::store::{Database, DatabaseTransaction, delete_locked, locked};

/// What every secret begins with.
pub(super) const PREFIX: &str = "crk_";
pub(super) const RANDOM_BYTES: usize = 20;
/// The digits of the random bytes and of the checksum.
const DIGITS: usize = 2 * RANDOM_BYTES + 8;
/// The first characters of a secret, which are kept to recognise it by.
const SHOWN_CHARS: usize = PREFIX.len() + 8;
/// The index of a user's keys.
const BY_USER: &str = "api_keys_by_user_id";
/// The most keys in a list, which is the most that `accounts.max_api_keys` can allow.
const MAX_LISTED: u64 = 1000;

/// A row of `api_keys`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    /// Global id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    /// Whose key it is.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// The first characters of the secret.
    pub prefix: String,
    /// SHA-256 of the secret, in hexadecimal.
    pub secret_hash: String,
    /// [`Scopes::bits`](crate::caller::Scopes::bits).
    pub scopes: i16,
    /// The only counter it works on; the key goes with it.
    pub counter_id: Option<CounterId>,
    /// That counter's name, which never changes.
    pub counter_name: Option<String>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When a request of it was last noticed.
    pub last_used_at: Option<DateTimeUtc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTimeUtc>,
}

/// Whose it is.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The user.
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// A new secret.
pub(super) fn generate() -> Result<String, getrandom::Error> {
    let mut random = [0_u8; RANDOM_BYTES];
    getrandom::fill(&mut random)?;
    Ok(secret_of(&random))
}

/// The secret with these random bytes.
pub(super) fn secret_of(random: &[u8; RANDOM_BYTES]) -> String {
    let digits = hex(random);
    let checksum = crc32fast::hash(digits.as_bytes());
    format!("{PREFIX}{digits}{checksum:08x}")
}

/// The first characters of a secret: enough to recognise it, too few to help guess it.
pub(super) fn shown(secret: &str) -> String {
    secret.chars().take(SHOWN_CHARS).collect()
}

/// What is stored of a secret; `None` for what is none.
pub(super) fn hash(secret: &str) -> Option<String> {
    let digits = secret.strip_prefix(PREFIX).filter(|digits| digits.len() == DIGITS)?;
    let (random, checksum) = digits.split_at_checked(2 * RANDOM_BYTES)?;
    let genuine = format!("{:08x}", crc32fast::hash(random.as_bytes())) == checksum;
    genuine.then(|| hex(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref()))
}

/// What the memory of verified tokens calls the key with this hash: known before its row is read.
pub(super) fn credential(hash: &str) -> Uuid {
    hash.get(..32).and_then(|digits| Uuid::try_parse(digits).ok()).unwrap_or_default()
}

/// The key with this hash, if it has not expired and its owner may act.
pub(super) async fn find_live(
    db: &impl ConnectionTrait,
    hash: &str,
    now: chrono::DateTime<Utc>,
) -> Result<Option<Model>, Error> {
    let key = Entity::find().filter(Column::SecretHash.eq(hash)).filter(is_live(now));
    Ok(key.inner_join(user::Entity).filter(user::is_welcome()).one(db).await?)
}

/// Those of `ids` that have not expired at `now`, of users who may act, with their scopes.
pub(super) async fn list_welcome(
    db: &impl ConnectionTrait,
    ids: &HashSet<ApiKeyId>,
    now: chrono::DateTime<Utc>,
) -> Result<HashMap<ApiKeyId, Scopes>, Error> {
    let mut welcome = HashMap::new();
    let ids: Vec<ApiKeyId> = ids.iter().copied().collect();
    for some in ids.chunks(ASKED_AT_ONCE) {
        let keys = Entity::find().filter(Column::Id.is_in(some.iter().copied())).filter(is_live(now));
        let keys = keys.inner_join(user::Entity).filter(user::is_welcome());
        let keys = keys.select_only().column(Column::Id).column(Column::Scopes);
        let found: Vec<(ApiKeyId, i16)> = keys.into_tuple().all(db).await?;
        welcome.extend(found.into_iter().map(|(id, scopes)| (id, Scopes::from_bits(scopes))));
    }
    Ok(welcome)
}

/// Whether a key has not expired.
pub(super) fn is_live(now: chrono::DateTime<Utc>) -> Condition {
    Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(now))
}

/// Writes down when a key was used; false if there is none.
pub(super) async fn set_used(
    db: &impl ConnectionTrait,
    id: ApiKeyId,
    at: chrono::DateTime<Utc>,
) -> Result<bool, Error> {
    let update =
        Entity::update_many().col_expr(Column::LastUsedAt, Expr::value(at)).filter(Column::Id.eq(id)).exec(db).await?;
    Ok(update.rows_affected == 1)
}

/// The live keys of a user, the newest first.
pub(super) async fn list_live(
    db: &impl ConnectionTrait,
    user: UserId,
    now: chrono::DateTime<Utc>,
) -> Result<Vec<Model>, Error> {
    let keys = Entity::find().filter(Column::UserId.eq(user)).filter(is_live(now));
    Ok(keys.order_by_desc(Column::Id).limit(MAX_LISTED).all(db).await?)
}

/// This key, if it is this user's.
pub(super) async fn find_own(db: &impl ConnectionTrait, id: ApiKeyId, user: UserId) -> Result<Option<Model>, Error> {
    Ok(Entity::find_by_id(id).filter(Column::UserId.eq(user)).one(db).await?)
}

/// Removes the live keys that are limited to a counter, and returns their hashes. Expired ones are refused anyhow, and
/// left to [`remove_limited_to`].
///
/// # Errors
/// Database errors.
pub async fn end_limited_to(
    transaction: &DatabaseTransaction,
    counter: CounterId,
    now: chrono::DateTime<Utc>,
) -> Result<Vec<String>, Error> {
    let live = Entity::find().filter(Column::CounterId.eq(counter)).filter(is_live(now));
    let live = live.select_only().column(Column::Id).column(Column::SecretHash).order_by_asc(Column::Id);
    let live = locked(transaction, live, "api_keys_by_counter_id");
    let live: Vec<(ApiKeyId, String)> = live.into_tuple().all(transaction).await?;
    for some in live.chunks(ASKED_AT_ONCE) {
        let ids: Vec<ApiKeyId> = some.iter().map(|(id, _)| *id).collect();
        delete_locked::<Entity, _>(transaction, Column::Id, &ids).await?;
    }
    Ok(live.into_iter().map(|(_, hash)| hash).collect())
}

/// Removes the API keys of a user, in a transaction that has locked the user, and returns their hashes.
pub(super) async fn end_all(transaction: &DatabaseTransaction, user: UserId) -> Result<Vec<String>, Error> {
    let keys = Entity::find().filter(Column::UserId.eq(user));
    let keys = keys.select_only().column(Column::Id).column(Column::SecretHash).order_by_asc(Column::Id);
    let keys: Vec<(ApiKeyId, String)> = locked(transaction, keys, BY_USER).into_tuple().all(transaction).await?;
    for some in keys.chunks(ASKED_AT_ONCE) {
        let ids: Vec<ApiKeyId> = some.iter().map(|(id, _)| *id).collect();
        delete_locked::<Entity, _>(transaction, Column::Id, &ids).await?;
    }
    Ok(keys.into_iter().map(|(_, hash)| hash).collect())
}

/// Removes every key that is limited to a counter, in bounded batches.
///
/// # Errors
/// Database errors.
pub async fn remove_limited_to(database: &Database, counter: CounterId) -> Result<(), Error> {
    let condition = Condition::all().add(Column::CounterId.eq(counter));
    database.remove_in_batches::<ApiKeyId, _>(Column::Id, condition).await?;
    Ok(())
}

/// Finds a row if a key is limited to the counter in this column of an outer statement: for an `EXISTS`.
pub fn limited_to(counter: impl IntoColumnRef) -> SelectStatement {
    Query::select().expr(Expr::val(1)).from(Entity).and_where(Column::CounterId.into_expr().equals(counter)).take()
}

/// Removes a key, for whoever does so first.
pub(super) async fn remove(db: &impl ConnectionTrait, id: ApiKeyId) -> Result<bool, Error> {
    Ok(Entity::delete_by_id(id).exec(db).await?.rows_affected == 1)
}

/// Matches keys that expired before `moment`.
pub(super) fn expired_before(moment: chrono::DateTime<Utc>) -> Condition {
    Condition::all().add(Column::ExpiresAt.lt(moment))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_from_what_looks_like_one() {
        let secret = generate().expect("random bytes");
        assert_eq!(secret.len(), PREFIX.len() + DIGITS);
        assert!(hash(&secret).is_some());
        let last = if secret.ends_with('0') { "1" } else { "0" };
        let broken = format!("{}{last}", secret.get(..secret.len() - 1).expect("ASCII"));
        assert_eq!(hash(&broken), None);
        assert_eq!(hash("crk_"), None);
    }
}
