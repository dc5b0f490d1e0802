//! Signals between the servers of one database: short texts that say that something changed, never what it is now.
//!
//! They go by PostgreSQL's LISTEN and NOTIFY, outside of any transaction: a NOTIFY within one would make every commit
//! wait for the one before. So a server that dies between its commit and the signal leaves the others uninformed, and
//! whoever relies on signals must also look for themselves from time to time. Where the backend has none, that is all
//! there is.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use sqlx::Executor as _;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::time::timeout;

use crate::error::{Dependency, Error};
use crate::store::database::Connector;
use crate::store::keepalive::set_keepalive;
use crate::store::pool::PING_LIMIT;
use crate::store::{Backend, Database};

/// Time without a signal after which the connection is pinged.
const PING_EVERY: Duration = Duration::from_secs(10);

/// Bytes of a signal at most: PostgreSQL refuses 8000.
pub const MAX_SIGNAL_BYTES: usize = 7999;

/// What others signal, as long as this is held.
pub struct Signals(PgListener);

impl Signals {
    /// The next signal; `None` when the connection was lost, and signals with it.
    ///
    /// A connection on which nothing arrives is pinged: one that fell silent would otherwise be
    /// listened to for good.
    ///
    /// # Errors
    /// The database cannot be reached, or does not answer.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        let failed = |error: sqlx::Error| Error::dependency_unavailable(Dependency::Database, 1, error);
        loop {
            match timeout(PING_EVERY, self.0.try_recv()).await {
                Ok(signal) => return Ok(signal.map_err(failed)?.map(|signal| signal.payload().to_owned())),
                Err(_) => match timeout(PING_LIMIT, self.0.execute("SELECT 1")).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return Err(failed(error)),
                    Err(_) => return Ok(None),
                },
            }
        }
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
        let port = options.get_port();
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(failed)?;
        listener.listen(channel).await.map_err(failed)?;
        set_keepalive(port).await;
        Ok(Some(Signals(listener)))
    }
}
