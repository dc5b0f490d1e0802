//! The connection pool: bounded in connections, in waiting time and in a connection's age.
//!
//! **Invariant:** a connection that timed out, was reset or whose server became read-only is closed,
//! never returned. Its permit is free at once, and the idle connections, which took the same path, are
//! closed with it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::config;
use crate::error::one_line;
use crate::store::failure::Failure;
use crate::store::pooled_session::PooledSession;
use crate::store::session::Session;

/// Time that a connection which was idle, or whose last statement was abandoned, has to answer a ping.
pub(super) const PING_LIMIT: Duration = Duration::from_secs(2);
/// A connection that was idle for longer may have died unnoticed, and is pinged before use.
const PING_AFTER: Duration = Duration::from_secs(1);
/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Time for which the pool makes do with fewer connections after the server has refused one more.
const LOWERED_FOR: Duration = Duration::from_secs(60);

/// Opens a connection.
pub(super) type Open = Box<dyn Fn() -> BoxFuture<'static, Result<Session, sqlx::Error>> + Send + Sync>;

/// The bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolLimits {
    pub(super) connections: usize,
    /// Longest wait for a connection.
    pub(super) acquire: Duration,
    /// Age at which a connection is replaced, give or take a fifth. `None`: never, and an idle
    /// connection needs no ping either.
    pub(super) lifetime: Option<Duration>,
}

/// Connections that the main pool of a database server leaves to the two that commit numbers.
const RESERVED: u32 = 2;

impl PoolLimits {
    /// The bounds of the main pool of a database server.
    pub(super) fn of_server(config: &config::Database) -> Self {
        Self {
            connections: config.max_connections.max(2 * RESERVED).saturating_sub(RESERVED) as usize,
            acquire: Duration::from_secs(config.acquire_seconds),
            lifetime: Some(Duration::from_secs(config.connection_lifetime_seconds)),
        }
    }
}

/// A pool of connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    open: Open,
    limits: PoolLimits,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// Open connections, in use or idle.
    open_count: AtomicUsize,
    /// The server has refused a connection within the last minute, and the log says so.
    lowered_lately: AtomicBool,
    /// The pool that closes a connection if the server grants this one none at all.
    backing: Option<Pool>,
}

struct Idle {
    session: Session,
    expires_at: Option<Instant>,
    since: Instant,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(open: Open, limits: PoolLimits) -> Self {
        Self::build(open, limits, None)
    }

    /// A pool that takes the place of a connection of `backing` if the server grants it none.
    pub(super) fn backed_by(open: Open, limits: PoolLimits, backing: Pool) -> Self {
        Self::build(open, limits, Some(backing))
    }

    fn build(open: Open, limits: PoolLimits, backing: Option<Pool>) -> Self {
        let permits = Arc::new(Semaphore::new(limits.connections));
        let (idle, open_count) = (Mutex::default(), AtomicUsize::new(0));
        let lowered_lately = AtomicBool::new(false);
        Self(Arc::new(Inner { open, limits, permits, idle, open_count, lowered_lately, backing }))
    }

