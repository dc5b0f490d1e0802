//! Signals between the servers of one database: short texts that say that something changed, never what it is now.
//!
//! They go by PostgreSQL's LISTEN and NOTIFY, outside of any transaction: a NOTIFY within one would make every commit
//! wait for the one before. So a server that dies between its commit and the signal leaves the others uninformed, and
//! whoever relies on signals must also look for themselves from time to time. Where the backend has none, that is all
//! there is.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use sqlx::postgres::{PgListener, PgPoolOptions};

use crate::error::{Dependency, Error};
use crate::store::database::Connector;
use crate::store::{Backend, Database};

/// Bytes of a signal at most: PostgreSQL refuses 8000.
pub const MAX_SIGNAL_BYTES: usize = 7999;

/// What others signal, as long as this is held.
pub struct Signals(PgListener);

impl Signals {
    /// The next signal; `None` when the connection was lost, and signals with it.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        let signal = self.0.try_recv().await.map_err(Error::internal)?;
        Ok(signal.map(|signal| signal.payload().to_owned()))
    }
}

impl Database {
    /// Whether [`Database::signal`] reaches anybody.
    #[must_use]
    pub fn has_signals(&self) -> bool {
        self.backend() == Backend::Postgres
    }

    /// Tells every server that listens on this channel, this one included.
    ///
    /// # Errors
    /// What the database says.
    pub async fn signal(&self, channel: &str, text: String) -> Result<(), Error> {
        if self.has_signals() {
            let sql = "SELECT pg_notify($1, $2)";
            let signal = Statement::from_sql_and_values(DbBackend::Postgres, sql, [channel.into(), text.into()]);
            self.reader().execute_raw(signal).await?;
        }
        Ok(())
    }

    /// Listens on this channel, over a connection of its own; `None` where the backend has no signals.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn listen(&self, channel: &str) -> Result<Option<Signals>, Error> {
        let Connector::Postgres(connector) = &self.connector else { return Ok(None) };
        let failed = |error: sqlx::Error| Error::dependency_unavailable(Dependency::Database, 1, error);
        let options = connector.options_of_writable_host().await.map_err(failed)?;
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(failed)?;
        listener.listen(channel).await.map_err(failed)?;
        Ok(Some(Signals(listener)))
    }
}
