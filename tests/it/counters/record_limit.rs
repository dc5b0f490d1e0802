//! The bound on a user's idempotency records: counted in the counters' rows, over all of a user's counters.

use cloakroom::counters::{answer, counter};
use cloakroom::store::migrations;
use sea_orm::{EntityTrait as _, PaginatorTrait as _, QuerySelect as _};
use serde_json::json;

use super::replicas::replica;
use super::{all, create, current, delete, range, set, take};
use crate::support::{Caller, Reply, TestApp, TestDatabase};

const HOUR: i64 = 3600;

async fn with_limit(records: u64) -> (TestApp, Caller) {
    let test = TestApp::with_config(|config| config.counters.max_idempotency_records = records).await;
    let user = test.sign_up("anna").await;
    let program = super::program(&test, &user, "COUNTERS_NEXT, COUNTERS_READ, COUNTERS_WRITE", None).await;
    (test, program)
}

fn assert_refused(reply: &Reply, limit: &str) {
    assert_eq!((reply.status.as_u16(), reply.code()), (429, "RATE_LIMITED"), "{}", reply.body);
    assert_eq!((reply.header("retry-after"), reply.at("/data/next")), ("60", &json!(null)));
    let message = reply.at("/errors/0/message").as_str().unwrap_or_default();
    assert!(message.contains(&format!("{limit} idempotency records")), "{message}");
}

/// Number of stored records, and the sum of the numbers in the counters' rows.
async fn records(test: &TestApp) -> (u64, u64) {
    let reader = test.app.database.reader();
    let stored = answer::Entity::find().count(reader).await.expect("answers are counted");
    let counted = counter::Entity::find().select_only().column(counter::Column::IdempotencyRecords);
    let counted: Vec<i64> = counted.into_tuple().all(reader).await.expect("counters");
    (stored, u64::try_from(counted.iter().sum::<i64>()).expect("not negative"))
}

