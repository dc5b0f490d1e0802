//! An entry of the audit log: what was done to an account, by whom and from where. Entries are added in the
//! transaction of what they tell, never changed, and removed only by age or with the account.

use chrono::Utc;
use sea_orm::ActiveValue::Set;
use sea_orm::Condition;
use sea_orm::entity::prelude::*;

use crate::accounts::Accounts;
use crate::caller::Caller;
use crate::error::Error;
use crate::id::{AccountEventId, UserId};

/// A row of `account_events`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_events")]
pub struct Model {
    /// Global id; later entries have greater ones.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountEventId,
    /// Whose account it was done to.
    pub user_id: UserId,
    /// Who did it; `None` for somebody who was not signed in, or at the command line.
    pub actor_id: Option<UserId>,
    /// What was done.
    pub kind: Kind,
    /// From where.
    pub ip_address: Option<String>,
    /// With which program.
    pub user_agent: Option<String>,
    /// When.
    pub created_at: DateTimeUtc,
}

/// What can be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the schema's AccountEventKind explains them")]
pub enum Kind {
    SignedUp,
    LoggedIn,
    LoginFailed,
    LoggedOut,
    TokensRefreshed,
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
    pub(super) fn event(&self, caller: &Caller, user: UserId, kind: Kind) -> ActiveModel {
        ActiveModel {
            id: Set(AccountEventId::generate()),
            user_id: Set(user),
            actor_id: Set(caller.user().ok()),
            kind: Set(kind),
            ip_address: Set(caller.origin.address.map(|address| address.to_string())),
            user_agent: Set(caller.origin.user_agent.as_deref().map(str::to_owned)),
            created_at: Set(self.clock.now()),
        }
    }
}

/// Adds an entry about what an operator did at the command line.
///
/// # Errors
/// Errors of the database.
pub async fn add_by_operator(
    db: &impl ConnectionTrait,
    user: UserId,
    kind: Kind,
    now: chrono::DateTime<Utc>,
) -> Result<(), Error> {
    let event = ActiveModel {
        id: Set(AccountEventId::generate()),
        user_id: Set(user),
        actor_id: Set(None),
        kind: Set(kind),
        ip_address: Set(None),
        user_agent: Set(None),
        created_at: Set(now),
    };
    add(db, event).await
}

/// Adds an entry.
pub(super) async fn add(db: &impl ConnectionTrait, event: ActiveModel) -> Result<(), Error> {
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

/// Matches entries from before `moment`.
pub(super) fn before(moment: chrono::DateTime<Utc>) -> Condition {
    Condition::all().add(Column::CreatedAt.lt(moment))
}
