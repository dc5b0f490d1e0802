//! `createCounter` and `deleteCounter`: counters beside the one that every user has.

use std::sync::Arc;

use sea_orm::{ActiveModelTrait as _, DbErr, IntoActiveModel as _, SqlErr};

use crate::accounts::idempotency::{self, Claim, KeyedRequest, Operation};
use crate::accounts::{Ended, account_event, api_key, user};
use crate::caller::{Caller, Scope};
use crate::counters::counter::{Key, MAX_NAME_CHARS};
use crate::counters::statements::OnLock;
use crate::counters::{Counters, DEFAULT, counter, statements};
use crate::error::{Error, UserError, UserErrorCode};
use crate::id::{CounterId, UserId};
use crate::scalars::MAX_SAFE_INTEGER;
use crate::store::DatabaseTransaction;

/// What `next` can add at most.
pub const MAX_STEP: i32 = 1_000_000;

/// A counter to make.
#[derive(Clone, Debug)]
pub struct CreateCounter {
    /// Unique among its owner's.
    pub name: String,
    /// What it shows at first.
    pub start: i64,
    /// What `next` adds.
    pub step: i32,
    /// What `next` never goes past; the greatest integer if it is left out.
    pub max: Option<i64>,
    /// Idempotency key.
    pub idempotency_key: Option<Arc<str>>,
}

/// A counter that was created.
#[derive(Clone, Debug)]
pub struct Created {
    /// The counter.
    pub counter: counter::Model,
    /// True if an earlier request with the same idempotency key created it.
    pub replayed: bool,
}

impl Counters {
    /// Makes a counter of the caller's. With an idempotency key it does so once: a retry returns the counter as it is
    /// now, or as it was created if it was deleted since.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Forbidden`] for an API key without `COUNTERS_WRITE`, or limited to a counter;
    /// [`Error::Invalid`] for what cannot be, with `TAKEN`, or with `LIMIT_REACHED` at `counters.max_per_user`; those of
    /// [`idempotency::claim`].
    pub async fn create(&self, caller: &Caller, mut input: CreateCounter) -> Result<Created, Error> {
        let owner = caller.require(Scope::CountersWrite)?;
        let key = input.idempotency_key.take();
        let counter = self.counter(owner, input)?;
        let request = key.map(|key| {
            let request = (&counter.name, counter.current, counter.step, counter.max);
            self.accounts.keyed_request(owner, Operation::CreateCounter, key, &request)
        });
        let (request, max_counters) = (request.transpose()?, self.max_per_user);
        let event = self.accounts.event(caller, owner, account_event::Kind::CounterCreated).about(&counter.name);
        self.database
            .write(move |transaction| {
                let (counter, request, event) = (counter.clone(), request.clone(), event.clone());
                Box::pin(async move {
                    let created = create(transaction, counter, request, max_counters).await?;
                    if !created.replayed {
                        account_event::add(transaction, event).await?;
                    }
                    Ok(created)
                })
            })
            .await
    }

    /// Deletes a counter of the caller's, and the API keys that were limited to it: from the commit on nobody finds it,
    /// and its name is free. Its rows are purged in the background.
    ///
    /// # Errors
    /// As [`Counters::create`]; [`Error::Invalid`] with `NOT_FOUND`, or with `CONFLICT` for the default counter.
    pub async fn delete(&self, caller: &Caller, name: &str) -> Result<CounterId, Error> {
        let owner = caller.require(Scope::CountersWrite)?;
        let unknown = || Error::from(UserError::of("name", UserErrorCode::NotFound, "There is no such counter."));
        if name == DEFAULT {
            let message = "Every user has this counter: it cannot be deleted, but set to 0.";
            return Err(UserError::of("name", UserErrorCode::Conflict, message).into());
        }
        let key = Key::of(owner, name).ok_or_else(unknown)?;
        let (watched, accounts, watch) = (key.clone(), Arc::clone(&self.accounts), Arc::clone(&self.watch));
        let (now, purge_wanted) = (self.clock.now(), Arc::clone(&self.purge_wanted));
        let event = self.accounts.event(caller, owner, account_event::Kind::CounterDeleted).about(name);
        // To the end, also if the client goes away in between: who watches the counter must be told.
        let deletion = tokio::spawn(async move {
            let deleted = accounts.write_and_end(move |transaction| {
                let (key, event) = (key.clone(), event.clone());
                Box::pin(async move {
                    // Before the counter: on MariaDB, a new name in a key that refers to the user locks the user.
                    user::lock_row(transaction, owner).await?;
                    // Locked, so that no API key can be limited to it any more.
                    let counter =
                        statements::lock(transaction, [&key].into_iter(), OnLock::Wait).await?.into_iter().next();
                    let counter = counter.ok_or_else(unknown)?;
                    let keys = api_key::end_limited_to(transaction, counter.id, now).await?;
                    if !counter::mark_deleted(transaction, counter.id, now).await? {
                        return Err(unknown());
                    }
                    account_event::add(transaction, event).await?;
                    Ok((counter.id, Ended::api_keys(&keys)))
                })
            });
            let deleted = deleted.await?;
            watch.changed([&watched].into_iter());
            purge_wanted.notify_one();
            Ok(deleted)
        });
        deletion.await.map_err(Error::internal)?
    }