#[tokio::test]
async fn a_new_key_beyond_the_limit_is_refused_whatever_the_counter() {
    let (mut test, user) = with_limit(3).await;
    create(&user, r#"name: "a""#).await;
    for input in
        ["counter: \"a\", idempotencyKey: \"1\"", "counter: \"a\", idempotencyKey: \"2\"", "idempotencyKey: \"1\""]
    {
        assert!(range(&take(&user, input).await).is_ok(), "{input}");
    }
    for restarted in [false, true] {
        if restarted {
            test.restart().await;
        }
        let user = test.bearer(user.token.as_deref());
        for input in ["counter: \"a\", idempotencyKey: \"3\"", "idempotencyKey: \"3\""] {
            assert_refused(&take(&user, input).await, "3");
        }
        let set = user.run("mutation { setCurrent(input: { current: 9, idempotencyKey: \"s\" }) { previous } }").await;
        assert_refused(&set, "3");
        assert_eq!(current(&user).await, 1, "nothing was done");
        // A replay adds nothing, and neither does a request without a key.
        let replay = take(&user, "counter: \"a\", idempotencyKey: \"2\"").await;
        assert_eq!(replay.data()["next"]["replayed"], true);
        set_back(&user).await;
    }
    let bob = test.sign_up("bob").await;
    assert_eq!(range(&take(&bob, "idempotencyKey: \"1\"").await), Ok((1, 1)));
    assert_eq!(records(&test).await, (4, 4));
}

async fn set_back(user: &Caller) {
    assert_eq!(user.next().await, 2);
    set(user, 1).await;
}

#[tokio::test]
async fn of_simultaneous_requests_as_many_are_recorded_as_fit() {
    let (test, user) = with_limit(10).await;
    for name in ["a", "b", "c"] {
        create(&user, &format!("name: \"{name}\"")).await;
    }
    let call = |call: usize| {
        let user = user.clone();
        let counter = ["default", "a", "b", "c"][call % 4];
        async move { take(&user, &format!("counter: \"{counter}\", idempotencyKey: \"{call}\"")).await }
    };
    let replies = all((0..40).map(call)).await;
    let (taken, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| range(reply).is_ok());
    assert_eq!((taken.len(), refused.len()), (10, 30));
    refused.into_iter().for_each(|reply| assert_refused(reply, "10"));
    assert_eq!(records(&test).await, (10, 10));
}

#[tokio::test]
async fn expired_records_make_room_when_they_are_removed_or_replaced() {
    let (test, user) = with_limit(2).await;
    for key in ["1", "2"] {
        take(&user, &format!("idempotencyKey: \"{key}\"")).await.data();
    }
    assert_refused(&take(&user, "idempotencyKey: \"3\"").await, "2");
    test.clock.advance(24 * HOUR);
    // In place of an expired record with the same key, before that is removed.
    assert_eq!(range(&take(&user, "idempotencyKey: \"1\"").await), Ok((3, 3)));
    assert_eq!(records(&test).await, (2, 2));
    assert_refused(&take(&user, "idempotencyKey: \"3\"").await, "2");
    test.clock.advance(1);
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!(records(&test).await, (1, 1));
    assert_eq!(range(&take(&user, "idempotencyKey: \"3\"").await), Ok((4, 4)));
    assert_eq!(records(&test).await, (2, 2));
}

#[tokio::test]
async fn a_refused_write_counts_for_nothing() {
    let (test, user) = with_limit(10).await;
    create(&user, r#"name: "a", max: 1"#).await;
    for key in 0..3 {
        take(&user, &format!("counter: \"a\", count: 2, idempotencyKey: \"{key}\"")).await;
        take(&user, &format!("counter: \"none\", idempotencyKey: \"{key}\"")).await;
    }
    assert_eq!(records(&test).await, (0, 0));
}

/// They are stored until they are purged: nobody gets more room by deleting counters.
#[tokio::test]
async fn records_of_a_deleted_counter_count_until_they_are_purged() {
    let (test, user) = with_limit(2).await;
    create(&user, r#"name: "a""#).await;
    for key in ["1", "2"] {
        take(&user, &format!("counter: \"a\", idempotencyKey: \"{key}\"")).await.data();
    }
    delete(&user, "a").await.data();
    create(&user, r#"name: "a""#).await;
    assert_refused(&take(&user, "counter: \"a\", idempotencyKey: \"1\"").await, "2");
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!(range(&take(&user, "counter: \"a\", idempotencyKey: \"1\"").await), Ok((1, 1)));
    assert_eq!(records(&test).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_the_limit() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, here) = with_limit(10).await;
    let (second, there) = replica(&test, &here, None).await;
    let call = |call: usize| {
        let user = if call.is_multiple_of(2) { here.clone() } else { there.clone() };
        async move { range(&take(&user, &format!("idempotencyKey: \"{call}\"")).await).is_ok() }
    };
    let taken = all((0..40).map(call)).await.into_iter().filter(|taken| *taken).count();
    assert_eq!(taken, 10, "the records of one counter are counted under its lock");
    assert_eq!(records(&test).await, (10, 10));
    // Over several counters each server knows of the other's records after a few seconds at most.
    create(&here, r#"name: "a""#).await;
    test.clock.advance(5);
    for user in [&here, &there] {
        assert_refused(&take(user, "counter: \"a\", idempotencyKey: \"x\"").await, "10");
    }
    second.stop().await;
}

/// A database from before the records were counted.
#[tokio::test]
async fn the_records_of_an_existing_database_are_counted_by_its_migration() {
    let (test, user) = with_limit(4).await;
    create(&user, r#"name: "a""#).await;
    for key in ["1", "2", "3"] {
        take(&user, &format!("counter: \"a\", idempotencyKey: \"{key}\"")).await.data();
    }
    let database = &test.app.database;
    let is_counted = async || {
        let status = migrations::status(database).await.expect("the list of migrations");
        status.iter().any(|migration| migration.applied && migration.name == "m20261130_000013_deleted_counters")
    };
    while is_counted().await {
        migrations::down(database, 1).await.expect("it can be taken back");
    }
    for _ in 0..2 {
        migrations::up(database).await.expect("they apply");
        assert_eq!(records(&test).await, (3, 3));
    }
    take(&user, "idempotencyKey: \"4\"").await.data();
    assert_refused(&take(&user, "idempotencyKey: \"5\"").await, "4");
}
