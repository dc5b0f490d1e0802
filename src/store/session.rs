//! One open connection to a database, whichever driver it has.
//!
//! The drivers' own pools are not used: sqlx's returns a connection by a ping without a time limit,
//! during which the connection counts as taken, so that connections that fall silent empty the pool
//! for good.

use sea_orm::{ExecResult, QueryResult, Statement, Value, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// An open connection. Dropping it closes its socket.
#[derive(Debug)]
pub(super) enum Session {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
    Mysql(Box<MySqlConnection>),
}

/// Runs the same code for each driver, whose types have no common trait.
macro_rules! with_driver {
    ($session:expr, $connection:ident => $body:expr) => {
        match $session {
            Session::Sqlite($connection) => $body,
            Session::Postgres($connection) => $body,
            Session::Mysql($connection) => $body,
        }
    };
}

impl Session {
    pub(super) async fn execute(&mut self, statement: Statement) -> sqlx::Result<ExecResult> {
        let (sql, values) = self.prepare(statement);
        let query = (AssertSqlSafe(sql), SqlxValues(values));
        with_driver!(self, connection => {
            Ok(sqlx::query_with(query.0, query.1).execute(&mut **connection).await?.into())
        })
    }

    pub(super) async fn query_one(&mut self, statement: Statement) -> sqlx::Result<Option<QueryResult>> {
        let (sql, values) = self.prepare(statement);
        let query = (AssertSqlSafe(sql), SqlxValues(values));
        with_driver!(self, connection => {
            let row = sqlx::query_with(query.0, query.1).fetch_optional(&mut **connection).await?;
            Ok(row.map(QueryResult::from))
        })
    }

    pub(super) async fn query_all(&mut self, statement: Statement) -> sqlx::Result<Vec<QueryResult>> {
        let (sql, values) = self.prepare(statement);
        let query = (AssertSqlSafe(sql), SqlxValues(values));
        with_driver!(self, connection => {
            let rows = sqlx::query_with(query.0, query.1).fetch_all(&mut **connection).await?;
            Ok(rows.into_iter().map(QueryResult::from).collect())
        })
    }

    /// Runs SQL as it is, not prepared; several statements may be joined by `;`.
    pub(super) async fn execute_unprepared(&mut self, sql: &str) -> sqlx::Result<ExecResult> {
        tracing::trace!(target: "cloakroom::sql", sql);
        let sql = AssertSqlSafe(sql.to_owned());
        with_driver!(self, connection => Ok(connection.execute(sql).await?.into()))
    }

    /// Waits until the connection is ready for the next statement, whatever became of the last one.
    pub(super) async fn ping(&mut self) -> sqlx::Result<()> {
        with_driver!(self, connection => connection.ping().await)
    }

    /// Says goodbye to the server; on SQLite, waits for the file to be closed.
    pub(super) async fn close(self) -> sqlx::Result<()> {
        with_driver!(self, connection => connection.close().await)
    }

    fn prepare(&self, statement: Statement) -> (String, Values) {
        tracing::trace!(target: "cloakroom::sql", sql = statement.sql);
        let mut values = statement.values.unwrap_or(Values(Vec::new()));
        if matches!(self, Self::Mysql(_)) {
            send_times_as_datetime(&mut values);
        }
        (statement.sql, values)
    }
}

/// sqlx sends times to MariaDB as TIMESTAMP. MariaDB stores NULL for those after 2038, without an
/// error; sent as DATETIME they keep to the year 9999.
fn send_times_as_datetime(values: &mut Values) {
    for value in &mut values.0 {
        if let Value::ChronoDateTimeUtc(time) = value {
            *value = Value::ChronoDateTime(time.map(|time| time.naive_utc()));
        }
    }
}
