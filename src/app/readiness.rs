//! Readiness: each part that the server stands on is probed with the work that it is there for.
//!
//! A probe commits to the database, writes to the disk, verifies the storage and reads the signing keys.
//! Probes run when somebody asks, at most once a second, and side by side. One that does not end in
//! time counts as failed, and no other of its kind begins before it has ended: a database that hangs is
//! not given one more transaction each second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::app::App;
use crate::error::{Error, one_line};
use crate::store::migrations;

/// The time for which an outcome answers further requests.
const VALID_FOR: Duration = Duration::from_secs(1);
/// The time that a probe may take.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// The outcome of a probe: fine, or the reason why not, for the log.
type Verdict = Result<(), String>;

/// The outcome of all probes.
#[derive(Clone, Debug)]
pub struct Report {
    /// The database answers, is migrated and commits.
    pub database: Verdict,
    /// The data directory can be written.
    pub disk: Verdict,
    /// Every file among the signing keys is one. Tokens are made and verified with those that are, so a failure is a
    /// warning.
    pub keys: Verdict,
    /// The photos can be reached, and their storage accepts writes.
    pub storage: Verdict,
    /// The disk holds the database.
    is_embedded: bool,
}

/// The probes of one server, and their last outcome.
#[derive(Default)]
pub(super) struct Readiness {
    last: Mutex<Option<(Instant, Report)>>,
    database: Probe,
    disk: Probe,
    keys: Probe,
    storage: Probe,
}

/// A probe that runs once at a time.
#[derive(Default)]
struct Probe(Mutex<Option<JoinHandle<Verdict>>>);

impl Probe {
    async fn run(&self, work: impl Future<Output = Verdict> + Send + 'static) -> Verdict {
        let mut running = self.0.lock().await;
        let mut task = match running.take() {
            Some(task) if !task.is_finished() => task,
            _ => tokio::spawn(work),
        };
        match timeout(PROBE_LIMIT, &mut task).await {
            Ok(ended) => ended.unwrap_or_else(|error| Err(error.to_string())),
            Err(_) => {
                *running = Some(task);
                Err(format!("no answer within {} s", PROBE_LIMIT.as_secs()))
            }
        }
    }
}

impl Report {
    /// The parts by name.
    pub fn parts(&self) -> [(&'static str, &Verdict); 4] {
        [("database", &self.database), ("disk", &self.disk), ("keys", &self.keys), ("storage", &self.storage)]
    }

    /// True if numbers and sign-ins work. They need no storage, and no disk if the database is
    /// elsewhere. There always is a signing key.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let disk = self.disk.is_ok() || !self.is_embedded;
        self.database.is_ok() && disk
    }

    /// Logs the parts whose outcome is another one than before.
    fn log_changes(&self, before: Option<&Self>) {
        for (at, (part, verdict)) in self.parts().into_iter().enumerate() {
            let was_fine =
                before.is_none_or(|before| before.parts().get(at).is_none_or(|(_, verdict)| verdict.is_ok()));
            match verdict {
                Err(reason) if was_fine && part == "keys" => tracing::warn!(part, "degraded: {part}: {reason}"),
                Err(reason) if was_fine => tracing::warn!(part, "not ready: {part}: {reason}"),
                Ok(()) if !was_fine => tracing::info!(part, "ready again: {part}"),
                _ => {}
            }
        }
    }
}

impl App {
    /// The outcome of the probes, at most a second old.
    ///
    /// # Errors
    /// The runtime stops.
    pub async fn readiness(self: &Arc<Self>) -> Result<Report, Error> {
        let app = Arc::clone(self);
        // In a task of its own: a client that goes away does not have the probes begin again.
        let task = tokio::spawn(async move {
            let mut last = app.readiness.last.lock().await;
            if let Some((at, report)) = last.as_ref()
                && at.elapsed() < VALID_FOR
            {
                return report.clone();
            }
            let report = app.probe().await;
            report.log_changes(last.as_ref().map(|(_, report)| report));
            *last = Some((Instant::now(), report.clone()));
            report
        });
        task.await.map_err(Error::internal)
    }

    /// Probes all parts now.
    ///
    /// # Errors
    /// The parts that fail, and why.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let report = self.probe().await;
        if report.is_ready() {
            return Ok(());
        }
        let failed = report.parts().into_iter().filter_map(|(part, verdict)| Some((part, verdict.as_ref().err()?)));
        let reasons: Vec<String> = failed.map(|(part, reason)| format!("{part}: {reason}")).collect();
        anyhow::bail!("{}", reasons.join("; "))
    }

    async fn probe(&self) -> Report {
        let Readiness { database, disk, keys, storage, .. } = &self.readiness;
        let (opened, uploads) = (self.database.clone(), self.uploads.clone());
        let (accounts, photos) = (Arc::clone(&self.accounts), Arc::clone(&self.photos));
        let in_database = async move {
            opened.ping().await.map_err(|error| one_line(error.as_ref()))?;
            match migrations::pending(&opened).await {
                Ok(0) => opened.probe_write().await.map_err(|error| error.reason()),
                Ok(pending) => Err(format!("{pending} migrations are pending")),
                Err(error) => Err(one_line(error.as_ref())),
            }
        };
        let on_disk = async move { uploads.probe().await.map_err(|error| error.to_string()) };
        let of_keys = async move {
            let read = tokio::task::spawn_blocking(move || accounts.key_faults());
            let faults = read.await.map_err(|error| error.to_string())?;
            if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
        };
        let in_storage = async move { photos.probe_storage().await.map_err(|fault| fault.to_string()) };
        let is_embedded = !self.database.is_shared();
        let (database, disk, keys, storage) =
            tokio::join!(database.run(in_database), disk.run(on_disk), keys.run(of_keys), storage.run(in_storage));
        Report { database, disk, keys, storage, is_embedded }
    }
}
