//! A mail that is to be sent. It is queued in the transaction of what it tells, without a look at who has the
//! address, so that a request's answer and time say nothing about that; `post.rs` finds it out, later.

use chrono::Utc;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func};
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use crate::accounts::identity;
use crate::accounts::user;
use crate::error::Error;
use crate::id::UserId;

/// A row of `mails`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mails")]
pub struct Model {
    /// Its own id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What it says.
    pub kind: Kind,
    /// The address.
    pub recipient: String,
    /// Whom it concerns, where that is known.
    pub user_id: Option<UserId>,
    /// What it is about, where the kind and the user do not say it: at most 255 characters.
    pub detail: Option<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was queued.
    pub created_at: DateTimeUtc,
    /// When it is tried next.
    pub due_at: DateTimeUtc,
}

/// What a mail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "snake_case")]
pub enum Kind {
    /// Follow the link to confirm this address, for the user; or, to somebody else who has it, that they have it.
    VerifyEmail,
    /// Follow the link to choose a new password, if the address has an account.
    ResetPassword,
    /// The user has another address now; to the one before.
    EmailChanged,
    /// The same, to one that nobody had confirmed.
    UnconfirmedEmailChanged,
    /// The user has another password now.
    PasswordChanged,
    /// The user has a new API key. The detail is the beginning of its secret.
    ApiKeyCreated,
    /// A session of the user was ended, because a refresh token of it was used again.
    RefreshTokenReused,
    /// The account is deleted: when it is removed, and how to bring it back.
    AccountDeleted,
    /// Another account has the same address, and is found by it; queued by a migration.
    AddressShared,
}

/// Mails have no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Queues a mail.
pub(super) async fn add(
    db: &impl ConnectionTrait,
    kind: Kind,
    recipient: &str,
    user: Option<UserId>,
    now: chrono::DateTime<Utc>,
) -> Result<(), Error> {
    add_about(db, kind, recipient, user, None, now).await
}

/// Queues a mail with a detail.
pub(super) async fn add_about(
    db: &impl ConnectionTrait,
    kind: Kind,
    recipient: &str,
    user: Option<UserId>,
    detail: Option<String>,
    now: chrono::DateTime<Utc>,
) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(Uuid::now_v7()),
        kind: Set(kind),
        recipient: Set(recipient.to_owned()),
        user_id: Set(user),
        detail: Set(detail),
        attempts: Set(0),
        created_at: Set(now),
        due_at: Set(now),
    };
    Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Those that are due, the longest waiting first.
pub(super) async fn list_due(
    db: &impl ConnectionTrait,
    now: chrono::DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, Error> {
    let due = Entity::find().filter(Column::DueAt.lte(now)).order_by_asc(Column::DueAt).limit(limit);
    Ok(due.all(db).await?)
}

/// Those that concern a user, or go to their address without a known user, the oldest first.
pub(super) async fn list_all(db: &impl ConnectionTrait, user: &user::Model) -> Result<Vec<Model>, Error> {
    let addresses = user.email.iter().chain(&user.email_key).map(|address| address.to_lowercase());
    let recipient = Expr::from(Func::lower(Expr::col(Column::Recipient)));
    let to_address = Condition::all().add(Column::UserId.is_null()).add(recipient.is_in(addresses));
    let theirs = Condition::any().add(Column::UserId.eq(user.id)).add(to_address);
    Ok(Entity::find().filter(theirs).order_by_asc(Column::Id).all(db).await?)
}

/// Counts an attempt and puts the next one off; false if somebody else did so first.
pub(super) async fn claim(
    db: &impl ConnectionTrait,
    mail: &Model,
    due_at: chrono::DateTime<Utc>,
) -> Result<bool, Error> {
    let update = Entity::update_many()
        .col_expr(Column::Attempts, Expr::value(mail.attempts.saturating_add(1)))
        .col_expr(Column::DueAt, Expr::value(due_at))
        .filter(Column::Id.eq(mail.id))
        .filter(Column::Attempts.eq(mail.attempts));
    Ok(update.exec(db).await?.rows_affected == 1)
}

/// Takes out what would bring a user links to addresses that are not `own`.
pub(super) async fn remove_changes(db: &impl ConnectionTrait, user: UserId, own: Option<&str>) -> Result<(), Error> {
    let links = Entity::delete_many().filter(Column::UserId.eq(user)).filter(Column::Kind.eq(Kind::VerifyEmail));
    own.map_or(links.clone(), |own| links.filter(Column::Recipient.ne(own))).exec(db).await?;
    Ok(())
}

/// Removes queued emails that will bring links to choose a new password to the address of `user`.
pub(super) async fn remove_resets(db: &impl ConnectionTrait, user: &user::Model) -> Result<(), Error> {
    let addresses: Vec<&str> = [&user.email, &user.email_key].into_iter().flatten().map(String::as_str).collect();
    if addresses.is_empty() {
        return Ok(());
    }
    let resets = Entity::delete_many().filter(Column::Kind.eq(Kind::ResetPassword));
    resets.filter(Column::Recipient.is_in(addresses)).exec(db).await?;
    Ok(())
}

/// Takes out what would bring these users links to the address with this key.
pub(super) async fn remove_links_to(db: &impl ConnectionTrait, users: &[UserId], key: &str) -> Result<(), Error> {
    let mails = Entity::find().filter(Column::UserId.is_in(users.iter().copied()));
    let mails = mails.filter(Column::Kind.is_in([Kind::VerifyEmail, Kind::AccountDeleted])).all(db).await?;
    let ids: Vec<Uuid> =
        mails.into_iter().filter(|mail| identity::is_spelling_of(&mail.recipient, key)).map(|mail| mail.id).collect();
    if !ids.is_empty() {
        Entity::delete_many().filter(Column::Id.is_in(ids)).exec(db).await?;
    }
    Ok(())
}

/// Takes a mail out: it was sent, or will not be.
pub(super) async fn remove(db: &impl ConnectionTrait, id: Uuid) -> Result<(), Error> {
    Entity::delete_by_id(id).exec(db).await?;
    Ok(())
}
