//! A person, as the database keeps them.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, Func, IntoCondition, LockType, Query};
use sea_orm::{Condition, DbBackend, QueryOrder as _, QuerySelect as _, SqlErr};

use crate::accounts::{identity, username_skeleton};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::UserId;
use crate::store::{DatabaseTransaction, PRIMARY, lock_keys};

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Global id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// The name as its owner writes it.
    pub username: String,
    /// The form that is unique: see `identity.rs`.
    pub username_key: String,
    /// The address as its owner writes it.
    pub email: Option<String>,
    /// The form in which two spellings of it are equal. Of an address that nobody has confirmed, several users may have it.
    pub email_key: Option<String>,
    /// The same if the address is theirs alone: see `email_owner.rs`.
    pub email_owner_key: Option<String>,
    /// What to call them.
    pub name: Option<String>,
    /// A PHC string.
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
    /// When they signed up.
    pub created_at: DateTimeUtc,
    /// When anything but the moments below last changed.
    pub updated_at: DateTimeUtc,
    /// When the address was shown to be theirs.
    pub email_verified_at: Option<DateTimeUtc>,
    /// Signed up where confirmation is required, and not confirmed: nobody yet, and removed after this.
    pub unconfirmed_until: Option<DateTimeUtc>,
    /// Shut out since.
    pub suspended_at: Option<DateTimeUtc>,
    /// Deleted: gone for everybody, and removed after the time of grace.
    pub deleted_at: Option<DateTimeUtc>,
    /// Deleted by themselves: until then they can bring the account back.
    pub restorable_until: Option<DateTimeUtc>,
    /// Username and name in one form, for searching.
    pub search_key: String,
    /// Start of the account's purge. The row stays until everything that refers to it is removed.
    pub purge_started_at: Option<DateTimeUtc>,
    /// SHA-256 of the password hash with which the user was imported, in hexadecimal: see `import.rs`.
    pub import_fingerprint: Option<String>,
    /// The form in which look-alikes are equal, if the username is ASCII-only: see `username_skeleton.rs`.
    pub username_skeleton: Option<String>,
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
pub enum Role {
    /// Act for themselves.
    User,
    /// Act for everybody.
    Admin,
}

impl Role {
    /// Its name in the schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Admin => "ADMIN",
        }
    }
}

/// What has become of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They may act.
    Active,
    /// Shut out by an administrator.
    Suspended,
    /// Signed up where confirmation is required, and nobody yet.
    Unconfirmed,
    /// Gone for everybody, and soon for good.
    Deleted,
}

impl State {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Deleted => "DELETED",
        }
    }
}

/// Users have no relations that are followed in SQL: loaders do that.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether they are neither suspended nor deleted, nor still to be confirmed.
    pub(super) fn may_act(&self) -> bool {
        self.state() == State::Active
    }

    /// What has become of them. Of several things, the one that shuts them out most.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self { deleted_at: Some(_), .. } => State::Deleted,
            Self { unconfirmed_until: Some(_), .. } => State::Unconfirmed,
            Self { suspended_at: Some(_), .. } => State::Suspended,
            _ => State::Active,
        }
    }
}

/// Whether a user may act: neither suspended nor deleted, nor still to be confirmed.
pub(super) fn is_welcome() -> Condition {
    is_present().add(Column::SuspendedAt.is_null())
}

/// Whether a user is there for others: neither deleted nor still to be confirmed.
pub fn is_present() -> Condition {
    Condition::all().add(Column::DeletedAt.is_null()).add(Column::UnconfirmedUntil.is_null())
}

/// Whether the user's address is shown but is not theirs to sign in with: another account has it in another spelling.
pub(super) fn has_email_conflict() -> Condition {
    Condition::all().add(Column::Email.is_not_null()).add(Column::EmailKey.is_null())
}

/// The user with this unique username, whatever has become of them.
pub(super) async fn find_by_username(db: &impl ConnectionTrait, key: &str) -> Result<Option<Model>, Error> {
    Ok(Entity::find().filter(Column::UsernameKey.eq(key)).one(db).await?)
}

/// The users with these unique usernames, whatever has become of them, in no order.
pub(super) async fn list_by_usernames(db: &impl ConnectionTrait, keys: &[&str]) -> Result<Vec<Model>, Error> {
    Ok(Entity::find().filter(Column::UsernameKey.is_in(keys.iter().copied())).all(db).await?)
}

/// The users with these e-mail addresses, whatever has become of them, in no order.
pub(super) async fn list_by_emails(db: &impl ConnectionTrait, keys: &[&str]) -> Result<Vec<Model>, Error> {
    Ok(Entity::find().filter(Column::EmailKey.is_in(keys.iter().copied())).all(db).await?)
}

/// Users, whatever has become of them, but for those whose accounts are being purged.
pub(super) fn kept() -> Select<Entity> {
    Entity::find().filter(Column::PurgeStartedAt.is_null())
}

