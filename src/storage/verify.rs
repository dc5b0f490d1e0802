//! Verification: the storage is compared with the one that the database expects.
//!
//! A folder is compared before every change, which costs the reading of one small file. S3 is
//! compared every [`VERIFIED_FOR`] at the latest.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::error::{Dependency, Error, one_line};
use crate::storage::folder::Folder;
use crate::storage::identity::{Expected, Identity, StorageFault};
use crate::storage::s3::Fault;
use crate::storage::{Backend, Blobs, RETRY_AFTER_SECONDS, record};
use crate::store::Database;

/// The time for which S3 counts as verified.
const VERIFIED_FOR: Duration = Duration::from_secs(30);
/// The time after which S3 is asked again if it could not be verified.
const REFUSED_FOR: Duration = Duration::from_secs(1);
/// The time to read the expectation of the database. The last one holds if the database does not
/// answer.
const ROW_LIMIT: Duration = Duration::from_secs(1);
/// Attempts at work on a folder while the database changes its expectation.
const ATTEMPTS: usize = 3;

/// The state of the verification, shared by all clones of a handle.
#[derive(Default)]
pub(super) struct Guard(Mutex<State>);

#[derive(Default)]
struct State {
    database: Option<Database>,
    expected: Option<Expected>,
    last: Option<(Instant, Result<(), StorageFault>)>,
}

impl Guard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn expect(&self, database: Option<Database>, expected: Expected) {
        let mut state = self.lock();
        state.database = database;
        state.expected = Some(expected);
    }

    fn expected(&self) -> Option<Expected> {
        self.lock().expected.clone()
    }

    /// Records the outcome of a comparison, and logs it if it is another one than before.
    fn record(&self, outcome: &Result<(), StorageFault>) {
        let before = self.lock().last.replace((Instant::now(), outcome.clone()));
        match (before.map(|(_, before)| before), outcome) {
            (Some(before), Err(fault)) if !is_known(&before, fault) => {
                tracing::error!("photos are unavailable: {fault}");
            }
            (Some(Err(_)), Ok(())) => tracing::info!("photos are available again: the storage is verified"),
            _ => {}
        }
    }
}

impl Blobs {
    /// Compares the storage with the one that the database expects, whose row is read again as
    /// well.
    ///
    /// # Errors
    /// The reason why the storage may not be used.
    pub async fn verify(&self) -> Result<(), StorageFault> {
        let database = self.guard.lock().database.clone();
        if let Some(database) = database
            && let Ok(Ok(Some(row))) = timeout(ROW_LIMIT, record::find(database.reader())).await
            && let Some(expected) = row.expected()
        {
            // It may have been changed by `photos adopt`.
            self.guard.lock().expected = Some(expected);
        }
        let outcome = self.compare().await;
        self.guard.record(&outcome);
        outcome
    }

    /// Verifies the storage, and that it accepts writes.
    ///
    /// # Errors
    /// The reason why the storage cannot be used.
    pub async fn probe(&self) -> Result<(), StorageFault> {
        self.verify().await?;
        let written = match &self.backend {
            Backend::Folder(folder) => {
                let written = self.write_folder(folder, |folder, _| folder.probe()).await;
                written.map_err(|error| error.reason())
            }
            Backend::S3(s3) => s3.probe().await.map_err(Fault::reason),
        };
        written.map_err(|reason| StorageFault::Unwritable { place: self.place().to_owned(), reason })
    }

    /// Records why the storage may not be used, or that it may, for [`Blobs::status`]. A change is
    /// logged.
    pub fn record(&self, outcome: &Result<(), StorageFault>) {
        self.guard.record(outcome);
    }

    /// Returns the outcome of the last verification, without asking the storage.
    ///
    /// # Errors
    /// The reason why the storage may not be used.
    pub fn status(&self) -> Result<(), StorageFault> {
        let last = self.guard.lock().last.clone();
        last.map_or_else(|| Err(self.unassigned()), |(_, outcome)| outcome)
    }

