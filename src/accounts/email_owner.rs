//! The owner of an e-mail address, and the others who only gave it as theirs.
//!
//! `email_owner_key` is set for the owner alone. Where addresses are confirmed (`flagged`, `required`), that is the
//! account for which somebody followed the link in a mail to the address; an unconfirmed address owns nothing, so
//! several accounts may have it. Where they are not (`off`), it is the account that gave the address first.
//!
//! After a change of the policy:
//!
//! * to `off`, the sweep makes the oldest account with an address its owner ([`Accounts::assign_owner_keys`]); the
//!   others keep it for display and sign in by username;
//! * from `off`, an owner who has never confirmed goes on signing in by the address, and loses it to whoever confirms it.
//!
//! **Invariant:** of two who confirm one address at once, the unique index admits one.

use std::time::Instant;

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, JoinType, Order, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use crate::accounts::identity::Identity;
use crate::accounts::user::{Column, Entity, Model};
use crate::accounts::{Accounts, account_event, email_token, queued_mail, user};
use crate::caller::Caller;
use crate::config::EmailVerification;
use crate::error::Error;
use crate::id::{AccountEventId, UserId};
use crate::store::DatabaseTransaction;

/// Accounts that lose an address in one transaction, and owner keys that are looked for at once.
const USERS_AT_ONCE: u64 = 200;

/// A user and the hash of their password.
pub(super) type Credential = (UserId, String);

/// Returns true if the address of `user` is theirs alone.
pub(super) fn owns_email(user: &Model, policy: EmailVerification) -> bool {
    user.email_owner_key.is_some()
        && user.deleted_at.is_none()
        && (user.email_verified_at.is_some() || policy == EmailVerification::Off)
}

/// The user with this e-mail address who is not deleted: its owner, or else the newest of those who gave it.
pub(super) async fn find_present(db: &impl ConnectionTrait, key: &str) -> Result<Option<Model>, Error> {
    let owner = Entity::find().filter(Column::EmailOwnerKey.eq(key)).one(db).await?;
    match owner.filter(|owner| owner.deleted_at.is_none()) {
        Some(owner) => Ok(Some(owner)),
        None => Ok(newest(key).filter(Column::DeletedAt.is_null()).one(db).await?),
    }
}

/// The same, or else a deleted one.
pub(super) async fn find(db: &impl ConnectionTrait, key: &str) -> Result<Option<Model>, Error> {
    match find_present(db, key).await? {
        Some(user) => Ok(Some(user)),
        None => Ok(newest(key).one(db).await?),
    }
}

fn newest(key: &str) -> sea_orm::Select<Entity> {
    let holders = Entity::find().filter(Column::EmailKey.eq(key));
    holders.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id)
}

/// Whose hashes a password for this address is to be checked against: its owner's, and that of the newest user who only
/// gave it. There is one row of as many columns in any case, as for [`user::find_hash`].
pub(super) async fn find_hashes(
    db: &impl ConnectionTrait,
    key: &str,
) -> Result<(Option<Credential>, Option<Credential>), Error> {
    let always = Query::select().expr(Expr::val(1)).take();
    let is_owner = Condition::all()
        .add(Expr::col(("owner", Column::EmailOwnerKey)).eq(key))
        .add(Expr::col(("owner", Column::DeletedAt)).is_null());
    let is_newest = Expr::col(("newest", Column::Id)).eq(newest_id(key));
    let select = Query::select()
        .column(("owner", Column::Id))
        .column(("owner", Column::PasswordHash))
        .column(("newest", Column::Id))
        .column(("newest", Column::PasswordHash))
        .from_subquery(always, "always")
        .join_as(JoinType::LeftJoin, Entity, "owner", is_owner)
        .join_as(JoinType::LeftJoin, Entity, "newest", is_newest)
        .take();
    let Some(row) = db.query_one(&select).await? else { return Ok((None, None)) };
    let credential = |at: usize| -> Result<Option<Credential>, Error> {
        let id: Option<UserId> = row.try_get_by_index(at)?;
        Ok(id.zip(row.try_get_by_index::<Option<String>>(at + 1)?))
    };
    Ok((credential(0)?, credential(2)?))
}

