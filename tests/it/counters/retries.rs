//! How long a key is remembered: over restarts, for a day, and no longer; and how many at once.

use cloakroom::counters::answer;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use super::{all, create, current, range, take};
use crate::support::{Caller, TestApp};

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

/// More than one transaction of the sweep, and more than conditions joined by OR may be: each commit has the most
/// that the settings allow.
#[tokio::test]
async fn thousands_of_keys_are_kept_at_once_and_swept() {
    const CALLS: usize = 5000;
    let test = TestApp::with_config(|config| config.counters.max_batch = 10_000).await;
    let user = test.sign_up("anna").await;
    let user = super::program(&test, &user, "COUNTERS_NEXT, COUNTERS_WRITE", None).await;
    create(&user, r#"name: "a""#).await;
    for (first_time, keys) in [(true, CALLS as u64), (false, CALLS as u64)] {
        let call = |call: usize| {
            let user = user.clone();
            async move {
                let name = if call % 5 == 0 { "a" } else { "default" };
                replayed(&user, &format!("counter: \"{name}\", idempotencyKey: \"key {call}\"")).await
            }
        };
        let heard = all((0..CALLS).map(call)).await;
        assert!(heard.iter().all(|(_, replayed)| *replayed != first_time));
        let (mut a, mut default): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
        for (call, (number, _)) in heard.into_iter().enumerate() {
            if call % 5 == 0 { a.push(number) } else { default.push(number) }
        }
        for numbers in [&mut a, &mut default] {
            numbers.sort_unstable();
            assert!(numbers.iter().zip(1..).all(|(number, place)| *number == place), "each once, without a gap");
        }
        assert_eq!(kept(&test).await, keys);
    }
    test.clock.advance(12 * HOUR);
    take(&user, "idempotencyKey: \"later\"").await.data();
    test.clock.advance(12 * HOUR + 1);
    test.app.counters.sweep().await.expect("a sweep");
    assert_eq!(kept(&test).await, 1);
}

/// Each of so many counters is decided by itself, in one transaction.
#[tokio::test]
async fn thousands_of_counters_are_decided_at_once() {
    const COUNTERS: usize = 1500;
    let test = TestApp::with_config(|config| {
        (config.counters.max_batch, config.counters.max_per_user) = (10_000, 10_000);
    });
    let test = test.await;
    let user = test.sign_up("anna").await;
    for counter in 0..COUNTERS {
        create(&user, &format!("name: \"{counter}\", start: {counter}")).await;
    }
    for again in [false, true] {
        let call = |call: usize| {
            let user = user.clone();
            async move { replayed(&user, &format!("counter: \"{}\", idempotencyKey: \"k\"", call)).await }
        };
        let heard = all((0..COUNTERS).map(call)).await;
        let expected: Vec<_> = (1..).map(|number| (number, again)).take(COUNTERS).collect();
        assert_eq!(heard, expected);
    }
}
