//! `next` with a count: one unbroken range, whole or not at all.

use cloakroom::store::Backend;
use serde_json::json;

use super::{all, create, current, range, set, take};
use crate::support::{Caller, Random, Statements, TestApp, TestDatabase};

const MAX: i64 = 9_007_199_254_740_991;

#[tokio::test]
async fn a_range_has_as_many_integers_as_asked_for() {
    let (_test, user) = TestApp::with_user().await;
    let mut last = 0;
    for count in [1, 2, 10, 1_000_000, 1] {
        let reply = take(&user, &format!("count: {count}")).await;
        let next = &reply.data()["next"];
        assert_eq!((&next["first"], &next["last"]), (&json!(last + 1), &json!(last + count)));
        assert_eq!((&next["value"], &next["counter"]["current"]), (&next["last"], &next["last"]));
        assert_eq!(next["replayed"], false);
        last += count;
        assert_eq!(current(&user).await, last);
    }
}

#[tokio::test]
async fn a_range_goes_in_the_counters_steps() {
    let (_test, user) = TestApp::with_user().await;
    create(&user, r#"name: "a", start: 3, step: 5"#).await;
    assert_eq!(range(&take(&user, r#"counter: "a", count: 4"#).await), Ok((8, 23)));
    assert_eq!(range(&take(&user, r#"counter: "a""#).await), Ok((28, 28)));
    create(&user, r#"name: "b", step: 1000000"#).await;
    assert_eq!(range(&take(&user, r#"counter: "b", count: 1000000"#).await), Ok((1_000_000, 1_000_000_000_000)));
}

#[tokio::test]
async fn a_count_out_of_bounds_is_refused_by_name_with_the_limit() {
    let (_test, user) = TestApp::with_user().await;
    for count in ["0", "-1", "1000001", "2147483647", "-2147483648"] {
        for more in ["", ", idempotencyKey: \"k\""] {
            let refused = take(&user, &format!("count: {count}{more}")).await;
            assert_eq!((refused.code(), refused.has_no_result()), ("BAD_USER_INPUT", true), "{count}");
            let message = refused.at("/errors/0/message").as_str().unwrap_or_default();
            assert!(message.contains("count") && message.contains("1000000"), "{message}");
        }
    }
    for count in ["2147483648", "1.5", "\"1\"", "null"] {
        let refused = take(&user, &format!("count: {count}")).await;
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&refused.code()), "{}", refused.body);
    }
    assert_eq!(current(&user).await, 0);
    let limit = user.run("{ server { limits { nextCount } } }").await;
    assert_eq!(limit.data()["server"]["limits"]["nextCount"], 1_000_000);
}

#[tokio::test]
async fn a_range_that_does_not_fit_is_refused_whole_and_smaller_ones_are_given() {
    let (_test, user) = TestApp::with_user().await;
    set(&user, MAX - 10).await;
    let call = |count: i64| {
        let user = user.clone();
        async move { range(&take(&user, &format!("count: {count}")).await) }
    };
    let heard = all([4, 7, 1_000_000, 5, 2, 1, 1].map(call)).await;
    let refused = || Err("COUNTER_EXHAUSTED".to_owned());
    let expected =
        [Ok((MAX - 9, MAX - 6)), refused(), refused(), Ok((MAX - 5, MAX - 1)), refused(), Ok((MAX, MAX)), refused()];
    assert_eq!(heard, expected);
    assert_eq!(current(&user).await, MAX);
}

#[tokio::test]
async fn a_range_is_one_write_whatever_its_size() {
    let (_test, user) = TestApp::with_user().await;
    // MariaDB's UPDATE returns no rows: they are locked and read first.
    let asked = if TestDatabase::backend() == Backend::Mysql { 2 } else { 1 };
    for count in [1, 1000, 1_000_000] {
        let input = format!("count: {count}");
        take(&user, &input).await.data();
        let statements = Statements::count();
        take(&user, &input).await.data();
        assert_eq!(statements.so_far(), asked, "{count}");
    }
    let statements = Statements::count();
    user.next().await;
    assert_eq!(statements.so_far(), asked);
}

/// 64 clients; each takes ranges and single integers by turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_and_single_integers_of_many_clients_have_no_gap_and_no_overlap() {
    let mut random = Random::seeded();
    let (_test, user) = TestApp::with_user().await;
    create(&user, r#"name: "threes", step: 3"#).await;
    let mut client = |_| {
        let choices: Vec<(bool, u64)> = (0..8).map(|_| (random.below(2) == 0, random.below(9))).collect();
        let user: Caller = user.clone();
        async move {
            let mut taken = Vec::new();
            for (threes, choice) in choices {
                let count = i64::try_from(if choice < 4 { 1 } else { choice * choice * choice }).expect("small");
                let (name, step) = if threes { ("threes", 3) } else { ("default", 1) };
                let reply = take(&user, &format!(r#"counter: "{name}", count: {count}"#)).await;
                let (first, last) = range(&reply).expect("a range");
                assert_eq!(last - first, (count - 1) * step, "unbroken");
                taken.push((name, first, last));
            }
            taken
        }
    };
    let taken = all((0..64).map(&mut client).collect::<Vec<_>>()).await.concat();
    for (name, step) in [("threes", 3), ("default", 1)] {
        let mut ranges: Vec<_> = taken.iter().filter(|(of, ..)| *of == name).collect();
        ranges.sort_unstable();
        let mut last = 0;
        for (_, first, end) in ranges {
            assert_eq!(*first, last + step, "no gap and no overlap");
            last = *end;
        }
        let shown = user.run(&format!("{{ current(counter: \"{name}\") }}")).await;
        assert_eq!(shown.data()["current"], last);
    }
}