/// This user, whatever has become of them.
pub(super) async fn find_by_id(db: &impl ConnectionTrait, id: UserId) -> Result<Option<Model>, Error> {
    Ok(kept().filter(Column::Id.eq(id)).one(db).await?)
}

/// The user with this username, if they are there for others.
pub(super) async fn find_present(db: &impl ConnectionTrait, username_key: &str) -> Result<Option<Model>, Error> {
    Ok(Entity::find().filter(Column::UsernameKey.eq(username_key)).filter(is_present()).one(db).await?)
}

/// Whose hash a password is to be checked against, and the hash, of the one user for whom `which` holds who has not
/// been deleted. There is a row of no more columns than that in any case, because to be sent one takes time as well.
pub(super) async fn find_hash(
    db: &impl ConnectionTrait,
    which: impl IntoCondition,
) -> Result<Option<(UserId, String)>, Error> {
    find_hash_of(db, which.into_condition().add(Column::DeletedAt.is_null())).await
}

/// The same, of a user who may have been deleted.
pub(super) async fn find_hash_of(
    db: &impl ConnectionTrait,
    joined: Condition,
) -> Result<Option<(UserId, String)>, Error> {
    let always = Query::select().expr(Expr::val(1)).take();
    let select = Query::select()
        .column((Entity, Column::Id))
        .column((Entity, Column::PasswordHash))
        .from_subquery(always, "always")
        .left_join(Entity, joined)
        .take();
    let Some(row) = db.query_one(&select).await? else { return Ok(None) };
    let id: Option<UserId> = row.try_get_by_index(0)?;
    Ok(id.zip(row.try_get_by_index::<Option<String>>(1)?))
}

/// Those of `ids` that are there for others, in no order.
pub(super) async fn list_by_ids(db: &impl ConnectionTrait, ids: &[UserId]) -> Result<Vec<Model>, Error> {
    Ok(Entity::find().filter(Column::Id.is_in(ids.iter().copied())).filter(is_present()).all(db).await?)
}

/// This user, locked until the transaction ends: by the row, but on SQLite, where there is one writer.
///
/// # Errors
/// Errors of the database.
pub async fn lock(transaction: &DatabaseTransaction, id: UserId) -> Result<Option<Model>, Error> {
    Ok(locked(transaction, kept().filter(Column::Id.eq(id))).one(transaction).await?)
}

/// Locks a user until the transaction ends, without reading the row.
///
/// # Errors
/// Errors of the database.
pub async fn lock_row(transaction: &DatabaseTransaction, id: UserId) -> Result<(), Error> {
    lock_keys::<Entity, Uuid>(transaction, Entity::find_by_id(id), Column::Id, PRIMARY).await?;
    Ok(())
}

/// The users with these ids that exist, locked until the transaction ends, always in the same order.
///
/// # Errors
/// Errors of the database.
pub async fn lock_all(
    transaction: &DatabaseTransaction,
    ids: impl IntoIterator<Item = UserId>,
) -> Result<Vec<Model>, Error> {
    let users = kept().filter(Column::Id.is_in(ids)).order_by_asc(Column::Id);
    Ok(locked(transaction, users).all(transaction).await?)
}

/// The administrators who may act, and this user, locked until the transaction ends, always in the
/// same order.
pub(super) async fn lock_admins_and(
    transaction: &DatabaseTransaction,
    id: UserId,
) -> Result<(Vec<UserId>, Option<Model>), Error> {
    let admins = is_welcome().add(Column::Role.eq(Role::Admin));
    let users = kept().filter(Condition::any().add(admins).add(Column::Id.eq(id))).order_by_asc(Column::Id);
    let users = locked(transaction, users).all(transaction).await?;
    let is_admin = |user: &&Model| user.role == Role::Admin && user.may_act();
    let admins = users.iter().filter(is_admin).map(|admin| admin.id).collect();
    Ok((admins, users.into_iter().find(|user| user.id == id)))
}

fn locked(transaction: &DatabaseTransaction, select: Select<Entity>) -> Select<Entity> {
    match transaction.get_database_backend() {
        DbBackend::Sqlite => select,
        _ => select.lock(LockType::Update),
    }
}

/// Stores another hash of the same password.
pub(super) async fn set_password_hash(db: &impl ConnectionTrait, id: UserId, hash: String) -> Result<(), Error> {
    Entity::update_many().col_expr(Column::PasswordHash, Expr::value(hash)).filter(Column::Id.eq(id)).exec(db).await?;
    Ok(())
}

/// The form in which a username and a name are searched, with what no search has between them.
pub(super) fn search_key(username_key: &str, name: Option<&str>) -> String {
    format!("{username_key}\n{}", identity::key_of(name.unwrap_or_default()))
}

/// What a failed insert or update says of a name or address that somebody has: every backend names the column or its
/// index, which are called alike. MariaDB says what was to be stored before it, which may be called so as well.
pub(super) fn taken(error: DbErr) -> Error {
    let Some(SqlErr::UniqueConstraintViolation(text)) = error.sql_err() else { return error.into() };
    let key = text.rsplit("' for key ").next().unwrap_or_default();
    match key {
        key if key.contains("email_owner_key") => email_taken().into(),
        key if key.contains("username_key") => username_taken().into(),
        _ => error.into(),
    }
}