    /// Returns whether a storage has been assigned to the database, as far as this handle knows.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.guard.expected().is_some()
    }

    /// Refuses work unless the storage is the expected one.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ensure_verified(&self) -> Result<(), Error> {
        self.ensure_verified_within(VERIFIED_FOR).await
    }

    /// The same, of the present moment: a bucket that was deleted has no objects either.
    pub(super) async fn ensure_verified_now(&self) -> Result<(), Error> {
        self.ensure_verified_within(REFUSED_FOR).await
    }

    async fn ensure_verified_within(&self, limit: Duration) -> Result<(), Error> {
        let last = self.guard.lock().last.clone();
        let valid_for = |outcome: &Result<(), StorageFault>| if outcome.is_ok() { limit } else { REFUSED_FOR };
        let outcome = match (&self.backend, last) {
            (Backend::S3(_), Some((at, outcome))) if at.elapsed() < valid_for(&outcome) => outcome,
            (Backend::Folder(_), _) if self.compare().await.is_ok() => {
                self.guard.record(&Ok(()));
                Ok(())
            }
            _ => self.verify().await,
        };
        outcome.map_err(unavailable)
    }

    /// Runs `work` on the folder if it is the expected storage, outside of the runtime's threads.
    pub(super) async fn write_folder<T: Send + 'static>(
        &self,
        folder: &Arc<Folder>,
        work: impl Fn(&Folder, Identity) -> io::Result<T> + Clone + Send + 'static,
    ) -> Result<T, Error> {
        for _ in 0..ATTEMPTS {
            let Some(Expected { identity, .. }) = self.guard.expected() else {
                return Err(unavailable(self.unassigned()));
            };
            let work = work.clone();
            let done = folder.run(move |folder| match is_expected(folder, identity) {
                true => Ok(Some(work(folder, identity))),
                false => Ok(None),
            });
            match done.await? {
                Some(Ok(value)) => return Ok(value),
                // A folder that went away in the midst of it.
                Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                    self.ensure_verified().await?;
                    return Err(Error::from_disk(error));
                }
                Some(Err(error)) => return Err(Error::from_disk(error)),
                // Once more if the storage is right after all, because another one is expected by
                // now.
                None => self.verify().await.map_err(unavailable)?,
            }
        }
        Err(unavailable(self.unverified_because("it changes all the time".to_owned())))
    }

    /// Reads the marker and compares it.
    async fn compare(&self) -> Result<(), StorageFault> {
        let expected = self.guard.expected().ok_or_else(|| self.unassigned())?;
        match self.read_marker().await? {
            Some(found) => self.check(expected, found),
            None => Err(self.missing(expected).await),
        }
    }

    fn check(&self, expected: Expected, found: Identity) -> Result<(), StorageFault> {
        let place = self.place().to_owned();
        if found == expected.identity {
            Ok(())
        } else if found.database_id == expected.identity.database_id {
            Err(StorageFault::OtherStorage { place, expected, found })
        } else {
            Err(StorageFault::OtherDatabase { place, database_id: Some(expected.identity.database_id), found })
        }
    }

    async fn missing(&self, expected: Expected) -> StorageFault {
        let folder_exists = match &self.backend {
            Backend::Folder(folder) => folder.run(|folder| Ok(folder.root().is_dir())).await.unwrap_or(false),
            Backend::S3(_) => true,
        };
        StorageFault::Missing { place: self.place().to_owned(), expected, folder_exists }
    }

    pub(super) fn unassigned(&self) -> StorageFault {
        StorageFault::Unassigned { place: self.place().to_owned() }
    }

    /// Reads the identity that the storage has.
    pub(super) async fn read_marker(&self) -> Result<Option<Identity>, StorageFault> {
        let content = match &self.backend {
            Backend::Folder(folder) => {
                folder.run(Folder::read_marker).await.map_err(|error| self.unverified(&error))?
            }
            Backend::S3(s3) => s3.read_marker().await.map_err(|fault| self.unverified_because(fault.reason()))?,
        };
        let unreadable = |error: anyhow::Error| StorageFault::Unreadable {
            place: self.place().to_owned(),
            reason: one_line(error.as_ref()),
        };
        content.map(|content| Identity::from_marker(&content)).transpose().map_err(unreadable)
    }

    /// Returns the fault for an error of the storage or the database.
    #[must_use]
    pub fn unverified(&self, error: &Error) -> StorageFault {
        let fault = error.cause().and_then(|cause| cause.downcast_ref::<StorageFault>());
        fault.cloned().unwrap_or_else(|| self.unverified_because(error.reason()))
    }

    pub(super) fn unverified_because(&self, reason: String) -> StorageFault {
        StorageFault::Unverified { place: self.place().to_owned(), reason }
    }
}

/// Returns whether a fault is the same as before. The reasons of temporary ones contain times.
fn is_known(before: &Result<(), StorageFault>, fault: &StorageFault) -> bool {
    before.as_ref().is_err_and(|before| before == fault || (before.is_temporary() && fault.is_temporary()))
}

/// Removes an object. That it does not exist counts only if the folder is still the right one.
pub(super) fn remove(folder: &Folder, expected: Identity, key: &str) -> io::Result<()> {
    match folder.remove(key)? || is_expected(folder, expected) {
        true => Ok(()),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}

fn is_expected(folder: &Folder, expected: Identity) -> bool {
    let Ok(Some(content)) = folder.read_marker() else { return false };
    Identity::from_marker(&content).is_ok_and(|found| found == expected)
}

fn unavailable(fault: StorageFault) -> Error {
    Error::dependency_unavailable(Dependency::Storage, RETRY_AFTER_SECONDS, fault)
}
