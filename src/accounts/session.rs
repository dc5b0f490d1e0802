//! A session, as the database keeps it: from a login to its logout or expiry.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use chrono::Utc;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{Condition, QueryOrder as _, QuerySelect};

use crate::accounts::ASKED_AT_ONCE;
use crate::accounts::supersession::{Mark, Marks};
use crate::accounts::{revoked_access_token, user};
use crate::caller::Origin;
use crate::error::Error;
use crate::id::{SessionId, UserId};
use crate::store::{Database, DatabaseTransaction, MAX_BATCH_ROWS, PRIMARY, lock_keys, write_locked};

/// The newest sessions of a user whose addresses are known ones.
const KNOWN_ADDRESSES: u64 = 50;

/// The index that finds the sessions of a user that have not been ended, by id.
const BY_USER_AND_END: &str = "sessions_by_user_and_end";

/// Sessions that are listed at once to be removed.
const LISTED_SESSIONS: u64 = 20_000;

/// A row of `sessions`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// Global id; the `sid` claim of its access tokens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// Whose session it is.
    pub user_id: UserId,
    /// How often its tokens were refreshed; the refresh token of this count is the good one.
    pub generation: i32,
    /// What its owner calls it, such as a device.
    pub name: Option<String>,
    /// When the password was given.
    pub created_at: DateTimeUtc,
    /// When it ends by itself, unless its tokens are refreshed before.
    pub expires_at: DateTimeUtc,
    /// When its refresh token was given up.
    pub refresh_ended_at: Option<DateTimeUtc>,
    /// When it was ended.
    pub ended_at: Option<DateTimeUtc>,
    /// From where it was opened or last refreshed.
    pub ip_address: Option<String>,
    /// With which program.
    pub user_agent: Option<String>,
    /// When a request of it was last noticed, if ever.
    pub last_used_at: Option<DateTimeUtc>,
    /// The newest generation whose tokens were used: a request showed the access token, or a refresh
    /// the refresh token.
    pub confirmed_generation: Option<i32>,
    /// Every generation below this one was superseded at `marked_at` or before.
    pub mark_generation: Option<i32>,
    /// See `mark_generation`.
    pub marked_at: Option<DateTimeUtc>,
    /// The mark before that one.
    pub earlier_mark_generation: Option<i32>,
    /// See `earlier_mark_generation`.
    pub earlier_marked_at: Option<DateTimeUtc>,
}

/// Whose it is, for the one statement that asks whether a request is welcome.
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

/// This session, if it is live at `now`.
pub(super) async fn find_live(
    db: &impl ConnectionTrait,
    id: SessionId,
    now: chrono::DateTime<Utc>,
) -> Result<Option<Model>, Error> {
    Ok(live(now).filter(Column::Id.eq(id)).one(db).await?)
}

/// A session whose access token may be used.
pub(super) struct Honoured {
    /// When it ends by itself.
    pub(super) ends_at: chrono::DateTime<Utc>,
    /// Whether its user administers.
    pub(super) admin: bool,
    generation: i32,
    confirmed_generation: Option<i32>,
}

impl Honoured {
    /// Whether an access token of this generation is the first sign that the client has received its tokens. The first
    /// generation has superseded none, and one that is ahead of the session is of a time before a restore.
    pub(super) fn is_first_use(&self, generation: i32) -> bool {
        generation > 0 && generation <= self.generation && self.confirmed_generation < Some(generation)
    }
}

/// This session of this user, if it is live at `now`, this access token of it not revoked, and the user not shut out.
pub(super) async fn honours(
    db: &impl ConnectionTrait,
    id: SessionId,
    user: UserId,
    access_token: Uuid,
    now: chrono::DateTime<Utc>,
) -> Result<Option<Honoured>, Error> {
    let honoured: Option<(chrono::DateTime<Utc>, user::Role, i32, Option<i32>)> = live(now)
        .filter(Column::Id.eq(id))
        .filter(Column::UserId.eq(user))
        .filter(Expr::exists(revoked_access_token::with_id(access_token)).not())
        .inner_join(user::Entity)
        .filter(user::is_welcome())
        .select_only()
        .column(Column::ExpiresAt)
        .column(user::Column::Role)
        .column(Column::Generation)
        .column(Column::ConfirmedGeneration)
        .into_tuple()
        .one(db)
        .await?;
    Ok(honoured.map(|(ends_at, role, generation, confirmed_generation)| {
        let admin = role == user::Role::Admin;
        Honoured { ends_at, admin, generation, confirmed_generation }
    }))
}