    /// A connection that answers: an idle one or a new one.
    ///
    /// # Errors
    /// A timeout after [`PoolLimits::acquire`]; the reason why none can be opened.
    pub(super) async fn acquire(&self) -> Result<PooledSession, DbErr> {
        let deadline = Instant::now() + self.0.limits.acquire;
        let mut pause = FIRST_PAUSE;
        let mut last_error = None;
        loop {
            let permit = match timeout_at(deadline, Arc::clone(&self.0.permits).acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
                Err(_) => return Err(timed_out(last_error)),
            };
            if let Some((session, expires_at)) = self.0.pop_idle().await {
                return Ok(PooledSession::new(self.clone(), session, expires_at, permit));
            }
            let error = match timeout_at(deadline, (self.0.open)()).await {
                Ok(Ok(session)) => {
                    self.0.open_count.fetch_add(1, Ordering::SeqCst);
                    let expires_at = self.0.limits.lifetime.map(|lifetime| Instant::now() + jittered(lifetime));
                    return Ok(PooledSession::new(self.clone(), session, expires_at, permit));
                }
                Ok(Err(error)) => error,
                Err(_) => return Err(timed_out(last_error)),
            };
            match Failure::of_driver(&error) {
                Failure::TooManyConnections => self.make_room(permit, &error, deadline).await,
                Failure::NotAccepting | Failure::Connection | Failure::Terminated => drop(permit),
                _ => return Err(DbErr::Conn(RuntimeErr::SqlxError(error.into()))),
            }
            last_error = Some(error);
            if timeout_at(deadline, sleep(pause)).await.is_err() {
                return Err(timed_out(last_error));
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The server grants no further connection. Makes do with those that are open for a minute: the
    /// requests that wait get them as they come free. Without any, takes the place of one of the
    /// backing pool's.
    async fn make_room(&self, permit: OwnedSemaphorePermit, error: &sqlx::Error, deadline: Instant) {
        let open = self.0.open_count.load(Ordering::SeqCst);
        if !self.0.lowered_lately.swap(true, Ordering::SeqCst) {
            let configured = self.0.limits.connections;
            tracing::warn!(open, configured, error = one_line(error), "the database grants no further connection");
        }
        if open > 0 {
            self.park(permit);
        } else if let Some(backing) = &self.0.backing {
            backing.yield_one(deadline).await;
        }
    }

    /// Closes an idle connection, and makes do without it for a minute.
    async fn yield_one(&self, deadline: Instant) {
        let Ok(Ok(permit)) = timeout_at(deadline, Arc::clone(&self.0.permits).acquire_owned()).await else { return };
        if self.0.idle().pop().is_some() {
            self.forget(1);
        }
        self.park(permit);
    }

    fn park(&self, permit: OwnedSemaphorePermit) {
        let pool = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            sleep(LOWERED_FOR).await;
            if let Some(pool) = pool.upgrade() {
                pool.lowered_lately.store(false, Ordering::SeqCst);
            }
            drop(permit);
        });
    }

    /// Puts a connection back that answers.
    pub(super) fn give_back(&self, session: Session, expires_at: Option<Instant>) {
        let now = Instant::now();
        if self.0.permits.is_closed() || expires_at.is_some_and(|end| end <= now) {
            self.forget(1);
            return;
        }
        let mut idle = self.0.idle();
        idle.push(Idle { session, expires_at, since: now });
        // The one that was used last goes out first: the others wait here, and expire here.
        if idle.first().and_then(|oldest| oldest.expires_at).is_some_and(|end| end <= now) {
            idle.remove(0);
            self.forget(1);
        }
    }

    /// Counts connections that were closed.
    pub(super) fn forget(&self, count: usize) {
        self.0.open_count.fetch_sub(count, Ordering::SeqCst);
    }

    /// Closes the idle connections.
    pub(super) fn discard_idle(&self) {
        let idle = std::mem::take(&mut *self.0.idle());
        self.forget(idle.len());
    }

    /// Takes no more requests, and closes the idle connections; those in use are closed when they
    /// come back. Waits for them for `limit`.
    pub(super) async fn close(&self, limit: Duration) {
        let connections = u32::try_from(self.0.limits.connections).unwrap_or(u32::MAX);
        // A lowered pool lacks permits, so this may run into its limit.
        let all = timeout(limit, self.0.permits.acquire_many(connections)).await;
        self.0.permits.close();
        let idle = std::mem::take(&mut *self.0.idle());
        for Idle { session, .. } in idle {
            if let Ok(Err(error)) = timeout(PING_LIMIT, session.close()).await {
                tracing::debug!(%error, "a database connection did not close cleanly");
            }
        }
        drop(all);
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The idle connection that was used last, if it still answers.
    async fn pop_idle(&self) -> Option<(Session, Option<Instant>)> {
        loop {
            let Idle { mut session, expires_at, since } = self.idle().pop()?;
            // From here until it is handed out, a connection that is dropped is one less.
            let counted = Counted(&self.open_count);
            if expires_at.is_some_and(|end| end <= Instant::now()) {
                continue;
            }
            if self.limits.lifetime.is_some() && since.elapsed() >= PING_AFTER {
                match timeout(PING_LIMIT, session.ping()).await {
                    Ok(Ok(())) => {}
                    // The other end has gone; the others that are idle went the same way.
                    _ => {
                        self.open_count.fetch_sub(std::mem::take(&mut *self.idle()).len(), Ordering::SeqCst);
                        continue;
                    }
                }
            }
            counted.keep();
            return Some((session, expires_at));
        }
    }
}

/// Counts a connection out of the pool unless it is kept.
struct Counted<'c>(&'c AtomicUsize);

impl Counted<'_> {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// From four to six fifths of `lifetime`, so that connections opened together do not end together.
fn jittered(lifetime: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    lifetime.mul_f64(0.8 + 0.4 * f64::from(random) / f64::from(u32::MAX))
}

/// The reason why no connection could be opened says more than that none came free.
fn timed_out(last_error: Option<sqlx::Error>) -> DbErr {
    match last_error {
        Some(error) => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
        None => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
    }
}
