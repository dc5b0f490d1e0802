//! API keys in the schema: of an account, and possibly limited to a counter.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::accounts::{self, Accounts, Created, api_key};
use crate::caller::{self, Caller, Scopes};
use crate::counters::Counters;
use crate::counters::graphql::Counter;
use crate::error::{Error, UserError};
use crate::id::ApiKeyId;
use crate::payload::payload;
use crate::scalars::DateTime;
use crate::schema::loaders::Loaders;

/// What an API key may do. A session may do all of it.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "caller::Scope")]
pub(super) enum Scope {
    /// See the account and other users.
    AccountRead,
    /// See counters.
    CountersRead,
    /// Take numbers.
    CountersNext,
    /// Set, create and delete counters.
    CountersWrite,
    /// See own photos and drafts.
    PhotosRead,
    /// Upload, edit, publish and delete photos.
    PhotosWrite,
}

/// Access for a program, within limits.
#[derive(Clone, Debug)]
pub(super) struct ApiKey(pub(super) api_key::Model);

/// Access for a program, within limits.
#[Object]
impl ApiKey {
    /// Global id.
    pub(super) async fn id(&self) -> ID {
        self.0.id.into()
    }
    /// What its owner calls it.
    async fn name(&self) -> &str {
        &self.0.name
    }
    /// The first characters of the key, enough to recognise it.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }
    /// What it may do.
    async fn scopes(&self) -> Vec<Scope> {
        Scopes::from_bits(self.0.scopes).list().map(Scope::from).collect()
    }
    /// When set, the key works on this counter alone, and ends with it.
    async fn counter(&self, ctx: &Context<'_>) -> Option<Result<Counter, Error>> {
        let id = self.0.counter_id?;
        let counter = ctx.data_unchecked::<Loaders>().counters().load_one(id).await.transpose()?;
        Some(counter.map(Counter))
    }
    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
    /// When it was last used, to the minute; null if never.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime::from)
    }
    /// When it ends by itself; null if never.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime::from)
    }
}

/// Input for `createApiKey`.
#[derive(InputObject)]
pub(super) struct CreateApiKeyInput {
    /// The caller's password.
    #[graphql(secret)]
    password: String,
    /// What to call it, in at most 100 characters.
    name: String,
    /// What it may do; at least one.
    scopes: Vec<Scope>,
    /// The name of the only counter that it works on; then only the scopes of counters are possible.
    counter: Option<String>,
    /// When it is to end by itself.
    expires_at: Option<DateTime>,
    /// Idempotency key: a retry with the same key and the same input returns the first key with its secret again, for 24
    /// hours. 1 to 128 printable ASCII characters. The same key with another input ends in CONFLICT, and an EXPIRED user
    /// error says that the API key was revoked or has expired since. The header Idempotency-Key does the same for a
    /// request for a single field.
    idempotency_key: Option<String>,
}

/// What `createApiKey` did.
#[derive(SimpleObject)]
pub(super) struct CreateApiKeyPayload {
    /// The new key. Null when there are user errors.
    api_key: Option<ApiKey>,
    /// The key itself, shown this once, and in retries with the same idempotency key. It goes where an access token
    /// goes: `Authorization: Bearer`.
    secret: Option<String>,
    /// True if an idempotency key brought back an earlier result.
    replayed: bool,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Which key to revoke.
#[derive(InputObject)]
pub(super) struct RevokeApiKeyInput {
    /// The id of one of the caller's keys.
    api_key_id: ID,
}

/// What `revokeApiKey` did.
#[derive(SimpleObject)]
pub(super) struct RevokeApiKeyPayload {
    /// The key as it was. Null when there are user errors.
    api_key: Option<ApiKey>,
    /// What to correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Mutations of API keys.
#[derive(Default)]
pub(super) struct ApiKeysMutation;

#[Object]
impl ApiKeysMutation {
    /// Creates an API key of the caller's, with the caller's password; an email tells the owner. User errors:
    /// WRONG_CREDENTIALS, REQUIRED, INVALID, TOO_LONG, NOT_FOUND for the counter, LIMIT_REACHED, EXPIRED for the
    /// idempotency key. UNAUTHENTICATED when nobody is signed in, FORBIDDEN for an API key, BAD_USER_INPUT for the
    /// idempotency key, CONFLICT for one that was used with another input, RATE_LIMITED for too many passwords, or for a
    /// new idempotency key of a user who has too many, UNAVAILABLE.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Input for `createApiKey`.")] input: CreateApiKeyInput,
    ) -> Option<Result<CreateApiKeyPayload, Error>> {
        let created = async move {
            let (counters, caller) = (ctx.data_unchecked::<Arc<Counters>>(), ctx.data_unchecked::<Caller>());
            // First, so that a caller without this right does not learn which counters exist.
            caller.in_person()?;
            let counter = match &input.counter {
                None => None,
                Some(name) => {
                    let found = counters.find(caller, name).await?;
                    let counter = found.ok_or_else(accounts::CreateApiKey::unknown_counter)?;
                    Some((counter.id, counter.name))
                }
            };
            let input = accounts::CreateApiKey {
                password: input.password.into(),
                name: input.name,
                scopes: input.scopes.into_iter().map(caller::Scope::from).collect(),
                counter,
                expires_at: input.expires_at.map(|moment| moment.0),
                idempotency_key: caller.idempotency_key_or(input.idempotency_key),
            };
            Box::pin(ctx.data_unchecked::<Arc<Accounts>>().create_api_key(caller, input)).await
        };
        let build = |created: Option<Created>, user_errors| {
            let replayed = created.as_ref().is_some_and(|created| created.replayed);
            let (api_key, secret) = created.map(|created| (ApiKey(created.key), created.secret)).unzip();
            CreateApiKeyPayload { api_key, secret, replayed, user_errors }
        };
        payload(created, build).await
    }

    /// Ends an API key of the caller's, at once and for good. User errors: NOT_FOUND. UNAUTHENTICATED when nobody is
    /// signed in, FORBIDDEN for an API key.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which key to revoke.")] input: RevokeApiKeyInput,
    ) -> Option<Result<RevokeApiKeyPayload, Error>> {
        let (accounts, caller) = (ctx.data_unchecked::<Arc<Accounts>>(), ctx.data_unchecked::<Caller>());
        let revoked = accounts.revoke_api_key(caller, ApiKeyId::parse(&input.api_key_id));
        payload(revoked, |row, user_errors| RevokeApiKeyPayload { api_key: row.map(ApiKey), user_errors }).await
    }
}