/// Those of `ids` that are live at `now`, of users who are not shut out, with the role of the user.
pub(super) async fn list_honoured(
    db: &impl ConnectionTrait,
    ids: &HashSet<SessionId>,
    now: chrono::DateTime<Utc>,
) -> Result<HashMap<SessionId, user::Role>, Error> {
    let mut honoured = HashMap::new();
    let ids: Vec<SessionId> = ids.iter().copied().collect();
    for some in ids.chunks(ASKED_AT_ONCE) {
        let live = live(now).filter(Column::Id.is_in(some.iter().copied()));
        let live = live.inner_join(user::Entity).filter(user::is_welcome());
        let live = live.select_only().column(Column::Id).column(user::Column::Role);
        let found: Vec<(SessionId, user::Role)> = live.into_tuple().all(db).await?;
        honoured.extend(found);
    }
    Ok(honoured)
}

/// The live sessions of a user, at most `limit`, locked until the transaction ends.
pub(super) async fn lock_live_ids(
    transaction: &DatabaseTransaction,
    user: UserId,
    now: chrono::DateTime<Utc>,
    limit: Option<u64>,
) -> Result<Vec<SessionId>, Error> {
    let live = live(now).filter(Column::UserId.eq(user)).limit(limit);
    Ok(lock_keys(transaction, live, Column::Id, BY_USER_AND_END).await?)
}

/// The live sessions of a user without the newest `kept`, at most [`MAX_BATCH_ROWS`], locked until
/// the transaction ends.
pub(super) async fn lock_oldest_ids(
    transaction: &DatabaseTransaction,
    user: UserId,
    now: chrono::DateTime<Utc>,
    kept: u64,
) -> Result<Vec<SessionId>, Error> {
    let oldest = live_newest_first(user, now).offset(kept).limit(MAX_BATCH_ROWS as u64);
    let ids: Vec<SessionId> = oldest.select_only().column(Column::Id).into_tuple().all(transaction).await?;
    if ids.is_empty() {
        return Ok(ids);
    }
    let still_live = live(now).filter(Column::Id.is_in(ids));
    Ok(lock_keys(transaction, still_live, Column::Id, PRIMARY).await?)
}

/// Ends these sessions; how many were live.
pub(super) async fn end(
    transaction: &DatabaseTransaction,
    ids: &[SessionId],
    now: chrono::DateTime<Utc>,
) -> Result<u64, Error> {
    let mut ended = 0;
    // A statement has a limited number of parameters.
    for some in ids.chunks(ASKED_AT_ONCE) {
        let update = Entity::update_many()
            .col_expr(Column::EndedAt, Expr::value(now))
            .filter(Column::Id.is_in(some.iter().copied()))
            .filter(Column::EndedAt.is_null())
            .filter(Column::ExpiresAt.gt(now));
        ended += write_locked(transaction, &update).await?;
    }
    Ok(ended)
}

/// Gives up a session's refresh token: what is left of it ends at `expires_at`.
pub(super) async fn end_refresh(
    db: &impl ConnectionTrait,
    id: SessionId,
    now: chrono::DateTime<Utc>,
    expires_at: chrono::DateTime<Utc>,
) -> Result<(), Error> {
    let update = Entity::update_many()
        .col_expr(Column::RefreshEndedAt, Expr::value(now))
        .col_expr(Column::ExpiresAt, Expr::value(expires_at))
        .filter(Column::Id.eq(id));
    update.exec(db).await?;
    Ok(())
}

/// A refresh about to be counted.
pub(super) struct Advance<'a> {
    /// The generation whose refresh token is redeemed. Its tokens have been used thereby.
    pub(super) generation: i32,
    pub(super) now: chrono::DateTime<Utc>,
    pub(super) expires_at: chrono::DateTime<Utc>,
    /// The marks of the session with this refresh.
    pub(super) marks: Marks,
    pub(super) origin: &'a Origin,
}

/// Counts one refresh, if nobody else did since that generation and the session can still be refreshed.
pub(super) async fn advance(db: &impl ConnectionTrait, id: SessionId, advance: Advance<'_>) -> Result<bool, Error> {
    let Advance { generation, now, expires_at, marks, origin } = advance;
    let address = origin.address.map(|address| address.to_string());
    let user_agent = origin.user_agent.as_deref().map(str::to_owned);
    let (mark_generation, marked_at) = marks.latest.map(Mark::parts).unzip();
    let (earlier_mark_generation, earlier_marked_at) = marks.earlier.map(Mark::parts).unzip();
    let update = Entity::update_many()
        .col_expr(Column::IpAddress, Expr::value(address))
        .col_expr(Column::UserAgent, Expr::value(user_agent))
        .col_expr(Column::LastUsedAt, Expr::value(now))
        .col_expr(Column::Generation, Expr::value(generation.saturating_add(1)))
        .col_expr(Column::ConfirmedGeneration, Expr::value(generation))
        .col_expr(Column::MarkGeneration, Expr::value(mark_generation))
        .col_expr(Column::MarkedAt, Expr::value(marked_at))
        .col_expr(Column::EarlierMarkGeneration, Expr::value(earlier_mark_generation))
        .col_expr(Column::EarlierMarkedAt, Expr::value(earlier_marked_at))
        .col_expr(Column::ExpiresAt, Expr::value(expires_at))
        .filter(Column::Id.eq(id))
        .filter(Column::Generation.eq(generation))
        .filter(Column::EndedAt.is_null())
        .filter(Column::RefreshEndedAt.is_null())
        .filter(Column::ExpiresAt.gt(now));
    Ok(update.exec(db).await?.rows_affected == 1)
}

