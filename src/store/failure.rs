//! Classification of the errors of database drivers: one table, for every backend.
//!
//! Each error is one of three: nothing was done, the outcome is unknown, or a bug.
//!
//! Sources: PostgreSQL 17 manual, appendix A; MariaDB's list of error codes; SQLite's result codes.

#[cfg(test)]
mod tests;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use crate::error::{Dependency, Error, RETRY_AFTER_FULL_SECONDS};

/// Seconds after which it is worth trying again when the database is away.
const RETRY_AFTER_SECONDS: u32 = 2;

/// The scope and the effect of a driver's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The database undid the transaction to resolve a conflict with another one: run it again.
    Conflict,
    /// The statement has waited for a lock as long as it may. Nothing was done.
    LockTimeout,
    /// The statement was canceled or could not begin in time. Nothing was done.
    Canceled,
    /// The disk is full, read-only or broken, or memory is exhausted. Nothing was done.
    Resources,
    /// The connection is lost without an answer: closed, reset or silent.
    Connection,
    /// The server answered that it ends the connection. The statement was not done.
    Terminated,
    /// The server accepts no writes: a standby, or set to read-only. Nothing was done.
    ReadOnly,
    /// The server grants no further connection.
    TooManyConnections,
    /// The server is starting, stopping, or not there yet. Nothing was done.
    NotAccepting,
    /// The statement may take effect after a crash although it failed, or the server does not know.
    Unknown,
    /// The statement is wrong, or violates a constraint: a bug, or the caller's to interpret.
    Statement,
}

impl Failure {
    /// Classifies an error of SeaORM.
    pub(super) fn of(error: &DbErr) -> Self {
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => Self::of_driver(error),
            _ => Self::Statement,
        }
    }

    /// Classifies an error of the driver.
    pub(super) fn of_driver(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(error) if is_not_accepting(error) => Self::NotAccepting,
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                Self::Connection
            }
            sqlx::Error::Database(error) => {
                if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
                    of_sqlstate(error.code())
                } else if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
                    of_mysql_number(error.number(), error.code())
                } else if let Some(error) = error.try_downcast_ref::<SqliteError>() {
                    of_sqlite_code(sqlx::error::DatabaseError::code(error).and_then(|code| code.parse().ok()))
                } else {
                    Self::Statement
                }
            }
            _ => Self::Statement,
        }
    }

    /// The part that did nothing, and the seconds after which to try again. `None` for a bug.
    ///
    /// Holds for statements whose transaction is not committed; of a commit, see
    /// [`Failure::is_unknown_at_commit`].
    fn refusal(self) -> Option<(Dependency, u32)> {
        match self {
            Self::Statement => None,
            Self::Resources => Some((Dependency::Disk, RETRY_AFTER_FULL_SECONDS)),
            Self::Conflict | Self::LockTimeout | Self::Canceled | Self::Terminated => Some((Dependency::Database, 1)),
            Self::Connection | Self::ReadOnly | Self::TooManyConnections | Self::NotAccepting | Self::Unknown => {
                Some((Dependency::Database, RETRY_AFTER_SECONDS))
            }
        }
    }

    /// True if a commit that failed so may have taken effect.
    pub(super) fn is_unknown_at_commit(self) -> bool {
        matches!(self, Self::Connection | Self::Unknown)
    }

    /// Whether the connection must not be used again.
    pub(super) fn costs_connection(self) -> bool {
        matches!(
            self,
            Self::Connection | Self::Terminated | Self::ReadOnly | Self::NotAccepting | Self::TooManyConnections
        )
    }
}

fn is_not_accepting(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable, NotFound};
    matches!(error.kind(), AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkUnreachable | NotFound)
}

fn of_sqlstate(code: &str) -> Failure {
    match code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Failure::Conflict,
        // lock_not_available
        "55P03" => Failure::LockTimeout,
        // statement_completion_unknown, transaction_resolution_unknown
        "40003" | "08007" => Failure::Unknown,
        // query_canceled
        "57014" => Failure::Canceled,
        // admin_shutdown, crash_shutdown, database_dropped, idle_session_timeout; a transaction that
        // was idle or ran for too long; a pooler that lost a prepared statement
        "57P01" | "57P02" | "57P04" | "57P05" | "25P03" | "25P04" | "26000" | "42P05" => Failure::Terminated,
        // cannot_connect_now
        "57P03" => Failure::NotAccepting,
        // read_only_sql_transaction
        "25006" => Failure::ReadOnly,
        // too_many_connections
        "53300" => Failure::TooManyConnections,
        // Other insufficient_resources; io_error
        _ if code.starts_with("53") || code == "58030" => Failure::Resources,
        // connection_exception
        _ if code.starts_with("08") => Failure::Connection,
        _ => Failure::Statement,
    }
}

