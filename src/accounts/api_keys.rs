//! `createApiKey` and `revokeApiKey`: access for a program, without a password and within limits.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;

use crate::accounts::account_event::{self, Kind};
use crate::accounts::end::Ended;
use crate::accounts::idempotency::{self, KeyedRequest, Operation};
use crate::accounts::prove::Claim;
use crate::accounts::{Accounts, LockCounter, Password, api_key, identity, queued_mail, user};
use crate::caller::{Caller, Scope, Scopes};
use crate::clock::rfc3339;
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::{ApiKeyId, CounterId, UserId};
use crate::store::DatabaseTransaction;

/// What a key for one counter can be allowed.
const OF_COUNTERS: [Scope; 3] = [Scope::CountersRead, Scope::CountersNext, Scope::CountersWrite];

/// A key to make.
#[derive(Clone, Debug)]
pub struct CreateApiKey {
    /// The owner's password.
    pub password: Password,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The only counter of the owner's that it works on, if it is to be limited to one.
    pub counter: Option<(CounterId, String)>,
    /// When it is to end by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// Idempotency key.
    pub idempotency_key: Option<Arc<str>>,
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
    /// True if an earlier request with the same idempotency key created it.
    pub replayed: bool,
}

/// An API key about to be created, as the transaction sees it.
#[derive(Clone)]
struct Creation {
    user: UserId,
    /// The password's hash, as it was when the password was checked.
    proved_hash: String,
    id: ApiKeyId,
    counter: Option<CounterId>,
    row: api_key::ActiveModel,
    event: account_event::ActiveModel,
    request: Option<KeyedRequest>,
    now: DateTime<Utc>,
    max_keys: u32,
    lock_counter: LockCounter,
}

impl Accounts {
    /// Makes an API key of the caller's, with their password; an email tells the owner. With an idempotency key its secret is derived, so that a retry returns the same
    /// one although it is not stored.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key: keys make no keys; [`Error::Invalid`] for what
    /// cannot be, with `WRONG_CREDENTIALS` for the password, with `NOT_FOUND` for a counter that is gone, with `LIMIT_REACHED` at `accounts.max_api_keys`, and with
    /// `EXPIRED` for an idempotency key whose API key has ended; those of [`idempotency::claim`].
    pub async fn create_api_key(&self, caller: &Caller, input: CreateApiKey) -> Result<Created, Error> {
        let (user, now) = (caller.in_person()?, self.clock.now());
        let name = check(&input, now)?;
        input.password.check_length("password")?;
        let proved_hash = self.prove(caller, Claim::User(user, "password"), input.password).await?.user.password_hash;
        let (id, scopes) = (ApiKeyId::generate(), input.scopes.into_iter().collect::<Scopes>().bits());
        let (counter_id, counter_name) = input.counter.unzip();
        let request = input.idempotency_key.map(|key| {
            let request = (&name, scopes, &counter_name, input.expires_at.map(rfc3339));
            self.keyed_request(user, Operation::CreateApiKey, key, &request)
        });
        let request = request.transpose()?;
        let secret = match &request {
            Some(request) => self.derive_secret(user, id, request)?,
            None => api_key::generate().map_err(Error::internal)?,
        };
        let row = api_key::ActiveModel {
            id: Set(id),
            user_id: Set(user),
            name: Set(name.clone()),
            prefix: Set(api_key::shown(&secret)),
            secret_hash: Set(hash(&secret)?),
            scopes: Set(scopes),
            counter_id: Set(counter_id),
            counter_name: Set(counter_name),
            created_at: Set(now),
            last_used_at: Set(None),
            expires_at: Set(input.expires_at),
        };
        let event = self.event(caller, user, Kind::ApiKeyCreated).about(subject(&api_key::shown(&secret), &name));
        let (max_keys, lock_counter) = (self.settings.max_api_keys, self.hooks.lock_counter);
        let keyed = request.clone();
        let creation = Creation {
            user,
            proved_hash,
            id,
            counter: counter_id,
            row,
            event,
            request: keyed,
            now,
            max_keys,
            lock_counter,
        };
        let (key, replayed) =
            self.database.write(move |transaction| Box::pin(creation.clone().run(transaction))).await?;
        self.post.wake();
        match request {
            Some(request) if replayed => {
                let secret = self.derive_secret(user, key.id, &request)?;
                // Another one, if the server's own key was replaced since.
                if hash(&secret)? != key.secret_hash {
                    return Err(ended());
                }
                Ok(Created { key: self.with_latest_key_use(key), secret, replayed })
            }
            _ => Ok(Created { key, secret, replayed }),
        }
    }

