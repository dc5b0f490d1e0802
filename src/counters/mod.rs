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
//! **Invariant:** a counter whose row another program has locked delays no other counter.
//! **Invariant:** a user's live idempotency records are bounded (`record_quota.rs`).
//! **Invariant:** a deleted counter is gone from its commit on; what it leaves behind is purged in short transactions
//! (`purge.rs`).

mod advance;
pub mod answer;
pub mod counter;
mod create;
mod export;
mod furnish;
pub mod graphql;
mod group_commit;
mod idempotency;
mod latest;
mod list;
pub mod loader;
mod next;
mod order;
mod purge;
mod read;
mod record_quota;
mod set_current;
mod statements;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Database;

pub use advance::{Advance, Advanced, Which, advance_counters};
pub use counter::lock_counter;
pub use create::{CreateCounter, Created, MAX_STEP};
pub use furnish::furnish;
pub use latest::{LatestCounter, list_latest};
pub use next::{MAX_COUNT, Next, Taken};
pub use purge::purge_users;
pub use set_current::{Replaced, SetCurrent};

use group_commit::GroupCommit;
use record_quota::RecordQuota;
use watch::Watch;

/// The name of the counter that every user has.
pub const DEFAULT: &str = "default";

/// The counters of one server.
pub struct Counters {
    database: Database,
    group_commit: GroupCommit,
    watch: Arc<Watch>,
    record_quota: Arc<RecordQuota>,
    purge_wanted: Arc<Notify>,
    /// The tasks of [`Counters::start_upkeep`].
    upkeep: Mutex<Vec<AbortHandle>>,
    default: Arc<str>,
    accounts: Arc<Accounts>,
    clock: Clock,
    max_per_user: u64,
}

impl Counters {
    /// Starts the group commit and the rounds of the watchers, on the current runtime.
    #[must_use]
    pub fn start(database: Database, accounts: Arc<Accounts>, clock: Clock, config: &Config) -> Self {
        let settings = &config.counters;
        let poll = Duration::from_millis(settings.poll_milliseconds);
        let watch = Arc::new(Watch::start(database.clone(), poll));
        let record_quota = Arc::new(RecordQuota::new(settings.max_idempotency_records, clock.clone()));
        let max_wait = Duration::from_secs(config.database.answer_seconds);
        let shared = (Arc::clone(&watch), Arc::clone(&record_quota));
        let group_commit = GroupCommit::start(database.clone(), clock.clone(), shared.0, shared.1, settings, max_wait);
        let (default, max_per_user) = (DEFAULT.into(), settings.max_per_user);
        Self {
            database,
            group_commit,
            watch,
            record_quota,
            purge_wanted: Arc::default(),
            upkeep: Mutex::default(),
            default,
            accounts,
            clock,
            max_per_user,
        }
    }

    /// Commits what is waiting, and takes nothing more. A purge that is under way stops after its batch.
    pub async fn drain(&self) {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|task| task.abort());
        self.group_commit.drain().await;
    }
}