fn of_mysql_number(number: u16, sqlstate: Option<&str>) -> Failure {
    match number {
        // ER_CHECKREAD, ER_LOCK_DEADLOCK
        1020 | 1213 => Failure::Conflict,
        // ER_LOCK_WAIT_TIMEOUT
        1205 => Failure::LockTimeout,
        // ER_QUERY_INTERRUPTED, ER_STATEMENT_TIMEOUT, ER_QUERY_TIMEOUT
        1317 | 1969 | 3024 => Failure::Canceled,
        // ER_ERROR_DURING_COMMIT
        1180 => Failure::Unknown,
        // ER_DISK_FULL, ER_ERROR_ON_READ, ER_ERROR_ON_WRITE, ER_GET_ERRNO (of the storage engine),
        // ER_OUTOFMEMORY, ER_OUT_OF_SORTMEMORY, ER_OUT_OF_RESOURCES, ER_RECORD_FILE_FULL,
        // ER_CANT_CREATE_THREAD, ER_LOCK_TABLE_FULL, ER_TOO_MANY_CONCURRENT_TRXS,
        // ER_TEMP_FILE_WRITE_FAILURE
        1021 | 1024 | 1026 | 1030 | 1037 | 1038 | 1041 | 1114 | 1135 | 1206 | 1637 | 1878 => Failure::Resources,
        // ER_SERVER_SHUTDOWN, network errors, ER_CONNECTION_KILLED, ER_CLIENT_INTERACTION_TIMEOUT
        1053 | 1158..=1161 | 1927 | 4031 => Failure::Connection,
        // ER_OPTION_PREVENTS_STATEMENT, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
        // ER_READ_ONLY_MODE, ER_INNODB_READ_ONLY
        1290 | 1792 | 1836 | 1874 => Failure::ReadOnly,
        // ER_UNKNOWN_COM_ERROR: a node of Galera that is not in sync
        1047 => Failure::NotAccepting,
        // ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED
        1040 | 1203 | 1226 => Failure::TooManyConnections,
        _ if sqlstate.is_some_and(|state| state == "40001") => Failure::Conflict,
        _ if sqlstate.is_some_and(|state| state.starts_with("08")) => Failure::Connection,
        _ => Failure::Statement,
    }
}

fn of_sqlite_code(extended: Option<i32>) -> Failure {
    const IOERR_FSYNC: i32 = 10 | (4 << 8);
    const IOERR_DIR_FSYNC: i32 = 10 | (5 << 8);
    match extended {
        // A commit record that could not be synced may still reach the disk, and count after a crash.
        Some(IOERR_FSYNC | IOERR_DIR_FSYNC) => Failure::Unknown,
        Some(code) => match code & 0xff {
            // BUSY, LOCKED, INTERRUPT, PROTOCOL: another program holds the file's locks
            5 | 6 | 9 | 15 => Failure::Canceled,
            // NOMEM, READONLY, IOERR, FULL, CANTOPEN
            7 | 8 | 10 | 13 | 14 => Failure::Resources,
            _ => Failure::Statement,
        },
        None => Failure::Statement,
    }
}

/// True if the database has closed the connection, as opposed to being silent.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match Failure::of_driver(error) {
        Failure::Terminated => true,
        Failure::Connection => !matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut),
        _ => false,
    }
}

/// Classifies an error of a statement that read, or that belonged to a transaction which was not
/// committed: nothing was done.
impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) {
            return Self::Unavailable { retry_after_seconds: 1 };
        }
        // A connection that cannot be opened did nothing, whatever the reason.
        let is_unopened = matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_));
        let refusal = Failure::of(&error).refusal();
        match refusal.or_else(|| is_unopened.then_some((Dependency::Database, RETRY_AFTER_SECONDS))) {
            Some((dependency, seconds)) => Self::dependency_unavailable(dependency, seconds, error),
            None => Self::internal(error),
        }
    }
}

/// The failure behind an error that came from the database.
pub(super) fn of_error(error: &Error) -> Option<Failure> {
    error.cause()?.downcast_ref::<DbErr>().map(Failure::of)
}

/// True if a statement has waited for the lock of another transaction as long as it may. Nothing was
/// done.
pub fn is_lock_timeout(error: &Error) -> bool {
    of_error(error) == Some(Failure::LockTimeout)
}
