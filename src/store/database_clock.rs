//! The clock of a database that several servers share.
//!
//! One server stores a time, and another one compares it with the present: the end of a session, of
//! a link, of a lease. The clocks of their machines may differ. So on PostgreSQL and MariaDB every
//! server reads the time of the database when it starts and [`Database::sync_clock`] is called, and
//! its own monotonic clock runs on from there.

use std::sync::Arc;

use chrono::TimeDelta;
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::clock::Clock;
use crate::error::Error;
use crate::store::{Backend, Database};

/// Readings of which the fastest counts: its answer is the least old.
const READINGS: usize = 3;
/// A difference between the clocks that the operator should know of.
const NOTABLE: TimeDelta = TimeDelta::seconds(5);

/// The present moment by the clock of the database, as an expression. The embedded database has that of this machine.
#[must_use]
pub fn current_time(backend: DbBackend) -> Expr {
    match backend {
        // Elsewhere it would be the time at which the transaction began.
        DbBackend::Postgres => Expr::cust("clock_timestamp()"),
        DbBackend::MySql => Expr::cust("CURRENT_TIMESTAMP(6)"),
        // Bound, so that it is spelled as other moments are.
        _ => Expr::value(Clock::System.now()),
    }
}

impl Database {
    /// The clock for times that are stored: that of the database server, or the machine's for the
    /// embedded database.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn clock(&self) -> Result<Clock, Error> {
        if !self.is_shared() {
            return Ok(Clock::System);
        }
        let clock = Clock::Database(Arc::default());
        self.sync_clock(&clock).await?;
        let difference = clock.now() - Clock::System.now();
        if difference.abs() >= NOTABLE {
            let seconds = difference.num_seconds();
            tracing::warn!("the clock of the database is {seconds} s ahead of this machine's; the database's is used");
        }
        Ok(clock)
    }

    /// Corrects a clock of [`Database::clock`]. Nothing has to be done for any other.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sync_clock(&self, clock: &Clock) -> Result<(), Error> {
        let Clock::Database(database_clock) = clock else { return Ok(()) };
        let mut readings = Vec::with_capacity(READINGS);
        for _ in 0..READINGS {
            let before = clock.uptime();
            let micros = self.read_micros().await?;
            readings.push((before, micros, clock.uptime()));
        }
        let fastest = readings.into_iter().min_by_key(|(before, _, after)| after.saturating_sub(*before));
        if let Some((before, micros, after)) = fastest {
            database_clock.set(micros, before, after);
        }
        Ok(())
    }

    /// The time of the database server, in microseconds since 1970.
    async fn read_micros(&self) -> Result<i64, Error> {
        let reader = self.reader();
        let sql = match self.backend() {
            Backend::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
            _ => "SELECT CAST(UNIX_TIMESTAMP(CURRENT_TIMESTAMP(6)) * 1000000 AS SIGNED)",
        };
        let row = reader.query_one_raw(Statement::from_string(reader.get_database_backend(), sql)).await?;
        let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("the database did not tell its time")))?;
        Ok(row.try_get_by_index(0)?)
    }
}
