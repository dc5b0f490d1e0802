//! The token in a mail's link: random, stored as its hash, good once and for a limited time.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use crate::accounts::api_key::hex;
use crate::accounts::identity;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;
use crate::store::{DatabaseTransaction, delete_locked, lock_keys};

const RANDOM_BYTES: usize = 32;
/// Bytes of a token at most; what is longer is not looked at.
const MAX_TOKEN_BYTES: usize = 128;
/// The index by user, and by the primary key after that.
const BY_USER: &str = "email_tokens_by_user";
/// Tokens of one kind that a user has at most. Beyond them the oldest are removed, so that whoever removes all of them
/// removes so many.
const MAX_TOKENS: u64 = 100;

/// A row of `email_tokens`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "email_tokens")]
pub struct Model {
    /// SHA-256 of the token, in hexadecimal.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: String,
    /// What it is good for.
    pub kind: Kind,
    /// For whom.
    pub user_id: UserId,
    /// The address that it was sent to.
    pub email: String,
    /// Until when.
    pub expires_at: DateTimeUtc,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "snake_case")]
pub enum Kind {
    /// To confirm the address that it was sent to.
    VerifyEmail,
    /// To choose a new password.
    ResetPassword,
    /// To bring a deleted account back.
    RestoreAccount,
}

/// Tokens have no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A new token and what is stored of it.
pub(super) fn generate(
    kind: Kind,
    user: UserId,
    email: String,
    expires_at: chrono::DateTime<Utc>,
) -> Result<(String, ActiveModel), Error> {
    let mut random = [0_u8; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    let token = URL_SAFE_NO_PAD.encode(random);
    let hash = Set(hash(&token));
    let row = ActiveModel { hash, kind: Set(kind), user_id: Set(user), email: Set(email), expires_at: Set(expires_at) };
    Ok((token, row))
}

/// Adds a token, in the place of the oldest ones if there are too many.
pub(super) async fn add(db: &impl ConnectionTrait, token: ActiveModel) -> Result<(), Error> {
    let token = token.insert(db).await?;
    let others = Entity::find().filter(Column::UserId.eq(token.user_id)).filter(Column::Kind.eq(token.kind));
    let oldest = others.order_by_desc(Column::ExpiresAt).offset(MAX_TOKENS).limit(MAX_TOKENS);
    let oldest: Vec<String> = oldest.select_only().column(Column::Hash).into_tuple().all(db).await?;
    if !oldest.is_empty() {
        Entity::delete_many().filter(Column::Hash.is_in(oldest)).exec(db).await?;
    }
    Ok(())
}

/// What `token` is good for at `now`.
pub(super) async fn require(
    db: &impl ConnectionTrait,
    kind: Kind,
    token: &str,
    now: chrono::DateTime<Utc>,
) -> Result<Model, Error> {
    let found = match token.len() <= MAX_TOKEN_BYTES {
        true => Entity::find_by_id(hash(token)).filter(Column::Kind.eq(kind)).one(db).await?,
        false => None,
    };
    match found {
        Some(row) if row.expires_at > now => Ok(row),
        Some(_) => {
            Err(UserError::of("token", UserErrorCode::Expired, "The link has expired: ask for another one.").into())
        }
        None => Err(spent()),
    }
}

/// Takes the token out, for whoever does so first.
pub(super) async fn spend(db: &impl ConnectionTrait, token: &Model) -> Result<(), Error> {
    match Entity::delete_by_id(&token.hash).exec(db).await?.rows_affected {
        1 => Ok(()),
        _ => Err(spent()),
    }
}

/// Takes out what else a user holds of this kind.
pub(super) async fn remove_all(transaction: &DatabaseTransaction, kind: Kind, user: UserId) -> Result<(), Error> {
    remove(transaction, Condition::all().add(Column::UserId.eq(user)).add(Column::Kind.eq(kind)), BY_USER).await
}

/// Takes out a user's links to addresses that are not `own`.
pub(super) async fn remove_changes(
    transaction: &DatabaseTransaction,
    user: UserId,
    own: Option<&str>,
) -> Result<(), Error> {
    let links = Condition::all().add(Column::UserId.eq(user)).add(Column::Kind.eq(Kind::VerifyEmail));
    remove(transaction, own.map_or(links.clone(), |own| links.add(Column::Email.ne(own))), BY_USER).await
}

/// Takes out the links of these users to the address with this key, but for those that confirm it: what they say while
/// somebody else owns the address is that it is taken.
pub(super) async fn remove_sent_to(
    transaction: &DatabaseTransaction,
    users: &[UserId],
    key: &str,
) -> Result<(), Error> {
    let links = Entity::find().filter(Column::UserId.is_in(users.iter().copied()));
    let links = links.filter(Column::Kind.ne(Kind::VerifyEmail)).order_by_asc(Column::Hash);
    let links = links.all(transaction).await?.into_iter();
    let hashes: Vec<String> =
        links.filter(|link| identity::is_spelling_of(&link.email, key)).map(|link| link.hash).collect();
    Ok(delete_locked::<Entity, _>(transaction, Column::Hash, &hashes).await?)
}

/// Whether a user has a link of this kind that is good at `now`.
pub(super) async fn any_live(
    db: &impl ConnectionTrait,
    kind: Kind,
    user: UserId,
    now: chrono::DateTime<Utc>,
) -> Result<bool, Error> {
    let links = Entity::find().filter(Column::UserId.eq(user)).filter(Column::Kind.eq(kind));
    Ok(links.filter(Column::ExpiresAt.gt(now)).one(db).await?.is_some())
}

/// Those of a user that are still kept, the first to expire first.
pub(super) async fn list_all(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<Model>, Error> {
    Ok(Entity::find().filter(Column::UserId.eq(user)).order_by_asc(Column::ExpiresAt).all(db).await?)
}

/// Matches tokens that expired before `moment`.
pub(super) fn expired_before(moment: chrono::DateTime<Utc>) -> Condition {
    Condition::all().add(Column::ExpiresAt.lt(moment))
}

async fn remove(transaction: &DatabaseTransaction, which: Condition, index: &'static str) -> Result<(), Error> {
    let hashes: Vec<String> = lock_keys(transaction, Entity::find().filter(which), Column::Hash, index).await?;
    Ok(delete_locked::<Entity, _>(transaction, Column::Hash, &hashes).await?)
}

fn hash(token: &str) -> String {
    hex(digest::digest(&digest::SHA256, token.as_bytes()).as_ref())
}

/// What a token that was used, or never was one, gets.
pub(super) fn spent() -> Error {
    let message = "The link is not complete, or was used already: ask for another one.";
    UserError::of("token", UserErrorCode::Invalid, message).into()
}
