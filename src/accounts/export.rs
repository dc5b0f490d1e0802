//! Everything that is kept of a person, for them to take along.

use sea_orm::{ActiveEnum as _, QueryOrder as _};
use serde_json::{Map, Value, json};

use crate::accounts::{Accounts, account_event, api_key, email_token, queued_mail, session, user};
use crate::caller::{Caller, Scope, Scopes};
use crate::clock::rfc3339;
use crate::error::Error;
use crate::id::UserId;

impl Accounts {
    /// What is kept of a user, as a JSON object: no secrets, and nothing of others.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::NotFound`].
    pub async fn export(&self, caller: &Caller, id: UserId) -> Result<Map<String, Value>, Error> {
        caller.require_operator()?;
        let reader = self.database.reader();
        let user = user::find_by_id(reader, id).await?.ok_or(Error::NotFound("user"))?;
        let sessions = session::list_all(reader, id).await?;
        let keys = api_key::list_all(reader, id).await?;
        let events = account_event::of(id).order_by_asc(account_event::Column::Id).all(reader).await?;
        let links = email_token::list_all(reader, id).await?;
        let mails = queued_mail::list_all(reader, id).await?;
        let mut document = user.export();
        document.extend([
            ("sessions".to_owned(), sessions.iter().map(session::Model::export).collect()),
            ("apiKeys".to_owned(), keys.iter().map(api_key::Model::export).collect()),
            ("events".to_owned(), events.iter().map(account_event::Model::export).collect()),
            ("links".to_owned(), links.iter().map(of_link).collect()),
            ("mails".to_owned(), mails.iter().map(of_mail).collect()),
        ]);
        Ok(document)
    }
}

impl user::Model {
    /// What is kept of the user alone: everything but the hash of the password, and what is derived.
    #[must_use]
    pub fn export(&self) -> Map<String, Value> {
        let members = [
            ("id", json!(self.id.to_string())),
            ("username", json!(self.username)),
            ("name", json!(self.name)),
            ("email", json!(self.email)),
            ("emailVerified", json!(self.email_verified_at.is_some())),
            ("emailVerifiedAt", json!(self.email_verified_at.map(rfc3339))),
            ("role", json!(self.role.name())),
            ("state", json!(self.state().name())),
            ("createdAt", json!(rfc3339(self.created_at))),
            ("updatedAt", json!(rfc3339(self.updated_at))),
            ("unconfirmedUntil", json!(self.unconfirmed_until.map(rfc3339))),
            ("suspendedAt", json!(self.suspended_at.map(rfc3339))),
            ("deletedAt", json!(self.deleted_at.map(rfc3339))),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl session::Model {
    /// What is kept of the session, for its owner.
    #[must_use]
    pub fn export(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "userAgent": self.user_agent,
            "ipAddress": self.ip_address,
            "createdAt": rfc3339(self.created_at),
            "lastUsedAt": rfc3339(self.last_used_at.unwrap_or(self.created_at)),
            "expiresAt": rfc3339(self.expires_at),
            "endedAt": self.ended_at.map(rfc3339),
        })
    }
}

impl api_key::Model {
    /// What is kept of the key but the hash of its secret.
    #[must_use]
    pub fn export(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "prefix": self.prefix,
            "scopes": Scopes::from_bits(self.scopes).list().map(Scope::name).collect::<Vec<_>>(),
            "counter": self.counter_name,
            "createdAt": rfc3339(self.created_at),
            "lastUsedAt": self.last_used_at.map(rfc3339),
            "expiresAt": self.expires_at.map(rfc3339),
        })
    }
}

impl account_event::Model {
    /// What is kept of the entry.
    #[must_use]
    pub fn export(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "kind": self.kind.name(),
            "by": self.actor_id.map(|id| id.to_string()),
            "actor": self.actor_kind.map(account_event::ActorKind::name),
            "subject": self.subject,
            "ipAddress": self.ip_address,
            "userAgent": self.user_agent,
            "createdAt": rfc3339(self.created_at),
        })
    }
}

/// A link that was mailed and can still be followed: without its token, of which only the hash is known.
fn of_link(link: &email_token::Model) -> Value {
    json!({
        "kind": link.kind.to_value().to_uppercase(),
        "email": link.email,
        "expiresAt": rfc3339(link.expires_at),
    })
}

/// A mail that is still to be sent.
fn of_mail(mail: &queued_mail::Model) -> Value {
    json!({
        "kind": mail.kind.to_value().to_uppercase(),
        "recipient": mail.recipient,
        "createdAt": rfc3339(mail.created_at),
    })
}
