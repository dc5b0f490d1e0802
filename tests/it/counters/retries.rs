//! How long a key is remembered: over restarts, for a day, and no longer; and how many at once.

use cloakroom::counters::{CreateCounter, Next, answer};
use futures_util::future::join_all;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use super::{current, in_person, range, take};
use crate::support::{Caller, PATIENCE, TestApp};

const HOUR: i64 = 3600;

async fn kept(test: &TestApp) -> u64 {
    answer::Entity::find().count(test.app.database.reader()).await.expect("answers are counted")
}

async fn replayed(user: &Caller, input: &str) -> (i64, bool) {
    let reply = take(user, input).await;
    let (_, last) = range(&reply).expect("a range");
    (last, reply.at("/data/next/replayed").as_bool().expect("a boolean"))
}

/// Good for more than a day.
async fn with_patient_program() -> (TestApp, Caller) {
    let (test, user) = TestApp::with_user().await;
    let program = super::program(&test, &user, "COUNTERS_NEXT, COUNTERS_READ, COUNTERS_WRITE", None).await;
    (test, program)
}

#[tokio::test]
async fn a_key_is_remembered_over_a_restart() {
    let (mut test, mut user) = with_patient_program().await;
    let before = take(&user, "count: 5, idempotencyKey: \"k\"").await.data()["next"].clone();
    for _ in 0..2 {
        test.restart().await;
        user = test.bearer(user.token.as_deref());
        let mut after = take(&user, "count: 5, idempotencyKey: \"k\"").await.data()["next"].clone();
        assert!(after["replayed"].take().as_bool().expect("a boolean"));
        after["replayed"] = false.into();
        assert_eq!(after, before, "to the microsecond");
    }
    assert_eq!(current(&user).await, 5);
}

#[tokio::test]
async fn a_key_is_remembered_for_a_day_and_swept_after_it() {
    let (test, user) = with_patient_program().await;
    assert_eq!(replayed(&user, "idempotencyKey: \"old\"").await, (1, false));
    test.clock.advance(12 * HOUR);
    assert_eq!(replayed(&user, "idempotencyKey: \"new\"").await, (2, false));
    test.clock.advance(12 * HOUR - 1);
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!(kept(&test).await, 2);
    assert_eq!(replayed(&user, "idempotencyKey: \"old\"").await, (1, true));
    test.clock.advance(2);
    assert_eq!(replayed(&user, "idempotencyKey: \"new\"").await, (2, true));
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!(kept(&test).await, 1);
    assert_eq!(replayed(&user, "idempotencyKey: \"old\"").await, (3, false));
    assert_eq!(replayed(&user, "idempotencyKey: \"old\"").await, (3, true));
}

#[tokio::test]
async fn a_forgotten_key_is_free_before_it_is_swept() {
    let (test, user) = with_patient_program().await;
    assert_eq!(replayed(&user, "count: 2, idempotencyKey: \"k\"").await, (2, false));
    test.clock.advance(24 * HOUR);
    assert_eq!(replayed(&user, "count: 3, idempotencyKey: \"k\"").await, (5, false), "another order under it, too");
    assert_eq!(take(&user, "count: 2, idempotencyKey: \"k\"").await.code(), "CONFLICT");
    assert_eq!((replayed(&user, "count: 3, idempotencyKey: \"k\"").await, kept(&test).await), ((5, true), 1));
}

/// Takes one integer, under a key.
async fn take_once(test: &TestApp, caller: &cloakroom::caller::Caller, counter: &str, key: &str) -> (i64, bool) {
    let next = Next { counter: Some(counter), count: 1, idempotency_key: Some(key.into()) };
    let taken = test.app.counters.next(caller, next).await.expect("an integer");
    (taken.last, taken.replayed)
}

/// More than one transaction of the sweep, and more than conditions joined by OR may be: all of them in one commit,
/// the largest that the settings allow.
#[tokio::test]
async fn thousands_of_keys_are_kept_at_once_and_swept() {
    const CALLS: u64 = 9000;
    let test = TestApp::with_config(|config| config.counters.max_batch = 10_000).await;
    let user = in_person(&test.sign_up("anna").await).await;
    for again in [false, true] {
        let keys: Vec<_> = (0..CALLS).map(|call| format!("key {call}")).collect();
        let heard = join_all(keys.iter().map(|key| take_once(&test, &user, "default", key))).await;
        let expected = (1..).map(|number| (number, again));
        assert!(heard.into_iter().zip(expected).all(|(heard, expected)| heard == expected));
        assert_eq!(kept(&test).await, CALLS);
    }
    test.clock.advance(12 * HOUR);
    take_once(&test, &user, "default", "later").await;
    test.clock.advance(12 * HOUR + 1);
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!(kept(&test).await, 1);
}

/// Each of so many counters is decided by itself, in one transaction.
#[tokio::test]
async fn thousands_of_counters_are_decided_at_once() {
    const COUNTERS: i64 = 1500;
    let test = TestApp::with_config(|config| {
        (config.counters.max_batch, config.counters.max_per_user) = (10_000, 10_000);
    });
    let test = test.await;
    let user = in_person(&test.sign_up("anna").await).await;
    let names: Vec<_> = (0..COUNTERS).map(|counter| counter.to_string()).collect();
    for (name, start) in names.iter().zip(0..) {
        let input = CreateCounter { name: name.clone(), start, step: 1, max: None, idempotency_key: None };
        test.app.counters.create(&user, input).await.expect("a counter");
    }
    for again in [false, true] {
        let heard = join_all(names.iter().map(|name| take_once(&test, &user, name, "k"))).await;
        let expected: Vec<_> = (1..=COUNTERS).map(|number| (number, again)).collect();
        assert_eq!(heard, expected);
    }
}

#[tokio::test]
async fn the_upkeep_sweeps() {
    let (test, user) = TestApp::with_user().await;
    take(&user, "idempotencyKey: \"k\"").await.data();
    test.clock.advance(24 * HOUR + 1);
    test.app.start_upkeep();
    let swept = async {
        while kept(&test).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, swept).await.expect("nothing is left");
}
