//! A mail that is to be sent. It is queued in the transaction of what it tells, without a look at who has the
//! address, so that a request's answer and time say nothing about that; `post.rs` finds it out, later.

use chrono::Utc;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{QueryOrder as _, QuerySelect as _};

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
    /// The user has another password now.
    PasswordChanged,
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
    let row = ActiveModel {
        id: Set(Uuid::now_v7()),
        kind: Set(kind),
        recipient: Set(recipient.to_owned()),
        user_id: Set(user),
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

/// Those that concern a user, the oldest first.
pub(super) async fn list_all(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<Model>, Error> {
    Ok(Entity::find().filter(Column::UserId.eq(user)).order_by_asc(Column::Id).all(db).await?)
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

/// Takes a mail out: it was sent, or will not be.
pub(super) async fn remove(db: &impl ConnectionTrait, id: Uuid) -> Result<(), Error> {
    Entity::delete_by_id(id).exec(db).await?;
    Ok(())
}
