//! Writing: transactions and single statements, on connections of one pool.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::{DbBackend, DbErr, QueryResult, Statement};

use crate::error::Error;
use crate::store::failure::{self, Failure};
use crate::store::open_files::OpenFiles;
use crate::store::pool::Pool;
use crate::store::reader::query_error;
use crate::store::transaction::DatabaseTransaction;

/// Times that a transaction is run which the database gives up to resolve a conflict.
const ATTEMPTS: usize = 5;
/// Times that a transaction is run on connections that accept no writes. Each such failure closes the
/// idle connections, so the second one is new.
const ATTEMPTS_READ_ONLY: usize = 2;

/// Writes through one pool. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DatabaseWriter {
    pub(super) pool: Pool,
    pub(super) backend: DbBackend,
    pub(super) limit: Option<Duration>,
    /// True if a transaction that has waited too long for a lock is run again.
    pub(super) retries_locked: bool,
    pub(super) open_files: OpenFiles,
}

impl DatabaseWriter {
    /// See [`crate::store::Database::write`].
    ///
    /// # Errors
    /// See there.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, Error>> + Send + Sync + 'static,
    {
        let writer = self.clone();
        // In a task of its own: a client that goes away cannot interrupt it.
        let task = tokio::spawn(async move {
            let mut attempt = 1;
            loop {
                match writer.write_once(&work).await {
                    Err(Failed { failure, .. }) if writer.retries(failure, attempt) => attempt += 1,
                    outcome => return outcome.map_err(|failed| failed.error),
                }
            }
        });
        task.await.map_err(Error::internal)?
    }

    /// True if a write that failed had no effect and is worth running again at once.
    fn retries(&self, failure: Option<Failure>, attempt: usize) -> bool {
        match failure {
            Some(Failure::Conflict) => attempt < ATTEMPTS,
            Some(Failure::LockTimeout) => self.retries_locked && attempt < ATTEMPTS,
            // Connections stay read-only that were opened before the server accepted writes again.
            Some(Failure::ReadOnly) => attempt < ATTEMPTS_READ_ONLY,
            _ => false,
        }
    }

    async fn write_once<T, F>(&self, work: &F) -> Result<T, Failed>
    where
        F: for<'t> Fn(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, Error>>,
    {
        self.ensure_in_place()?;
        let transaction = DatabaseTransaction::begin(&self.pool, self.backend, self.limit).await?;
        match work(&transaction).await {
            Ok(value) => match transaction.commit().await {
                Ok(()) => self.ensure_kept().map(|()| value),
                Err(error) => Err(Failed::at_commit(error)),
            },
            Err(error) => {
                // The reason why the work failed says more than that the connection failed after it:
                // either way nothing stays.
                if let Err(error) = transaction.rollback().await {
                    tracing::debug!(%error, "a transaction was undone by closing its connection");
                }
                Err(Failed::from(error))
            }
        }
    }

    /// Runs one statement that is a transaction by itself, and returns its rows.
    ///
    /// On SQLite the commit happens after the last row was read, so all of them are.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] if the connection was lost before the answer.
    pub async fn write_statement(&self, statement: Statement) -> Result<Vec<QueryResult>, Error> {
        let mut attempt = 1;
        self.ensure_in_place().map_err(|failed| failed.error)?;
        loop {
            let mut session = self.pool.acquire().await?;
            let statement = statement.clone();
            let rows = session.run(self.limit, async move |session| session.query_all(statement).await);
            match rows.await.map_err(|error| Failed::at_commit(query_error(error))) {
                Err(Failed { failure, .. }) if self.retries(failure, attempt) => attempt += 1,
                Ok(rows) => return self.ensure_kept().map(|()| rows).map_err(|failed| failed.error),
                Err(failed) => return Err(failed.error),
            }
        }
    }

    fn ensure_in_place(&self) -> Result<(), Failed> {
        self.open_files.ensure_in_place().map_err(|moved| Failed::from(Error::from(moved)))
    }

    /// A commit counts if its files were in place after it. Otherwise a copy of the folder may have
    /// been taken before it.
    fn ensure_kept(&self) -> Result<(), Failed> {
        let moved = self.open_files.ensure_in_place();
        moved.map_err(|moved| Failed { error: Error::outcome_unknown(moved), failure: None })
    }
}

/// A write that failed.
struct Failed {
    error: Error,
    /// The failure of the database, if it was one.
    failure: Option<Failure>,
}

impl Failed {
    /// A failure of a commit, or of a statement that commits itself.
    fn at_commit(error: DbErr) -> Self {
        match Failure::of(&error) {
            failure if failure.is_unknown_at_commit() => {
                Self { error: Error::outcome_unknown(error), failure: Some(failure) }
            }
            _ => Self::from(error),
        }
    }
}

/// A failure before anything was committed.
impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let failure = failure::of_error(&error);
        Self { error, failure }
    }
}

impl From<DbErr> for Failed {
    fn from(error: DbErr) -> Self {
        Error::from(error).into()
    }
}
