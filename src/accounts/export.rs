//! Everything that is kept of a person, for them to take along.

use sea_orm::QueryOrder as _;
use serde_json::{Value, json};

use crate::accounts::{Accounts, account_event, api_key, session, user};
use crate::caller::{Caller, Scopes};
use crate::clock::rfc3339;
use crate::error::Error;
use crate::id::UserId;

impl Accounts {
    /// What is kept of a user, as JSON: no secrets, and nothing of others.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::NotFound`].
    pub async fn export(&self, caller: &Caller, id: UserId) -> Result<Value, Error> {
        caller.require_operator()?;
        let reader = self.database.reader();
        let user = user::find_by_id(reader, id).await?.ok_or(Error::NotFound("user"))?;
        let sessions = session::list_all(reader, id).await?;
        let keys = api_key::list_all(reader, id).await?;
        let events = account_event::of(id).order_by_asc(account_event::Column::Id).all(reader).await?;
        Ok(json!({
            "id": user.id.to_string(),
            "username": user.username,
            "name": user.name,
            "email": user.email,
            "emailVerifiedAt": user.email_verified_at.map(rfc3339),
            "role": user.role.name(),
            "createdAt": rfc3339(user.created_at),
            "updatedAt": rfc3339(user.updated_at),
            "suspendedAt": user.suspended_at.map(rfc3339),
            "deletedAt": user.deleted_at.map(rfc3339),
            "sessions": sessions.iter().map(of_session).collect::<Vec<_>>(),
            "apiKeys": keys.iter().map(of_key).collect::<Vec<_>>(),
            "events": events.iter().map(of_event).collect::<Vec<_>>(),
        }))
    }
}

fn of_session(session: &session::Model) -> Value {
    json!({
        "id": session.id.to_string(),
        "name": session.name,
        "userAgent": session.user_agent,
        "ipAddress": session.ip_address,
        "createdAt": rfc3339(session.created_at),
        "lastUsedAt": rfc3339(session.last_used_at.unwrap_or(session.created_at)),
        "expiresAt": rfc3339(session.expires_at),
        "endedAt": session.ended_at.map(rfc3339),
    })
}

fn of_key(key: &api_key::Model) -> Value {
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": Scopes::from_bits(key.scopes).list().map(crate::caller::Scope::name).collect::<Vec<_>>(),
        "counter": key.counter_name,
        "createdAt": rfc3339(key.created_at),
        "lastUsedAt": key.last_used_at.map(rfc3339),
        "expiresAt": key.expires_at.map(rfc3339),
    })
}

fn of_event(event: &account_event::Model) -> Value {
    json!({
        "id": event.id.to_string(),
        "kind": event.kind.name(),
        "by": event.actor_id.map(|id| id.to_string()),
        "ipAddress": event.ip_address,
        "userAgent": event.user_agent,
        "createdAt": rfc3339(event.created_at),
    })
}
