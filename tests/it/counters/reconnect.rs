//! A database that throws everybody out. Not on SQLite, which has no connections to lose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};

use super::{NEXT, all, current, number};
use crate::support::{Caller, PATIENCE, TestApp, TestDatabase};

const TERMINATE_POSTGRES: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";
/// Who is to be ended, one after the other.
const OTHERS_MYSQL: &str = "SELECT CONCAT('KILL ', id) FROM information_schema.processlist
    WHERE db = DATABASE() AND id <> CONNECTION_ID()";
const OUTAGES: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_are_replaced_and_no_number_is_given_twice() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, user) = TestApp::with_user().await;
    let url = test.config.database.url.to_string();
    let outages = Arc::new(AtomicUsize::new(0));
    let nemesis = tokio::spawn(throw_out(url, user.clone(), Arc::clone(&outages)));
    let client = |_| {
        let (user, outages) = (user.clone(), Arc::clone(&outages));
        async move {
            let (mut given, mut unknown) = (Vec::new(), 0);
            while outages.load(Ordering::SeqCst) < OUTAGES {
                match number(&user.run(NEXT).await) {
                    Ok(number) => given.push(number),
                    Err(code) if code == "UNAVAILABLE" => {}
                    Err(code) => {
                        assert_eq!(code, "INTERNAL_SERVER_ERROR");
                        unknown += 1;
                    }
                }
            }
            (given, unknown)
        }
    };
    let (mut given, mut unknown) = (Vec::new(), 0);
    for (numbers, failures) in all((0..32).map(client)).await {
        given.extend(numbers);
        unknown += failures;
    }
    let (numbers, failures) = nemesis.await.expect("no panic");
    given.extend(numbers);
    unknown += failures;

    let (count, taken) = (given.len(), usize::try_from(current(&user).await).expect("a count"));
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), count, "no number twice");
    assert!((count..=count + unknown).contains(&taken), "{taken} taken, {count} answered, {unknown} unknown");
    assert!(given[count - 1] <= i64::try_from(taken).expect("a count"), "nothing acknowledged is lost");
}

/// Ends every connection of the server's again and again, each time until numbers come again.
async fn throw_out(url: String, user: Caller, outages: Arc<AtomicUsize>) -> (Vec<i64>, usize) {
    let database = Database::connect(url).await.expect("the test database is reachable");
    let (mut given, mut unknown) = (Vec::new(), 0);
    for _ in 0..OUTAGES {
        terminate(&database).await;
        let again = tokio::time::timeout(PATIENCE, async {
            loop {
                match number(&user.run(NEXT).await) {
                    Ok(number) => break given.push(number),
                    Err(_) => unknown += 1,
                }
            }
        });
        again.await.expect("numbers come again without a restart");
        outages.fetch_add(1, Ordering::SeqCst);
    }
    database.close().await.expect("the connection closes");
    (given, unknown)
}

async fn terminate(database: &DatabaseConnection) {
    let backend = database.get_database_backend();
    let sql = if backend == DbBackend::MySql { OTHERS_MYSQL } else { TERMINATE_POSTGRES };
    let ended = database.query_all_raw(Statement::from_string(backend, sql)).await.expect("the right to terminate");
    if backend == DbBackend::MySql {
        for kill in ended {
            let kill: String = kill.try_get_by_index(0).expect("a statement");
            // Some have gone by themselves.
            drop(database.execute_unprepared(&kill).await);
        }
    }
}
