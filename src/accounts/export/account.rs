//! The account's part of an export.

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sea_orm::{ActiveEnum as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Map, Value, json};

use crate::accounts::export::{ExportUser, Items, Request, Section, rows};
use crate::accounts::{Accounts, account_event, api_key, email_token, idempotency, queued_mail, session, user};
use crate::caller::{Caller, Scope, Scopes};
use crate::clock::rfc3339;
use crate::error::Error;
use crate::id::UserId;

impl Accounts {
    /// The members of a user's export that describe the user alone.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::NotFound`].
    pub async fn export_head(&self, caller: &Caller, id: UserId) -> Result<Map<String, Value>, Error> {
        caller.require_operator()?;
        let user = user::find_by_id(self.database.reader(), id).await?.ok_or(Error::NotFound("user"))?;
        Ok(user.export())
    }
}

impl ExportUser for Accounts {
    fn export_user(&self, request: &Request) -> Vec<Section<'_>> {
        let (reader, user) = (self.database.reader(), request.user);
        let sessions = session::Entity::find().filter(session::Column::UserId.eq(user));
        let keys = api_key::Entity::find().filter(api_key::Column::UserId.eq(user));
        let events = account_event::of(user);
        let acts = account_event::Entity::find()
            .filter(account_event::Column::ActorId.eq(user))
            .filter(account_event::Column::UserId.ne(user));
        let records = idempotency::Entity::find().filter(idempotency::Column::UserId.eq(user));
        vec![
            Section::list("sessions", rows(reader, sessions, session::Column::Id, |row| (row.id, row.export()))),
            Section::list("apiKeys", rows(reader, keys, api_key::Column::Id, |row| (row.id, row.export()))),
            Section::list("events", rows(reader, events, account_event::Column::Id, |row| (row.id, of_event(row)))),
            Section::list("acts", rows(reader, acts, account_event::Column::Id, |row| (row.id, of_act(row)))),
            Section::list(
                "links",
                whole(Box::pin(async move {
                    let links = email_token::list_all(reader, user).await?;
                    Ok(links.iter().map(of_link).collect())
                })),
            ),
            Section::list(
                "mails",
                whole(Box::pin(async move {
                    let user = user::find_by_id(reader, user).await?.ok_or(Error::NotFound("user"))?;
                    let mails = queued_mail::list_all(reader, &user).await?;
                    Ok(mails.iter().map(of_mail).collect())
                })),
            ),
            Section::list(
                "idempotencyRecords",
                rows(reader, records, idempotency::Column::Id, |row| (row.id, of_record(row))),
            ),
        ]
    }
}

/// An array that is read at once, because it is short.
fn whole(items: BoxFuture<'_, Result<Vec<Value>, Error>>) -> Items<'_> {
    stream::once(items).map_ok(|items| stream::iter(items.into_iter().map(Ok))).try_flatten().boxed()
}

impl user::Model {
    /// The user's own row, without the hash of the password and derived columns.
    #[must_use]
    pub fn export(&self) -> Map<String, Value> {
        let members = [
            ("id", json!(self.id.to_string())),
            ("username", json!(self.username)),
            ("displayName", json!(self.name)),
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
            ("restorableUntil", json!(self.restorable_until.map(rfc3339))),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl session::Model {
    /// The session, for its owner.
    #[must_use]
    pub fn export(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "deviceName": self.name,
            "userAgent": self.user_agent,
            "ipAddress": self.ip_address,
            "createdAt": rfc3339(self.created_at),
            "lastActiveAt": rfc3339(self.last_used_at.unwrap_or(self.created_at)),
            "endsAt": rfc3339(self.expires_at),
            "refreshEndedAt": self.refresh_ended_at.map(rfc3339),
            "endedAt": self.ended_at.map(rfc3339),
        })
    }
}

impl api_key::Model {
    /// The key without the hash of its secret.
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
    /// The entry.
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

/// An entry of the user's audit log. The address and the program of an administrator are not the user's.
fn of_event(event: &account_event::Model) -> Value {
    let mut document = event.export();
    if event.actor_id.is_some_and(|actor| actor != event.user_id)
        && let Value::Object(members) = &mut document
    {
        members.insert("ipAddress".to_owned(), Value::Null);
        members.insert("userAgent".to_owned(), Value::Null);
    }
    document
}

/// An entry of another user's audit log, about what this user did as an administrator.
fn of_act(event: &account_event::Model) -> Value {
    let mut document = event.export();
    if let Value::Object(members) = &mut document {
        members.shift_remove("by");
        members.insert("userId".to_owned(), json!(event.user_id.to_string()));
    }
    document
}

/// The result of a request under its idempotency key.
fn of_record(record: &idempotency::Model) -> Value {
    let result: Value = serde_json::from_str(&record.result).unwrap_or_default();
    json!({
        "operation": record.operation.to_value(),
        "key": record.key,
        "result": result,
        "createdAt": rfc3339(record.created_at),
    })
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
        "detail": mail.detail,
        "attempts": mail.attempts,
        "createdAt": rfc3339(mail.created_at),
        "dueAt": rfc3339(mail.due_at),
    })
}
