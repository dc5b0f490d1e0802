//! `next`, for one caller at a time.

use super::{NEXT, current};
use crate::support::TestApp;

#[tokio::test]
async fn numbers_are_1_2_3_and_the_payload_shows_the_counter_as_it_was_then() {
    let (_test, user) = TestApp::with_user().await;
    assert_eq!(current(&user).await, 0);
    for number in 1..=3 {
        let reply = user.run("mutation { next { value counter { name current step max } } }").await;
        let next = &reply.data()["next"];
        assert_eq!(next["value"], number);
        assert_eq!(next["counter"]["current"], number);
        assert_eq!((&next["counter"]["name"], &next["counter"]["step"]), (&"default".into(), &1.into()));
        assert_eq!(next["counter"]["max"], 9_007_199_254_740_991_i64);
        assert_eq!(current(&user).await, number);
    }
}

#[tokio::test]
async fn aliases_of_one_mutation_run_in_their_order() {
    let (_test, user) = TestApp::with_user().await;
    let mutation = "mutation { z: next { value } b: setCurrent(input: {current: 40}) { previous }
                               a: next { value counter { current } } m: next { value } }";
    let reply = user.run(mutation).await;
    let expected = serde_json::json!({
        "z": { "value": 1 }, "b": { "previous": 1 },
        "a": { "value": 41, "counter": { "current": 41 } }, "m": { "value": 42 },
    });
    assert_eq!(reply.data(), &expected);
}

#[tokio::test]
async fn the_counters_times_move_with_the_clock() {
    let (test, user) = TestApp::with_user().await;
    let times = "mutation { next { counter { createdAt updatedAt } } }";
    let made = "2026-11-20T12:00:00.000000Z";
    for (seconds, updated) in [(0, made), (61, "2026-11-20T12:01:01.000000Z"), (1, "2026-11-20T12:01:02.000000Z")] {
        test.clock.advance(seconds);
        let reply = user.run(times).await;
        let counter = &reply.data()["next"]["counter"];
        assert_eq!((&counter["createdAt"], &counter["updatedAt"]), (&made.into(), &updated.into()));
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_has_no_numbers() {
    let test = TestApp::start().await;
    for operation in [NEXT, "{ current }", "mutation { setCurrent(input: {current: 5}) { previous } }"] {
        assert_eq!(test.anonymous().run(operation).await.code(), "UNAUTHENTICATED", "{operation}");
    }
}

#[tokio::test]
async fn every_user_counts_alone() {
    let (test, anna) = TestApp::with_user().await;
    let bob = test.sign_up("bob").await;
    assert_eq!((anna.next().await, anna.next().await, bob.next().await), (1, 2, 1));
    super::set(&bob, 70).await;
    assert_eq!((anna.next().await, bob.next().await), (3, 71));
    assert_eq!((current(&anna).await, current(&bob).await), (3, 71));
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let (mut test, user) = TestApp::with_user().await;
    assert_eq!((user.next().await, user.next().await), (1, 2));
    test.restart().await;
    let user = test.bearer(user.token.as_deref());
    assert_eq!(current(&user).await, 2);
    assert_eq!(user.next().await, 3);
}
