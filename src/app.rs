//! Everything wired once, from a [`Config`].

mod readiness;

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::accounts::export::{Export, ExportUser, Files, Request};
use crate::accounts::{Accounts, Hooks};
use crate::caller::Caller;
use crate::clock::Clock;
use crate::config::Config;
use crate::counters::{self, Counters};
use crate::error::Error;
use crate::id::UserId;
use crate::photos::{self, Photos};
use crate::store::Database;
use crate::supervise;
use crate::upload::Folder;

pub use readiness::Report;

use readiness::Readiness;

/// Calls of the accounts to the slices above them.
const HOOKS: Hooks = Hooks {
    furnish: counters::furnish,
    lock_counter: counters::lock_counter,
    purge_users: &[counters::purge_users, photos::purge_users],
};

/// The slices that keep something of users, in the order of their parts of an export.
const EXPORTED: &[fn(&App) -> &dyn ExportUser] = &[|app| &*app.accounts, |app| &*app.counters, |app| &*app.photos];

/// How often what is over is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// Pause between readings of the clock of a database server.
const SYNC_CLOCK_EVERY: Duration = Duration::from_secs(60);
/// How often the contents of deleted photos are.
const SWEEP_PHOTOS_EVERY: Duration = Duration::from_secs(60);

/// The slices of one server, and what they stand on.
pub struct App {
    /// People and their sessions.
    pub accounts: Arc<Accounts>,
    /// Their numbers.
    pub counters: Arc<Counters>,
    /// Their pictures.
    pub photos: Arc<Photos>,
    /// Where all of it is kept.
    pub database: Database,
    /// Where files are while they arrive.
    pub uploads: Folder,
    /// What time it is.
    pub clock: Clock,
    readiness: Readiness,
}

impl App {
    /// Opens the signing keys and starts the slices, on the current runtime and a migrated database.
    ///
    /// # Errors
    /// A data directory or a storage that cannot be used.
    pub fn start(config: &Config, database: Database, clock: Clock) -> anyhow::Result<Self> {
        let accounts = Arc::new(Accounts::open(database.clone(), clock.clone(), config, HOOKS)?);
        let counters = Counters::start(database.clone(), Arc::clone(&accounts), clock.clone(), config);
        let photos = Photos::open(database.clone(), Arc::clone(&accounts), clock.clone(), config)?;
        let uploads = Folder::within(&config.server.data_dir);
        let (counters, photos, readiness) = (Arc::new(counters), Arc::new(photos), Readiness::default());
        Ok(Self { accounts, counters, photos, database, uploads, clock, readiness })
    }

    /// Begins to remove what is over, and to send mails, for as long as this is served.
    pub fn start_upkeep(self: &Arc<Self>) {
        self.accounts.start_upkeep();
        self.start_storage_checks();
        self.start_clock_readings();
        self.counters.start_upkeep();
        self.spawn_upkeep("the sweep of unfinished uploads", |app| {
            Box::pin(async move {
                if let Err(error) = app.photos.sweep_unfinished().await {
                    tracing::warn!(
                        error = error.reason(),
                        "contents that were half written when a server was killed were not removed"
                    );
                }
                // Their times are of this machine's clock.
                if let Err(error) = app.uploads.sweep(Clock::System.now()).await {
                    tracing::warn!(%error, "files of uploads that were killed were not removed");
                }
                SWEEP_EVERY
            })
        });
        self.spawn_upkeep("the count of stored photos", |app| {
            Box::pin(async move {
                if let Err(error) = app.photos.recount_storage().await {
                    tracing::warn!(error = error.reason(), "what users have stored was not counted again");
                }
                // Servers of an earlier version may run beside this one.
                SWEEP_EVERY
            })
        });
        self.spawn_upkeep("the sweep of unreferenced blobs", |app| {
            Box::pin(async move {
                if let Err(error) = app.photos.sweep().await {
                    tracing::warn!(error = error.reason(), "contents that nobody holds were not removed");
                }
                SWEEP_PHOTOS_EVERY
            })
        });
    }

    /// Keeps to the clock of the database, which a failover may change.
    fn start_clock_readings(self: &Arc<Self>) {
        self.spawn_upkeep("the reading of the database's clock", |app| {
            Box::pin(async move {
                if let Err(error) = app.database.sync_clock(&app.clock).await {
                    tracing::warn!(error = error.reason(), "the clock of the database could not be read");
                }
                SYNC_CLOCK_EVERY
            })
        });
    }

    /// Verifies the storage of the photos from time to time, which logs every change.
    fn start_storage_checks(self: &Arc<Self>) {
        self.spawn_upkeep("the check of the storage", |app| {
            Box::pin(async move {
                drop(app.photos.verify_storage().await);
                app.photos.verify_every()
            })
        });
    }

    /// Runs `work` for as long as this exists, with the pause that it returns after each run.
    fn spawn_upkeep(self: &Arc<Self>, name: &'static str, work: fn(Arc<Self>) -> BoxFuture<'static, Duration>) {
        let app = Arc::downgrade(self);
        supervise::spawn(name, move || {
            let app = Weak::clone(&app);
            async move {
                while let Some(app) = app.upgrade() {
                    tokio::time::sleep(work(app).await).await;
                }
            }
        });
    }

    /// Everything that is kept of a user, to be read while it is written; with a folder, also the originals of their
    /// photos.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but an operator; [`Error::NotFound`].
    pub async fn export_user(
        &self,
        caller: &Caller,
        user: UserId,
        files: Option<Arc<Files>>,
    ) -> Result<Export<'_>, Error> {
        let head = self.accounts.export_head(caller, user).await?;
        let request = Request { user, files };
        let sections = EXPORTED.iter().flat_map(|slice| slice(self).export_user(&request)).collect();
        Ok(Export { user: head, sections })
    }

    /// Commits what is waiting and closes the database.
    pub async fn stop(&self) {
        self.drain().await;
        self.database.clone().close().await;
    }

    /// Commits what is waiting.
    pub async fn drain(&self) {
        self.counters.drain().await;
        self.accounts.stop().await;
    }
}