/// The newest user who gave this address and does not own it. The index holds them in that order.
fn newest_id(key: &str) -> SelectStatement {
    Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Expr::col(Column::EmailKey).eq(key))
        .and_where(Expr::col(Column::EmailOwnerKey).is_null())
        .and_where(Expr::col(Column::DeletedAt).is_null())
        .order_by(Column::CreatedAt, Order::Desc)
        .order_by(Column::Id, Order::Desc)
        .limit(1)
        .take()
}

/// An address that is about to become somebody's.
#[derive(Clone)]
pub(super) struct NewOwner {
    pub(super) user: UserId,
    pub(super) address: Identity,
    policy: EmailVerification,
    now: DateTime<Utc>,
    /// For those who lose the address: it names neither who confirmed it nor from where.
    lost: account_event::ActiveModel,
}

/// The user about to own an address, and the others who have it, locked.
pub(super) struct Holders {
    pub(super) user: Option<Model>,
    others: Vec<Model>,
}

impl Holders {
    /// Whether not all of the others were locked.
    pub(super) fn may_be_more(&self) -> bool {
        self.others.len() as u64 == USERS_AT_ONCE
    }
}

impl NewOwner {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Locks the user, and the others who have the address, in the order of their ids.
    pub(super) async fn lock(&self, transaction: &DatabaseTransaction) -> Result<Holders, Error> {
        let others = Entity::find().filter(Column::EmailKey.eq(&self.address.key)).filter(Column::Id.ne(self.user));
        let others = others.order_by_asc(Column::Id).limit(USERS_AT_ONCE).select_only().column(Column::Id);
        let mut ids: Vec<UserId> = others.into_tuple().all(transaction).await?;
        ids.push(self.user);
        let (users, others) =
            user::lock_all(transaction, ids).await?.into_iter().partition::<Vec<_>, _>(|user| user.id == self.user);
        Ok(Holders { user: users.into_iter().next(), others })
    }

    /// Makes the user the owner; those who only gave the address, and those who are deleted, lose it.
    pub(super) async fn confirm(&self, transaction: &DatabaseTransaction, holders: &Holders) -> Result<Model, Error> {
        self.displace(transaction, holders).await?;
        let row = user::ActiveModel {
            id: Set(self.user),
            email: Set(Some(self.address.text.clone())),
            email_key: Set(Some(self.address.key.clone())),
            email_owner_key: Set(Some(self.address.key.clone())),
            email_verified_at: Set(Some(self.now)),
            unconfirmed_until: Set(None),
            updated_at: Set(self.now),
            ..Default::default()
        };
        row.update(transaction).await.map_err(user::taken)
    }

    /// Takes the address from the others, for a user who is made in this transaction.
    pub(super) async fn displace_all(&self, transaction: &DatabaseTransaction) -> Result<(), Error> {
        let holders = self.lock(transaction).await?;
        self.displace(transaction, &holders).await.map(drop)
    }

    /// Takes the address from the others, with the links that were sent to it. Returns how many there were.
    async fn displace(&self, transaction: &DatabaseTransaction, holders: &Holders) -> Result<usize, Error> {
        let key = Some(self.address.key.as_str());
        let lose = |user: &&Model| user.email_key.as_deref() == key && !owns_email(user, self.policy);
        let losers: Vec<UserId> = holders.others.iter().filter(lose).map(|user| user.id).collect();
        if losers.is_empty() {
            return Ok(0);
        }
        let none = || Expr::value(Option::<String>::None);
        let update = Entity::update_many()
            .col_expr(Column::Email, none())
            .col_expr(Column::EmailKey, none())
            .col_expr(Column::EmailOwnerKey, none())
            .col_expr(Column::EmailVerifiedAt, Expr::value(Option::<DateTime<Utc>>::None))
            .col_expr(Column::UpdatedAt, Expr::value(self.now))
            .filter(Column::Id.is_in(losers.iter().copied()));
        update.exec(transaction).await?;
        email_token::remove_sent_to(transaction, &losers, &self.address.key).await?;
        queued_mail::remove_links_to(transaction, &losers, &self.address.key).await?;
        for loser in &losers {
            let (id, user_id) = (Set(AccountEventId::generate()), Set(*loser));
            account_event::add(transaction, account_event::ActiveModel { id, user_id, ..self.lost.clone() }).await?;
        }
        Ok(losers.len())
    }
}