    /// With the API key's id, so that an idempotency key that is used again after a day never revives a secret.
    fn derive_secret(&self, user: UserId, id: ApiKeyId, request: &KeyedRequest) -> Result<String, Error> {
        let (user, id) = (user.uuid(), id.uuid());
        let info = [b"api key\0".as_slice(), user.as_bytes(), id.as_bytes(), request.key().as_bytes()];
        let bytes = self.refresh_key.derive::<{ api_key::RANDOM_BYTES }>(&info).map_err(Error::internal)?;
        Ok(api_key::secret_of(&bytes))
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
                let event = event.about(subject(&key.prefix, &key.name));
                account_event::add(transaction, event).await?;
                let ended = Ended { credentials: vec![api_key::credential(&key.secret_hash)], ..Ended::default() };
                Ok((key, ended))
            })
        });
        Ok(self.with_latest_key_use(revoked.await?))
    }
}

impl Creation {
    /// The key, and whether it was there before.
    async fn run(self, transaction: &DatabaseTransaction) -> Result<(api_key::Model, bool), Error> {
        let (user, now) = (self.user, self.now);
        // Locked, so that two at once cannot both be the last that there is room for.
        let locked = user::lock(transaction, user).await?;
        let owner = locked.filter(user::Model::may_act).ok_or(Error::Unauthenticated)?;
        // A password that was changed since it was checked must not leave a key behind.
        if owner.password_hash != self.proved_hash {
            let message = "The password has just changed: try again.";
            return Err(UserError::of("password", UserErrorCode::WrongCredentials, message).into());
        }
        if let Some(request) = &self.request
            && let idempotency::Claim::Replay(first) =
                idempotency::claim(transaction, request, &self.id.to_string(), now).await?
        {
            let id = ApiKeyId::parse(&first.result).ok_or_else(ended)?;
            let key = api_key::find_own(transaction, id, user).await?;
            let key = key.filter(|key| key.expires_at.is_none_or(|expires_at| expires_at > now));
            return Ok((key.ok_or_else(ended)?, true));
        }
        let most = self.max_keys;
        if api_key::list_live(transaction, user, now).await?.len() >= most as usize {
            let message = format!("A user has at most {most} API keys: revoke one that is not needed.");
            return Err(UserError { code: UserErrorCode::LimitReached, field: None, message }.into());
        }
        if let Some(counter) = self.counter
            && !(self.lock_counter)(transaction, user, counter).await?
        {
            return Err(CreateApiKey::unknown_counter().into());
        }
        account_event::add(transaction, self.event).await?;
        let key = self.row.insert(transaction).await?;
        if let Some(email) = &owner.email {
            let (kind, detail) = (queued_mail::Kind::ApiKeyCreated, Some(key.prefix.clone()));
            queued_mail::add_about(transaction, kind, email, Some(user), detail, now).await?;
        }
        Ok((key, false))
    }
}

/// Names an API key in the audit log.
fn subject(prefix: &str, name: &str) -> String {
    format!("{prefix} {name}")
}

fn hash(secret: &str) -> Result<String, Error> {
    api_key::hash(secret).ok_or_else(|| Error::internal(anyhow::anyhow!("a secret of ours is none")))
}

/// A retry whose first request created a key that was revoked or has expired since: it cannot be returned, and must not
/// be created again.
fn ended() -> Error {
    let message = "The API key of this idempotency key was revoked or has expired: use another idempotency key.";
    UserError::of("idempotencyKey", UserErrorCode::Expired, message).into()
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

fn unknown() -> Error {
    UserError::of("apiKeyId", UserErrorCode::NotFound, "You have no such API key.").into()
}
