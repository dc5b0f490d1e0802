//! What the slices ask the database through: SeaORM's connections, but for how MariaDB is told a moment.
//!
//! SeaORM would send it as a TIMESTAMP. MariaDB takes what lies behind 2038 for none and stores NULL, without an error:
//! a key would never expire. As a DATETIME it is kept to the year 9999.

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement, Value, Values,
};

/// A pool of connections, or a transaction.
#[derive(Clone, Debug)]
pub struct Connection<C>(pub(super) C);

/// A pool to read from.
pub type DatabaseReader = Connection<DatabaseConnection>;
/// A transaction that has begun.
pub type DatabaseTransaction = Connection<sea_orm::DatabaseTransaction>;

#[async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Connection<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(with_moments(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.query_one_raw(with_moments(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.query_all_raw(with_moments(statement)).await
    }
}

fn with_moments(mut statement: Statement) -> Statement {
    if statement.db_backend == DbBackend::MySql
        && let Some(Values(values)) = &mut statement.values
    {
        for value in values {
            if let Value::ChronoDateTimeUtc(moment) = value {
                *value = Value::ChronoDateTime(moment.map(|moment| moment.naive_utc()));
            }
        }
    }
    statement
}
