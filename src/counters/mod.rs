//! Counters: `next` gives a number that nobody else gets, without gaps, and not before it is on disk.
//!
//! A counter is a row. Every write goes through one **group commit**: writes that arrive while a commit is
//! in flight are gathered and committed together, so that one sync serves them all, and each caller gets
//! its own outcome in the order of arrival. `next` and `setCurrent` share that order.
//!
//! **Invariant:** an outcome is handed out after its commit, never before.
//! **Invariant:** a write that is refused (no such counter, exhausted, a changed `ifCurrent`) has no effect and
//! does not disturb its neighbours in the batch.
//! **Invariant:** a caller that goes away may leave its number taken, but never breaks the batch; nothing is
//! retried on its behalf once the commit may have happened.
//! **Invariant:** `0 <= current <= max <= 2^53 - 1`.

mod advance;
pub mod answer;
pub mod counter;
mod create;
mod export;
mod furnish;
pub mod graphql;
mod group_commit;
mod latest;
mod list;
pub mod loader;
mod next;
mod order;
mod read;
mod set_current;
mod statements;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::config;
use crate::error::Error;
use crate::store::Database;

pub use advance::{Advance, Advanced, Which, advance_counters};
pub use create::{CreateCounter, MAX_STEP};
pub use furnish::furnish;
pub use latest::{LatestCounter, list_latest};
pub use next::{MAX_COUNT, Next, Taken};
pub use set_current::{Replaced, SetCurrent};

use group_commit::GroupCommit;
use watch::Watch;

/// The name of the counter that every user has.
pub const DEFAULT: &str = "default";

/// The counters of one server.
pub struct Counters {
    database: Database,
    group_commit: GroupCommit,
    watch: Arc<Watch>,
    default: Arc<str>,
    accounts: Arc<Accounts>,
    clock: Clock,
    max_per_user: u64,
}

impl Counters {
    /// Starts the group commit and the rounds of the watchers, on the current runtime.
    #[must_use]
    pub fn start(database: Database, accounts: Arc<Accounts>, clock: Clock, settings: &config::Counters) -> Self {
        let poll = Duration::from_millis(settings.poll_milliseconds);
        let watch = Arc::new(Watch::start(database.clone(), poll));
        let group_commit = GroupCommit::start(database.clone(), clock.clone(), Arc::clone(&watch), settings);
        let max_per_user = settings.max_per_user;
        Self { database, group_commit, watch, default: DEFAULT.into(), accounts, clock, max_per_user }
    }

    /// Removes the answers that no retry gets any more.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sweep(&self) -> Result<(), Error> {
        let moment = self.clock.now() - TimeDelta::hours(answer::KEPT_HOURS);
        let some = || {
            self.database
                .write(move |transaction| Box::pin(async move { answer::remove_before(transaction, moment).await }))
        };
        while some().await? {}
        Ok(())
    }

    /// Commits what is waiting, and takes nothing more.
    pub async fn drain(&self) {
        self.group_commit.drain().await;
    }
}
