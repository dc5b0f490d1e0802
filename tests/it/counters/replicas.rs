//! Two servers on one database. Not on SQLite, whose file belongs to one process.

use std::sync::Arc;

use cloakroom::app::App;

use super::history::{Recorder, check};
use super::{all, create, current, range, set, take};
use crate::support::{Caller, TestApp, TestDatabase};

/// A second server on the first one's database, by another way if `url` names one, and the same caller at its door.
pub(super) async fn replica(test: &TestApp, user: &Caller, url: Option<&str>) -> (Arc<App>, Caller) {
    let same = test.config.database.url.to_string();
    test.replica(user, url.unwrap_or(&same)).await
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
                    3 | 4 => recorder.range([&doors[0], &doors[1]], 1 + client, &format!("{client} {call}")).await,
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

/// Each client asks for a range of each counter, at both doors and in an order of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_ranges_of_many_counters_hold_over_all_replicas() {
    const COUNTERS: usize = 6;
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, here) = TestApp::with_user().await;
    let (second, there) = replica(&test, &here, None).await;
    for counter in 0..COUNTERS {
        create(&here, &format!("name: \"c{counter}\"")).await;
    }
    let client = |client: usize| {
        let doors = [here.clone(), there.clone()];
        async move {
            let mut taken = Vec::new();
            for call in 0..2 * COUNTERS {
                let counter = if client.is_multiple_of(2) { call % COUNTERS } else { COUNTERS - 1 - call % COUNTERS };
                let key = if client % 4 < 2 { format!(", idempotencyKey: \"{client} {call}\"") } else { String::new() };
                let input = format!("counter: \"c{counter}\", count: {}{key}", 1 + client % 3);
                let heard = tokio::join!(take(&doors[0], &input), take(&doors[1], &input));
                let heard = [range(&heard.0).expect("a range"), range(&heard.1).expect("a range")];
                assert_eq!(heard[0] == heard[1], !key.is_empty());
                taken.extend(heard.map(|(first, last)| (counter, first, last)));
            }
            taken
        }
    };
    let mut taken = all((0..24).map(client)).await.concat();
    taken.sort_unstable();
    taken.dedup();
    let mut ends = [0; COUNTERS];
    for (counter, first, last) in taken {
        assert_eq!(first, ends[counter] + 1, "of counter {counter}");
        ends[counter] = last;
    }
    second.stop().await;
}
