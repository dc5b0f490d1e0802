//! A running server, made known to other processes: they must not take the schema away from under
//! it.
//!
//! On SQLite, which one server uses at a time, it holds the lock of the database ([`FileLock`]). On
//! the others it keeps a row in `server_leases`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sea_orm::DatabaseTransaction;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::error::Error;
use crate::store::database::Connector;
use crate::store::file_lock::FileLock;
use crate::store::migration_lock::{MigrationLock, connect};
use crate::store::server_lease::Lease;
use crate::store::{Database, migrations};
use crate::supervise;

/// The time between two renewals of the lease.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// The longest wait for the deletion of the lease, which expires anyway.
const DELETE_WITHIN: Duration = Duration::from_secs(5);

/// The registration of this process as a server of a database.
#[derive(Debug)]
pub struct RunningServer(Registration);

#[derive(Debug)]
enum Registration {
    Lock { lock: FileLock, keeps_wal: Box<SqliteConnection> },
    Lease { stop: oneshot::Sender<()>, renewal: JoinHandle<()> },
}

impl RunningServer {
    /// Registers this process as a server of the database, whose schema is of this version then:
    /// pending migrations are applied on SQLite, and with `migrate` elsewhere.
    ///
    /// # Errors Another server uses the SQLite database; pending migrations without `migrate`;
    /// those of [`migrations::up`].
    pub async fn register(database: &Database, migrate: bool) -> anyhow::Result<Self> {
        if let Connector::Sqlite(connector) = &database.connector {
            let lock = FileLock::acquire(database).await?;
            migrations::up(database).await?;
            let keeps_wal = Box::new(connector.keep_wal().await?);
            let files = connector.files()?.into_iter().chain([lock.path().to_owned()]);
            database.open_files.record(files).context("cannot find the files of the database")?;
            return Ok(Self(Registration::Lock { lock, keeps_wal }));
        }
        let (connection, lease) = (connect(database).await?, Lease::new());
        loop {
            if migrate {
                migrations::up(database).await?;
            }
            // Under the lock of migrations, so that `migrate down` either finds the lease or has
            // ended.
            let lock = MigrationLock::acquire(&connection).await?;
            let pending = insert_if_current(lock.transaction(), &lease).await;
            match lock.release(pending).await? {
                0 => break,
                _ if migrate => {}
                pending => {
                    bail!("{pending} migrations are pending: run `cloakroom migrate up`, or start with --migrate")
                }
            }
        }
        connection.close().await?;
        let (stop, stopped) = oneshot::channel();
        let (database, stopped) = (database.clone(), Arc::new(Mutex::new(stopped)));
        let renewal = supervise::spawn("renewal of the lease", move || {
            let (database, lease, stopped) = (database.clone(), lease.clone(), Arc::clone(&stopped));
            async move { keep(database, lease, &mut *stopped.lock().await).await }
        });
        Ok(Self(Registration::Lease { stop, renewal }))
    }

    /// Ends the registration and closes the database, of a server that has stopped.
    pub async fn close(self, database: Database) {
        match self.0 {
            Registration::Lock { lock, keeps_wal } => {
                if let Err(error) = keeps_wal.close().await {
                    tracing::debug!(%error, "a database connection did not close cleanly");
                }
                database.close().await;
                drop(lock);
            }
            Registration::Lease { stop, renewal } => {
                drop(stop);
                if timeout(DELETE_WITHIN, renewal).await.is_err() {
                    tracing::warn!("the lease of this server was not deleted: it expires");
                }
                database.close().await;
            }
        }
    }
}

/// Inserts the lease if no migration is pending. Returns how many are.
async fn insert_if_current(transaction: &DatabaseTransaction, lease: &Lease) -> anyhow::Result<usize> {
    let pending = migrations::pending_over(transaction).await?;
    if pending == 0 {
        Lease::delete_expired(transaction).await?;
        lease.renew(transaction).await?;
    }
    Ok(pending)
}

/// Renews the lease until `stopped`, then deletes it. A server whose database does not answer goes
/// on, and registers again as soon as it does.
async fn keep(database: Database, lease: Lease, stopped: &mut oneshot::Receiver<()>) {
    let mut ticks = interval(RENEW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_renewed = true;
    loop {
        tokio::select! {
            _ = &mut *stopped => break,
            _ = ticks.tick() => {}
        }
        let renewal = renew(&database, &lease).await;
        match &renewal {
            Err(error) if is_renewed => {
                tracing::warn!(error = error.reason(), "the lease of this server was not renewed");
            }
            Ok(()) if !is_renewed => tracing::info!("the lease of this server was renewed"),
            _ => {}
        }
        is_renewed = renewal.is_ok();
    }
    if let Err(error) = lease.delete(&database).await {
        tracing::warn!(error = error.reason(), "the lease of this server was not deleted: it expires");
    }
}

async fn renew(database: &Database, lease: &Lease) -> Result<(), Error> {
    let lease = lease.clone();
    database
        .write(move |transaction| {
            let lease = lease.clone();
            Box::pin(async move { Ok(lease.renew(transaction).await?) })
        })
        .await
}
