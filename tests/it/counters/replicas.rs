//! Two servers on one database. PostgreSQL only: SQLite's file belongs to one process.

use std::sync::Arc;

use cloakroom::app::App;
use cloakroom::store::Database;

use super::history::{Recorder, check};
use super::{all, current, set};
use crate::support::{Caller, TestApp, TestDatabase};

/// A second server on the first one's database, by another way if `url` names one, and the same caller at its door.
pub(super) async fn replica(test: &TestApp, user: &Caller, url: Option<&str>) -> (Arc<App>, Caller) {
    let mut config = test.config.clone();
    if let Some(url) = url {
        url.clone_into(&mut config.database.url);
    }
    let database = Database::open(&config.database, test.data_dir()).await.expect("the database opens");
    let app = Arc::new(App::start(&config, database, test.clock.clone()).expect("the app starts"));
    let router = cloakroom::http::router(Arc::clone(&app), &config).expect("the router is built");
    (app, Caller::new(router, user.token.clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_unique_and_gap_free_over_all_replicas() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, here) = TestApp::with_user().await;
    let (second, there) = replica(&test, &here, None).await;
    let recorder = Arc::new(Recorder::default());
    let client = |client: i64| {
        let (doors, recorder) = ([here.clone(), there.clone()], Arc::clone(&recorder));
        async move {
            let mut events = Vec::new();
            for (call, door) in (0..12).zip(doors.iter().cycle()) {
                events.push(match (call + client) % 12 {
                    0 => recorder.set(door, (client + 1) * 1_000_000, None).await,
                    1 | 2 => recorder.current(door).await,
                    _ => recorder.next(door).await,
                });
            }
            events
        }
    };
    let history = all((0..64).map(client)).await.concat();
    check(&history, current(&there).await);
    second.stop().await;
}

#[tokio::test]
async fn what_one_replica_sets_the_other_shows_at_once() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, here) = TestApp::with_user().await;
    let (second, there) = replica(&test, &here, None).await;
    assert_eq!((here.next().await, there.next().await, here.next().await), (1, 2, 3));
    set(&here, 500).await;
    assert_eq!(current(&there).await, 500);
    assert_eq!(there.next().await, 501);
    assert_eq!(current(&here).await, 501);
    second.stop().await;
}

#[tokio::test]
async fn a_logout_reaches_the_other_replicas_within_the_recheck_time() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, here) = TestApp::with_user().await;
    let (second, there) = replica(&test, &here, None).await;
    assert_eq!((here.next().await, there.next().await), (1, 2));
    assert_eq!(here.run("mutation { logout { endedSessions } }").await.data()["logout"]["endedSessions"], 1);
    assert_eq!(here.run("{ current }").await.code(), "UNAUTHENTICATED");
    test.clock.advance(test.config.accounts.session_recheck_seconds.into());
    let refused = there.run("{ current }").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "UNAUTHENTICATED"));
    second.stop().await;
}
