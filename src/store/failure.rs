//! Classification of the errors of database drivers: one table, for every backend.
//!
//! Sources: PostgreSQL 17 manual, appendix A; MariaDB's list of error codes; SQLite's result codes.

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
        // ER_ERROR_ON_WRITE, ER_DISK_FULL, ER_OUTOFMEMORY, ER_OUT_OF_SORTMEMORY, ER_OUT_OF_RESOURCES,
        // ER_RECORD_FILE_FULL
        1026 | 1021 | 1037 | 1038 | 1041 | 1114 => Failure::Resources,
        // ER_SERVER_SHUTDOWN, network errors, ER_CONNECTION_KILLED
        1053 | 1158..=1161 | 1927 => Failure::Connection,
        // ER_OPTION_PREVENTS_STATEMENT, ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE
        1290 | 1792 | 1836 => Failure::ReadOnly,
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
        let retry_after_seconds = match Failure::of(&error) {
            Failure::Statement if matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) => {
                return Self::Unavailable { retry_after_seconds: 1 };
            }
            // A connection that cannot be opened did nothing, whatever the reason.
            Failure::Statement if matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) => RETRY_AFTER_SECONDS,
            Failure::Statement => return Self::internal(error),
            Failure::Resources => {
                return Self::dependency_unavailable(Dependency::Disk, RETRY_AFTER_FULL_SECONDS, error);
            }
            Failure::Conflict | Failure::LockTimeout | Failure::Canceled | Failure::Terminated => 1,
            _ => RETRY_AFTER_SECONDS,
        };
        Self::dependency_unavailable(Dependency::Database, retry_after_seconds, error)
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
