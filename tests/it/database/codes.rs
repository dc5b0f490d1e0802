//! Errors that the database server raises, as clients and the log get them. SQLite raises none on
//! demand: its codes are in the table of `src/store/failure/tests.rs`.

use cloakroom::error::{Dependency, Error};
use cloakroom::store::Backend;
use sea_orm::ConnectionTrait as _;

use crate::support::{TestApp, TestDatabase};

/// Runs a statement that raises this error.
async fn raise(test: &TestApp, code: &str) -> Error {
    let sql = match test.app.database.backend() {
        Backend::Postgres => format!("DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '{code}'; END $$"),
        _ => format!("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'raised'"),
    };
    let raised = test.app.database.write(move |transaction| {
        let sql = sql.clone();
        Box::pin(async move { Ok(transaction.execute_unprepared(&sql).await.map(drop)?) })
    });
    raised.await.expect_err("it is raised")
}

#[tokio::test]
async fn each_error_names_the_part_that_failed_or_is_a_bug() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let test = TestApp::start().await;
    let (disk, database, bug) = (Some(Dependency::Disk), Some(Dependency::Database), None);
    let codes = match test.app.database.backend() {
        Backend::Postgres => [
            ("53100", disk),
            ("53200", disk),
            ("58030", disk),
            ("40001", database),
            ("55P03", database),
            ("57014", database),
            ("57P01", database),
            ("25006", database),
            ("53300", database),
            ("08006", database),
            ("42501", bug),
            ("XX000", bug),
        ],
        _ => [
            ("1021", disk),
            ("1030", disk),
            ("1114", disk),
            ("1213", database),
            ("1205", database),
            ("1317", database),
            ("1053", database),
            ("1290", database),
            ("1040", database),
            ("1180", database),
            ("1142", bug),
            ("1064", bug),
        ],
    };
    for (code, expected) in codes {
        let error = raise(&test, code).await;
        let dependency = match &error {
            Error::DependencyUnavailable { dependency, .. } => Some(*dependency),
            Error::Internal(_) => None,
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(dependency, expected, "{code}: {error:?}");
        assert_eq!(error.retry_after_seconds().is_some(), expected.is_some(), "{code}");
        let cause = error.reason();
        assert_eq!(cause.matches("raised").count(), 1, "{code}: {cause}");
        assert!(!error.message().contains("raised"), "its cause is for the log: {}", error.message());
    }
}
