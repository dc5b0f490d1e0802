//! A connection that the pool has handed out.

use std::io;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::store::failure::Failure;
use crate::store::pool::{PING_LIMIT, Pool};
use crate::store::session::Session;

/// A connection in use. Dropping it returns it to the pool, unless it is in a transaction: then it is
/// closed. After a statement that was abandoned half way it is returned once it answers a ping.
pub(super) struct PooledSession {
    pool: Pool,
    session: Option<Session>,
    permit: Option<OwnedSemaphorePermit>,
    expires_at: Option<Instant>,
    /// See [`Pool::discards`], when this was handed out.
    discards: u64,
    /// A statement is under way.
    is_busy: bool,
    is_in_transaction: bool,
}

impl PooledSession {
    pub(super) fn new(pool: Pool, session: Session, expires_at: Option<Instant>, permit: OwnedSemaphorePermit) -> Self {
        let (session, permit, discards) = (Some(session), Some(permit), pool.discards());
        Self { pool, session, permit, expires_at, discards, is_busy: false, is_in_transaction: false }
    }

    /// Runs `work` on the connection, within `limit`. A failure that costs the connection closes it.
    ///
    /// # Errors
    /// What the driver says; [`io::ErrorKind::TimedOut`] if the database was silent for `limit`.
    pub(super) async fn run<T>(
        &mut self,
        limit: Option<Duration>,
        work: impl AsyncFnOnce(&mut Session) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let Some(session) = &mut self.session else {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the database connection was lost before").into());
        };
        self.is_busy = true;
        let outcome = match limit {
            Some(limit) => timeout(limit, work(session)).await.unwrap_or_else(|_| Err(silent(limit))),
            None => work(session).await,
        };
        self.is_busy = false;
        if let Err(error) = &outcome
            && Failure::of_driver(error).costs_connection()
        {
            self.discard();
            self.pool.discard_idle();
        }
        outcome
    }

    /// From here on the connection is closed when it is dropped.
    pub(super) fn enter_transaction(&mut self) {
        self.is_in_transaction = true;
    }

    /// From here on the connection is returned to the pool when it is dropped.
    pub(super) fn leave_transaction(&mut self) {
        self.is_in_transaction = false;
    }

    /// Closes the connection without a goodbye.
    pub(super) fn discard(&mut self) {
        if self.session.take().is_some() {
            self.pool.forget(1);
        }
    }

    /// Closes the connection, and waits for it: on SQLite the next one could not write before.
    pub(super) async fn close(mut self) {
        let Some(session) = self.session.take() else { return };
        if let Ok(Err(error)) = timeout(PING_LIMIT, session.close()).await {
            tracing::debug!(%error, "a database connection did not close cleanly");
        }
        self.pool.forget(1);
    }
}

impl Drop for PooledSession {
    fn drop(&mut self) {
        if self.is_in_transaction {
            self.discard();
        }
        let Some(mut session) = self.session.take() else { return };
        let (pool, expires_at, permit) = (self.pool.clone(), self.expires_at, self.permit.take());
        let discards = self.discards;
        if !self.is_busy {
            pool.give_back(session, expires_at, discards);
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            pool.forget(1);
            return;
        };
        runtime.spawn(async move {
            match timeout(PING_LIMIT, session.ping()).await {
                Ok(Ok(())) => pool.give_back(session, expires_at, discards),
                _ => pool.forget(1),
            }
            drop(permit);
        });
    }
}

fn silent(limit: Duration) -> sqlx::Error {
    let message = format!("the database did not answer for {} s", limit.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, message).into()
}