pub(super) fn email_taken() -> UserError {
    UserError::of("email", UserErrorCode::Taken, "An account with this e-mail address exists.")
}

pub(super) fn username_taken() -> UserError {
    UserError::of("username", UserErrorCode::Taken, "This username is taken.")
}

/// Whether there is an administrator who may act.
pub(super) async fn any_admin(db: &impl ConnectionTrait) -> Result<bool, Error> {
    Ok(Entity::find().filter(Column::Role.eq(Role::Admin)).filter(is_welcome()).one(db).await?.is_some())
}

/// Those of `ids` who are still kept, in no order, whatever has become of them.
pub async fn list_usernames(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = UserId>,
) -> Result<Vec<(UserId, String)>, Error> {
    let users = kept().filter(Column::Id.is_in(ids)).select_only();
    Ok(users.column(Column::Id).column(Column::Username).into_tuple().all(db).await?)
}

/// Marks a user as deleted; the time of grace begins once.
pub(super) async fn set_deleted(
    db: &impl ConnectionTrait,
    id: UserId,
    now: chrono::DateTime<chrono::Utc>,
    restorable_until: Option<chrono::DateTime<chrono::Utc>>,
) -> Result<(), Error> {
    let update = Entity::update_many()
        .col_expr(Column::DeletedAt, Expr::value(now))
        .col_expr(Column::RestorableUntil, Expr::value(restorable_until))
        .filter(Column::Id.eq(id));
    update.filter(Column::DeletedAt.is_null()).exec(db).await?;
    Ok(())
}

/// Brings a deleted user back.
pub(super) async fn set_restored(db: &impl ConnectionTrait, id: UserId) -> Result<(), Error> {
    let none = || Expr::value(Option::<chrono::DateTime<chrono::Utc>>::None);
    let update = Entity::update_many()
        .col_expr(Column::DeletedAt, none())
        .col_expr(Column::RestorableUntil, none())
        .filter(Column::Id.eq(id));
    update.exec(db).await?;
    Ok(())
}

/// Matches users whose accounts are due for a purge: deleted before `deleted`, or not confirmed before `unconfirmed`.
pub(super) fn is_due(deleted: chrono::DateTime<chrono::Utc>, unconfirmed: chrono::DateTime<chrono::Utc>) -> Condition {
    let gone = Condition::any().add(Column::DeletedAt.lt(deleted)).add(Column::UnconfirmedUntil.lt(unconfirmed));
    Condition::all().add(Column::PurgeStartedAt.is_null()).add(gone)
}

/// Marks a user whose account is purged from now on; false if `condition` does not hold. Nobody finds them any more, and
/// their username and address are free: those become what no user can have.
pub(super) async fn mark_purged(
    db: &impl ConnectionTrait,
    id: UserId,
    condition: Condition,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<bool, Error> {
    let name = id.uuid().simple().to_string();
    let none = || Expr::value(Option::<String>::None);
    let skeleton = Entity::find_by_id(id).select_only().column(Column::UsernameSkeleton).into_tuple().one(db).await?;
    let skeleton: Option<String> = skeleton.flatten();
    let deleted_at = Func::coalesce([Expr::col(Column::DeletedAt), Expr::value(now)]);
    let update = Entity::update_many()
        .col_expr(Column::PurgeStartedAt, Expr::value(now))
        .col_expr(Column::DeletedAt, deleted_at.into())
        .col_expr(Column::UsernameKey, Expr::value(format!("!{name}")))
        .col_expr(Column::Username, Expr::value(name))
        .col_expr(Column::UsernameSkeleton, none())
        .col_expr(Column::EmailKey, none())
        .col_expr(Column::EmailOwnerKey, none())
        .col_expr(Column::Email, none())
        .col_expr(Column::Name, none())
        .col_expr(Column::PasswordHash, Expr::value(""))
        .col_expr(Column::SearchKey, Expr::value(""))
        .col_expr(Column::ImportFingerprint, none())
        .filter(Column::Id.eq(id))
        .filter(Column::PurgeStartedAt.is_null())
        .filter(condition);
    let is_marked = update.exec(db).await?.rows_affected == 1;
    if is_marked {
        username_skeleton::release(db, id, skeleton.as_deref()).await?;
    }
    Ok(is_marked)
}

/// Matches users whose purge has begun. A range, because SQLite does not use the index for IS NOT NULL.
pub(super) fn is_marked() -> Condition {
    Condition::all().add(Column::PurgeStartedAt.gt(chrono::DateTime::UNIX_EPOCH))
}

/// Some users who match `condition`.
pub(super) async fn list_ids(
    db: &impl ConnectionTrait,
    condition: Condition,
    limit: u64,
) -> Result<Vec<UserId>, Error> {
    let users = Entity::find().filter(condition).limit(limit);
    Ok(users.select_only().column(Column::Id).into_tuple().all(db).await?)
}
