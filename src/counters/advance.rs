//! `cloakroom counters advance`: counters skip integers that may have been taken already, as after
//! a restore.
//!
//! Each page of counters is one transaction, which locks first the users, then the counters, both
//! in the order of all other writes, and adds an entry to the audit log of each user.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _};

use crate::accounts::{account_event, user};
use crate::caller::Caller;
use crate::clock::Clock;
use crate::counters::counter::{self, Column, Key};
use crate::counters::statements::OnLock;
use crate::counters::{Counters, statements};
use crate::error::Error;
use crate::id::{CounterId, UserId};
use crate::scalars::MAX_SAFE_INTEGER;
use crate::store::{Database, DatabaseTransaction};

/// Counters of one transaction.
const PAGE: u64 = 500;

/// The counters to advance.
#[derive(Clone, Debug)]
pub enum Which {
    /// Every counter of every user.
    All,
    /// Every counter of a user.
    User(UserId),
    /// One counter.
    One(UserId, String),
}

/// The distance by which counters advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// By a number of steps, from 1 on.
    By(i64),
    /// To this integer. Counters that are beyond it stay.
    To(i64),
}

/// A counter that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advanced {
    /// The counter's id.
    pub id: CounterId,
    /// The owner's username.
    pub username: String,
    /// The counter's name.
    pub name: String,
    /// The integer before.
    pub previous: i64,
    /// The integer after. Never less than before.
    pub current: i64,
    /// The upper bound of the counter.
    pub max: i64,
    /// True if the upper bound kept it from the whole distance.
    pub is_cut: bool,
}

impl Advance {
    /// Checks the distance.
    ///
    /// # Errors
    /// [`Error::BadInput`] for one that no counter can have.
    pub fn check(self) -> Result<(), Error> {
        match self {
            Self::By(steps) if !(1..=MAX_SAFE_INTEGER).contains(&steps) => {
                Err(Error::BadInput(format!("The number of steps must be from 1 to {MAX_SAFE_INTEGER}.")))
            }
            Self::To(integer) if !(0..=MAX_SAFE_INTEGER).contains(&integer) => {
                Err(Error::BadInput(format!("The integer must be from 0 to {MAX_SAFE_INTEGER}.")))
            }
            _ => Ok(()),
        }
    }

    /// Returns the integer after, and whether the upper bound kept the counter from the whole
    /// distance.
    fn apply(self, counter: &counter::Model) -> (i64, bool) {
        let (current, max, step) = (counter.current, counter.max, i64::from(counter.step).max(1));
        match self {
            Self::By(steps) => {
                let room = max.saturating_sub(current).max(0) / step;
                (current + steps.min(room) * step, steps > room)
            }
            Self::To(integer) => (integer.min(max).max(current), integer > max),
        }
    }
}

impl Counters {
    /// Advances counters, also beside running servers, and hands each of them to `tell`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] unless the caller is an operator; [`Error::BadInput`] for a distance
    /// that no counter can have; [`Error::NotFound`] for one counter that does not exist;
    /// [`Error::Conflict`] for one counter that is beyond [`Advance::To`] already.
    pub async fn advance(
        &self,
        caller: &Caller,
        which: &Which,
        advance: Advance,
        tell: impl FnMut(&Advanced),
    ) -> Result<(), Error> {
        caller.require_operator()?;
        let advanced = advance_counters(&self.database, &self.clock, which, advance, tell).await;
        // Pages before one that failed stay advanced.
        self.watch.announce_all().await;
        advanced
    }
}

/// Advances the counters of a database that no server may be using yet.
///
/// # Errors
/// The errors of [`Counters::advance`].
pub async fn advance_counters(
    database: &Database,
    clock: &Clock,
    which: &Which,
    advance: Advance,
    mut tell: impl FnMut(&Advanced),
) -> Result<(), Error> {
    advance.check()?;
    let (mut after, mut any) = (None, false);
    loop {
        let page = list(database.reader(), which, after).await?;
        let Some(last) = page.last() else { break };
        (after, any) = (Some(last.id), true);
        let keys: Vec<Key> = page.iter().map(key_of).collect();
        let (now, is_one) = (clock.now(), matches!(which, Which::One(..)));
        let advanced = database.write(move |transaction| {
            let keys = keys.clone();
            Box::pin(async move { advance_page(transaction, &keys, advance, is_one, now).await })
        });
        for counter in advanced.await? {
            let Advanced { id, name, previous, current, .. } = &counter;
            tracing::info!(counter.id = %id, counter.name = name, "advanced counter {id} from {previous} to {current}");
            tell(&counter);
        }
    }
    match which {
        Which::One(..) if !any => Err(Error::NotFound("counter")),
        _ => Ok(()),
    }
}

async fn advance_page(
    transaction: &DatabaseTransaction,
    keys: &[Key],
    advance: Advance,
    is_one: bool,
    now: DateTimeUtc,
) -> Result<Vec<Advanced>, Error> {
    let owners: BTreeSet<UserId> = keys.iter().map(|key| key.owner).collect();
    let owners = user::lock_all(transaction, owners).await?;
    let (mut advanced, mut changed) = (Vec::new(), Vec::new());
    let mut changed_owners: BTreeMap<UserId, Vec<String>> = BTreeMap::new();
    for counter in statements::lock(transaction, keys.iter(), OnLock::Wait).await? {
        let Some(owner) = owners.iter().find(|owner| owner.id == counter.user_id) else { continue };
        let (current, is_cut) = advance.apply(&counter);
        if let Advance::To(integer) = advance
            && is_one
            && integer < counter.current
        {
            let message = format!("The counter is at {} already, and is never lowered.", counter.current);
            return Err(Error::Conflict(message));
        }
        if current > counter.current {
            changed.push((counter.id, current, counter.idempotency_records));
            changed_owners.entry(counter.user_id).or_default().push(counter.name.clone());
        }
        advanced.push(Advanced {
            id: counter.id,
            username: owner.username.clone(),
            name: counter.name,
            previous: counter.current,
            current,
            max: counter.max,
            is_cut,
        });
    }
    statements::store(transaction, now, &changed).await?;
    for (owner, names) in changed_owners {
        let event = account_event::event(&Caller::operator(), owner, account_event::Kind::CounterAdvanced, now);
        account_event::add(transaction, event.about(names.join(", "))).await?;
    }
    Ok(advanced)
}

async fn list(
    db: &impl ConnectionTrait,
    which: &Which,
    after: Option<CounterId>,
) -> Result<Vec<counter::Model>, Error> {
    let which = match which {
        Which::All => Condition::all(),
        Which::User(owner) => Condition::all().add(Column::UserId.eq(*owner)),
        Which::One(owner, name) => Condition::all().add(Column::UserId.eq(*owner)).add(Column::Name.eq(name)),
    };
    let counters =
        counter::Entity::find().filter(which).filter(Column::DeletedAt.is_null()).order_by_asc(Column::Id).limit(PAGE);
    let counters = match after {
        Some(after) => counters.filter(Column::Id.gt(after)),
        None => counters,
    };
    Ok(counters.all(db).await?)
}

fn key_of(counter: &counter::Model) -> Key {
    Key { owner: counter.user_id, name: counter.name.as_str().into() }
}
