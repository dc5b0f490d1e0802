//! An entry of the audit log: what was done to an account, by whom and from where. Entries are added in the
//! transaction of what they tell, never changed, and removed only by age or with the account.

use std::net::IpAddr;

use chrono::Utc;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use crate::accounts::Accounts;
use crate::caller::{Caller, Identity};
use crate::error::Error;
use crate::id::{AccountEventId, UserId};
use crate::store::Database;

/// A row of `account_events`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_events")]
pub struct Model {
    /// Global id; later entries have greater ones.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountEventId,
    /// Whose account it was done to.
    pub user_id: UserId,
    /// The user who did it, or as whom an operator did it; `None` for a client that was not signed in, and for an operator
    /// who acted as nobody.
    pub actor_id: Option<UserId>,
    /// The kind of actor; `None` in entries of versions that did not store it.
    pub actor_kind: Option<ActorKind>,
    /// What was done.
    pub kind: Kind,
    /// The object of the action, such as the name of an API key: at most [`MAX_SUBJECT_CHARS`] characters.
    pub subject: Option<String>,
    /// From where.
    pub ip_address: Option<String>,
    /// With which program.
    pub user_agent: Option<String>,
    /// When.
    pub created_at: DateTimeUtc,
}

/// Characters of a subject that are kept.
const MAX_SUBJECT_CHARS: usize = 255;

/// The newest password resets of a user whose addresses are known ones.
const KNOWN_RESETS: u64 = 5;

/// The newest entries of each kind that are kept of a user.
pub(super) const MAX_OF_KIND: u64 = 1000;

/// The kind of actor of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the schema's AccountEventActor explains them")]
pub enum ActorKind {
    User,
    ApiKey,
    Administrator,
    Operator,
    Console,
    Anonymous,
}

impl ActorKind {
    /// Its name in the schema.
    #[must_use]
    pub fn name(self) -> String {
        self.to_value().to_uppercase()
    }
}

/// What can be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the schema's AccountEventKind explains them")]
pub enum Kind {
    SignedUp,
    LoggedIn,
    LoginFailed,
    LoggedOut,
    TokensRefreshed,
    RefreshTokenReplayed,
    RefreshTokenReused,
    PasswordChanged,
    PasswordReset,
    EmailChanged,
    EmailVerified,
    SessionEnded,
    ApiKeyCreated,
    ApiKeyRevoked,
    RoleChanged,
    Suspended,
    Reinstated,
    Restored,
    CounterAdvanced,
    ProfileUpdated,
    EmailChangeRequested,
    VerificationRequested,
    PasswordResetRequested,
    AccountDeleted,
    CounterCreated,
    CounterDeleted,
    CounterSet,
}

impl Kind {
    /// Its name in the schema.
    #[must_use]
    pub fn name(self) -> String {
        self.to_value().to_uppercase()
    }
}

/// Entries have no relations that are followed in SQL.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Accounts {
    /// An entry about `user`, done by `caller`, about to be added.
    pub fn event(&self, caller: &Caller, user: UserId, kind: Kind) -> ActiveModel {
        self.notes.count_entry(user, kind);
        event(caller, user, kind, self.clock.now())
    }
}

impl ActiveModel {
    /// Sets the account's owner as the actor, for a client that has proved to be the owner without an access token.
    #[must_use]
    pub(super) fn by_owner(self) -> Self {
        match self.actor_kind.try_as_ref() {
            Some(Some(ActorKind::ApiKey | ActorKind::Operator | ActorKind::Console)) => self,
            _ => Self {
                actor_id: Set(self.user_id.try_as_ref().copied()),
                actor_kind: Set(Some(ActorKind::User)),
                ..self
            },
        }
    }

    /// Sets the object of the action.
    #[must_use]
    pub fn about(self, subject: impl AsRef<str>) -> Self {
        let subject: String = subject.as_ref().chars().take(MAX_SUBJECT_CHARS).collect();
        Self { subject: Set(Some(subject)), ..self }
    }
}

/// An entry about `user`, done by `caller` at `now`, about to be added.
#[must_use]
pub fn event(caller: &Caller, user: UserId, kind: Kind, now: chrono::DateTime<Utc>) -> ActiveModel {
    let (actor_kind, actor_id) = match caller.identity {
        Identity::Session { user: actor, .. } if actor == user => (ActorKind::User, Some(actor)),
        Identity::Session { user: actor, .. } => (ActorKind::Administrator, Some(actor)),
        Identity::ApiKey { user: actor, .. } => (ActorKind::ApiKey, Some(actor)),
        Identity::Impersonated { user: actor, .. } => (ActorKind::Console, Some(actor)),
        Identity::Operator => (ActorKind::Operator, None),
        Identity::Anonymous | Identity::Rejected => (ActorKind::Anonymous, None),
    };
    ActiveModel {
        id: Set(AccountEventId::generate()),
        user_id: Set(user),
        actor_id: Set(actor_id),
        actor_kind: Set(Some(actor_kind)),
        kind: Set(kind),
        subject: Set(None),
        ip_address: Set(caller.origin.address.map(|address| address.to_string())),
        user_agent: Set(caller.origin.user_agent.as_deref().map(str::to_owned)),
        created_at: Set(now),
    }
}

/// Adds an entry.
///
/// # Errors
/// Errors of the database.
pub async fn add(db: &impl ConnectionTrait, event: ActiveModel) -> Result<(), Error> {
    Entity::insert(event).exec_without_returning(db).await?;
    Ok(())
}

/// Adds entries; those of users who are gone by now are left out.
pub(super) async fn add_all(db: &impl ConnectionTrait, events: Vec<ActiveModel>) -> Result<(), Error> {
    for event in events {
        let user = event.user_id.try_as_ref().copied();
        let exists = match user {
            Some(user) => super::user::find_by_id(db, user).await?.is_some(),
            None => false,
        };
        if exists {
            add(db, event).await?;
        }
    }
    Ok(())
}

/// The entries about a user, to be filtered and ordered further.
pub(super) fn of(user: UserId) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user))
}

/// Returns the network addresses of the newest password resets of a user, at most [`KNOWN_RESETS`].
pub(super) async fn list_reset_addresses(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<IpAddr>, Error> {
    let resets = of(user).filter(Column::Kind.eq(Kind::PasswordReset)).order_by_desc(Column::Id);
    let addresses: Vec<Option<String>> =
        resets.limit(KNOWN_RESETS).select_only().column(Column::IpAddress).into_tuple().all(db).await?;
    Ok(addresses.iter().flatten().filter_map(|address| address.parse().ok()).collect())
}

/// Matches entries from before `moment`.
pub(super) fn before(moment: chrono::DateTime<Utc>) -> Condition {
    Condition::all().add(Column::CreatedAt.lt(moment))
}

/// Removes the entries of `kind` about a user beyond the newest [`MAX_OF_KIND`], in bounded batches.
pub(super) async fn remove_oldest(database: &Database, user: UserId, kind: Kind) -> Result<(), Error> {
    let of_kind = Condition::all().add(Column::UserId.eq(user)).add(Column::Kind.eq(kind));
    let oldest_kept = Entity::find().filter(of_kind.clone()).order_by_desc(Column::Id).offset(MAX_OF_KIND - 1).limit(1);
    let oldest_kept: Option<AccountEventId> =
        oldest_kept.select_only().column(Column::Id).into_tuple().one(database.reader()).await?;
    let Some(oldest_kept) = oldest_kept else { return Ok(()) };
    database.remove_in_batches::<AccountEventId, _>(Column::Id, of_kind.add(Column::Id.lt(oldest_kept))).await?;
    Ok(())
}
