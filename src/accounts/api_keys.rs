//! `createApiKey` and `revokeApiKey`: access for a program, without a password and within limits.

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, DbErr, SqlErr};

use crate::accounts::account_event::{self, Kind};
use crate::accounts::end::Ended;
use crate::accounts::{Accounts, api_key, identity, user};
use crate::caller::{Caller, Scope, Scopes};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::{ApiKeyId, CounterId};

/// What a key for one counter can be allowed.
const OF_COUNTERS: [Scope; 3] = [Scope::CountersRead, Scope::CountersNext, Scope::CountersWrite];

/// A key to make.
#[derive(Clone, Debug)]
pub struct CreateApiKey {
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The only counter of the owner's that it works on, if it is to be limited to one.
    pub counter: Option<(CounterId, String)>,
    /// When it is to end by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

impl CreateApiKey {
    /// What is wrong with a counter that the caller does not have.
    #[must_use]
    pub fn unknown_counter() -> UserError {
        UserError::of("counter", UserErrorCode::NotFound, "There is no such counter.")
    }
}

/// A new key.
#[derive(Clone, Debug)]
pub struct Created {
    /// What is kept of it.
    pub key: api_key::Model,
    /// The key itself, which nobody can read again.
    pub secret: String,
}

impl Accounts {
    /// Makes an API key of the caller's.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key: keys make no keys; [`Error::Invalid`] for what
    /// cannot be, with `NOT_FOUND` for a counter that is gone, and with `LIMIT_REACHED` at `accounts.max_api_keys`.
    pub async fn create_api_key(&self, caller: &Caller, input: CreateApiKey) -> Result<Created, Error> {
        let (user, now) = (caller.in_person()?, self.clock.now());
        let name = check(&input, now)?;
        let secret = api_key::generate().map_err(Error::internal)?;
        let hash =
            api_key::hash(&secret).ok_or_else(|| Error::internal(anyhow::anyhow!("a secret of ours is none")))?;
        let (counter_id, counter_name) = input.counter.unzip();
        let row = api_key::ActiveModel {
            id: Set(ApiKeyId::generate()),
            user_id: Set(user),
            name: Set(name),
            prefix: Set(api_key::shown(&secret)),
            secret_hash: Set(hash),
            scopes: Set(input.scopes.into_iter().collect::<Scopes>().bits()),
            counter_id: Set(counter_id),
            counter_name: Set(counter_name),
            created_at: Set(now),
            last_used_at: Set(None),
            expires_at: Set(input.expires_at),
        };
        let (event, most) = (self.event(caller, user, Kind::ApiKeyCreated), self.settings.max_api_keys);
        let key = self.database.write(move |transaction| {
            let (row, event) = (row.clone(), event.clone());
            Box::pin(async move {
                // Locked, so that two at once cannot both be the last that there is room for.
                let locked = user::lock(transaction, user).await?;
                if !locked.as_ref().is_some_and(user::Model::may_act) {
                    return Err(Error::Unauthenticated);
                }
                if api_key::list_live(transaction, user, now).await?.len() >= most as usize {
                    let message = format!("A user has at most {most} API keys: revoke one that is not needed.");
                    return Err(UserError { code: UserErrorCode::LimitReached, field: None, message }.into());
                }
                account_event::add(transaction, event).await?;
                row.insert(transaction).await.map_err(unknown_counter)
            })
        });
        Ok(Created { key: key.await?, secret })
    }

    /// Ends an API key of the caller's, at once and for good, and returns it as it was.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key; [`Error::Invalid`] with `NOT_FOUND`.
    pub async fn revoke_api_key(&self, caller: &Caller, id: Option<ApiKeyId>) -> Result<api_key::Model, Error> {
        let user = caller.in_person()?;
        let id = id.ok_or_else(unknown)?;
        let event = self.event(caller, user, Kind::ApiKeyRevoked);
        let revoked = self.write_and_end(move |transaction| {
            let event = event.clone();
            Box::pin(async move {
                user::lock(transaction, user).await?;
                let key = api_key::find_own(transaction, id, user).await?.ok_or_else(unknown)?;
                if !api_key::remove(transaction, id).await? {
                    return Err(unknown());
                }
                account_event::add(transaction, event).await?;
                let ended = Ended { credentials: vec![api_key::credential(&key.secret_hash)], ..Ended::default() };
                Ok((key, ended))
            })
        });
        Ok(self.with_latest_key_use(revoked.await?))
    }
}

/// Everything that is wrong at once, or the key's name.
fn check(input: &CreateApiKey, now: DateTime<Utc>) -> Result<String, Error> {
    let mut faults = Vec::new();
    let name = identity::name("name", &input.name).map_err(|fault| faults.push(fault)).ok();
    if input.scopes.is_empty() {
        faults.push(UserError::of("scopes", UserErrorCode::Required, "A key needs at least one scope."));
    }
    if input.counter.is_some() && !input.scopes.iter().all(|scope| OF_COUNTERS.contains(scope)) {
        let message = "A key that is limited to a counter can have COUNTERS_READ, COUNTERS_NEXT and COUNTERS_WRITE.";
        faults.push(UserError::of("scopes", UserErrorCode::Invalid, message));
    }
    if input.expires_at.is_some_and(|moment| moment <= now) {
        faults.push(UserError::of("expiresAt", UserErrorCode::Invalid, "This moment has passed."));
    }
    name.filter(|_| faults.is_empty()).ok_or(Error::Invalid(faults))
}

/// The user's row is locked, the counter's is not: it may have been deleted since it was found.
fn unknown_counter(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => CreateApiKey::unknown_counter().into(),
        _ => error.into(),
    }
}

fn unknown() -> Error {
    UserError::of("apiKeyId", UserErrorCode::NotFound, "You have no such API key.").into()
}