    /// Everything that is wrong at once, or the counter.
    fn counter(&self, owner: UserId, input: CreateCounter) -> Result<counter::Model, Error> {
        let mut faults = Vec::new();
        let mut fault = |field, code, message: String| faults.push(UserError::of(field, code, message));
        let CreateCounter { name, start, step, max, .. } = input;
        let max = max.unwrap_or(MAX_SAFE_INTEGER);
        if name.is_empty() {
            fault("name", UserErrorCode::Required, "A counter needs a name.".to_owned());
        } else if name.chars().nth(MAX_NAME_CHARS).is_some() {
            fault("name", UserErrorCode::TooLong, format!("A name has at most {MAX_NAME_CHARS} characters."));
        } else if !counter::is_name(&name) {
            let message = "A name has ASCII letters, digits, '.', '_', ':' and '-'.";
            fault("name", UserErrorCode::Invalid, message.to_owned());
        }
        if !(1..=MAX_STEP).contains(&step) {
            fault("step", UserErrorCode::Invalid, format!("The step must be from 1 to {MAX_STEP}."));
        }
        if !(0..=MAX_SAFE_INTEGER).contains(&max) {
            fault("max", UserErrorCode::Invalid, format!("The upper bound must be from 0 to {MAX_SAFE_INTEGER}."));
        } else if !(0..=max).contains(&start) {
            fault("start", UserErrorCode::Invalid, format!("The first integer must be from 0 to {max}."));
        }
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let now = self.clock.now();
        Ok(counter::Model {
            id: CounterId::generate(),
            user_id: owner,
            name,
            current: start,
            step,
            max,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            idempotency_records: 0,
        })
    }
}

async fn create(
    transaction: &DatabaseTransaction,
    counter: counter::Model,
    request: Option<KeyedRequest>,
    max_counters: u64,
) -> Result<Created, Error> {
    let owner = counter.user_id;
    // The user first: the new rows refer to it.
    user::lock_row(transaction, owner).await?;
    if let Some(request) = &request {
        let (id, now) = (counter.id.to_string(), counter.created_at);
        if let Claim::Replay(first) = idempotency::claim(transaction, request, &id, now).await? {
            let id = CounterId::parse(&first.result);
            let malformed = || Error::internal(anyhow::anyhow!("an idempotency record has no counter's id"));
            let id = id.ok_or_else(malformed)?;
            let found = counter::list_by_ids(transaction, owner, &[id]).await?.into_iter().next();
            let as_created = counter::Model { id, created_at: first.at, updated_at: first.at, ..counter };
            return Ok(Created { counter: found.unwrap_or(as_created), replayed: true });
        }
    }
    // Locked, so that two at once cannot both be the last that there is room for.
    counter::lock_default(transaction, owner).await?;
    if counter::count(transaction, owner).await? >= max_counters {
        let message = format!("A user has at most {max_counters} counters: delete one that is not needed.");
        return Err(UserError { code: UserErrorCode::LimitReached, field: None, message }.into());
    }
    let row = counter.into_active_model().reset_all();
    Ok(Created { counter: row.insert(transaction).await.map_err(taken)?, replayed: false })
}

fn taken(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            UserError::of("name", UserErrorCode::Taken, "You have a counter of this name.").into()
        }
        _ => error.into(),
    }
}