/// Stores that the tokens of this generation were used, unless a later generation's were. A generation that the session
/// has not reached, as after a restore of the database, is none of its own.
pub(super) async fn confirm(db: &impl ConnectionTrait, id: SessionId, generation: i32) -> Result<(), Error> {
    let confirmed = Column::ConfirmedGeneration;
    let earlier = Condition::any().add(confirmed.is_null()).add(confirmed.lt(generation));
    Entity::update_many()
        .col_expr(confirmed, Expr::value(generation))
        .filter(Column::Id.eq(id))
        .filter(Column::Generation.gte(generation))
        .filter(earlier)
        .exec(db)
        .await?;
    Ok(())
}

fn live(now: chrono::DateTime<Utc>) -> Select<Entity> {
    Entity::find().filter(Column::EndedAt.is_null()).filter(Column::ExpiresAt.gt(now))
}

/// Lists the live sessions of a user by `created_at`, which all servers take from one clock. Their
/// ids are each server's.
fn live_newest_first(user: UserId, now: chrono::DateTime<Utc>) -> Select<Entity> {
    live(now).filter(Column::UserId.eq(user)).order_by_desc(Column::CreatedAt).order_by_desc(Column::Id)
}

/// Writes down when a session was used; false if there is none, or a later use is written down.
pub(super) async fn set_used(
    db: &impl ConnectionTrait,
    id: SessionId,
    at: chrono::DateTime<Utc>,
) -> Result<bool, Error> {
    let earlier = Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lt(at));
    let update = Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::value(at))
        .filter(Column::Id.eq(id))
        .filter(earlier)
        .exec(db)
        .await?;
    Ok(update.rows_affected == 1)
}

/// From where a user has been signed in lately.
pub(super) async fn list_addresses(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<IpAddr>, Error> {
    let sessions = Entity::find().filter(Column::UserId.eq(user)).filter(Column::IpAddress.is_not_null());
    let newest = sessions.order_by_desc(Column::Id).limit(KNOWN_ADDRESSES);
    let addresses: Vec<String> = newest.select_only().column(Column::IpAddress).into_tuple().all(db).await?;
    Ok(addresses.iter().filter_map(|address| address.parse().ok()).collect())
}

/// The live sessions of a user, the newest first, at most `max`.
pub(super) async fn list_live(
    db: &impl ConnectionTrait,
    user: UserId,
    now: chrono::DateTime<Utc>,
    max: u32,
) -> Result<Vec<Model>, Error> {
    Ok(live_newest_first(user, now).limit(u64::from(max)).all(db).await?)
}

/// Matches sessions that ended before `moment`.
pub(super) fn ended_before(moment: chrono::DateTime<Utc>) -> Condition {
    Condition::any().add(Column::EndedAt.lt(moment)).add(Column::ExpiresAt.lt(moment))
}

/// Removes the sessions that match `condition` in bounded batches, the revoked access tokens of each batch first.
pub(super) async fn remove_in_batches(database: &Database, condition: Condition) -> Result<(), Error> {
    loop {
        let ids = Entity::find().filter(condition.clone()).limit(LISTED_SESSIONS).select_only().column(Column::Id);
        let ids: Vec<SessionId> = ids.into_tuple().all(database.reader()).await?;
        for batch in ids.chunks(MAX_BATCH_ROWS) {
            let in_batch = || batch.iter().copied();
            let revoked = Condition::all().add(revoked_access_token::Column::SessionId.is_in(in_batch()));
            database.remove_in_batches::<Uuid, _>(revoked_access_token::Column::Id, revoked).await?;
            let sessions = Condition::all().add(condition.clone()).add(Column::Id.is_in(in_batch()));
            database.remove_in_batches::<SessionId, _>(Column::Id, sessions).await?;
        }
        if (ids.len() as u64) < LISTED_SESSIONS {
            return Ok(());
        }
    }
}