impl Accounts {
    /// About to make `user` the owner of `address`.
    pub(super) fn new_owner(&self, user: UserId, address: Identity) -> NewOwner {
        NewOwner {
            user,
            address,
            policy: self.settings.email_verification,
            now: self.clock.now(),
            lost: self.event(&Caller::anonymous(), user, account_event::Kind::EmailChanged),
        }
    }

    /// Takes a confirmed address from those whom its transaction did not reach, because they are very many. What they
    /// keep is of no use to them.
    pub(super) async fn take_from_others(&self, owner: &NewOwner) {
        if let Err(error) = self.displace_others(owner).await {
            let error = error.reason();
            tracing::warn!(user = %owner.user, error, "a confirmed address was not taken from all others who gave it");
        }
    }

    async fn displace_others(&self, owner: &NewOwner) -> Result<(), Error> {
        loop {
            let begun = Instant::now();
            let owner = owner.clone();
            let displaced = self.database.write(move |transaction| {
                let owner = owner.clone();
                Box::pin(async move {
                    let holders = owner.lock(transaction).await?;
                    let is_owner = |user: &Model| user.email_owner_key.as_ref() == Some(&owner.address.key);
                    match holders.user.as_ref().is_some_and(is_owner) {
                        true => owner.displace(transaction, &holders).await,
                        false => Ok(0),
                    }
                })
            });
            if displaced.await? == 0 {
                return Ok(());
            }
            self.database.rest_after(begun).await?;
        }
    }

    /// Makes accounts the owners of their addresses where an earlier version, or another policy, has not: those who have
    /// confirmed them; and where nothing is confirmed, the oldest with each address. The ids are in the order of sign-up.
    pub(super) async fn assign_owner_keys(&self) -> Result<(), Error> {
        let passes: &[bool] = match self.settings.email_verification {
            EmailVerification::Off => &[true, false],
            EmailVerification::Flagged | EmailVerification::Required => &[true],
        };
        for confirmed in passes {
            let mut after: UserId = uuid::Uuid::nil().into();
            loop {
                let begun = Instant::now();
                let mut users = Entity::find().filter(Column::Id.gt(after)).filter(Column::EmailOwnerKey.is_null());
                users = users.filter(Column::EmailKey.is_not_null());
                if *confirmed {
                    users = users.filter(Column::EmailVerifiedAt.is_not_null());
                }
                let users = users.order_by_asc(Column::Id).limit(USERS_AT_ONCE).select_only().column(Column::Id);
                let users: Vec<UserId> = users.into_tuple().all(self.database.reader()).await?;
                let Some(last) = users.last() else { break };
                after = *last;
                for id in users {
                    self.assign_owner_key(id).await?;
                }
                self.database.rest_after(begun).await?;
            }
        }
        Ok(())
    }

    /// Makes a user the owner of their address, unless somebody else is.
    async fn assign_owner_key(&self, id: UserId) -> Result<(), Error> {
        let assigned = self.database.write(move |transaction| {
            Box::pin(async move {
                let user = user::lock(transaction, id).await?.filter(|user| user.deleted_at.is_none());
                let Some(key) = user.and_then(|user| user.email_key) else { return Ok(()) };
                if Entity::find().filter(Column::EmailOwnerKey.eq(&key)).one(transaction).await?.is_some() {
                    return Ok(());
                }
                let update = Entity::update_many().col_expr(Column::EmailOwnerKey, Expr::value(key));
                update.filter(Column::Id.eq(id)).exec(transaction).await.map_err(user::taken)?;
                Ok(())
            })
        });
        match assigned.await {
            // Somebody else has just confirmed it.
            Ok(()) | Err(Error::Invalid(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
