//! `setCurrent`: its range, its condition, and what it leaves alone.

use serde_json::json;

use super::{all, current, number, set};
use crate::support::{Caller, Reply, TestApp};

const MAX: i64 = 9_007_199_254_740_991;

async fn set_with(caller: &Caller, input: &str) -> Reply {
    let mutation = format!(
        "mutation {{ setCurrent(input: {{ {input} }}) {{ previous counter {{ current }} userErrors {{ code field message }} }} }}"
    );
    caller.run(&mutation).await
}

#[tokio::test]
async fn it_replaces_the_integer_and_next_goes_on_from_there() {
    let (_test, user) = TestApp::with_user().await;
    for (previous, wanted) in [(0, 1000), (1001, 0), (1, MAX - 1)] {
        let reply = set_with(&user, &format!("current: {wanted}")).await;
        let expected = json!({ "previous": previous, "counter": { "current": wanted }, "userErrors": [] });
        assert_eq!(reply.data()["setCurrent"], expected);
        assert_eq!(current(&user).await, wanted);
        assert_eq!(user.next().await, wanted + 1);
    }
    set(&user, MAX).await;
    assert_eq!(current(&user).await, MAX);
}

#[tokio::test]
async fn an_integer_out_of_range_is_refused_with_its_field_and_the_limit() {
    let (_test, user) = TestApp::with_user().await;
    set(&user, 7).await;
    for below in [-1, -MAX] {
        let reply = set_with(&user, &format!("current: {below}")).await;
        assert_eq!(reply.user_errors("setCurrent"), ["INVALID input.current"]);
        let payload = &reply.data()["setCurrent"];
        assert_eq!((&payload["previous"], &payload["counter"]), (&json!(null), &json!(null)));
        let message = payload["userErrors"][0]["message"].as_str().expect("a message");
        assert!(message.contains(&format!("from 0 to {MAX}")), "{message}");
    }
    for unsafe_integer in ["9007199254740992", "-9007199254740992", "1e300", "1.5", "99999999999999999999", "\"5\""] {
        for field in ["current", "ifCurrent"] {
            let other = if field == "current" { "" } else { "current: 5, " };
            let reply = set_with(&user, &format!("{other}{field}: {unsafe_integer}")).await;
            let code = reply.code();
            assert!(
                ["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code),
                "{field} {unsafe_integer}: {code}"
            );
        }
    }
    assert_eq!(current(&user).await, 7, "nothing was written");
}

#[tokio::test]
async fn it_sets_only_what_is_still_as_expected() {
    let (_test, user) = TestApp::with_user().await;
    set(&user, 10).await;
    let refused = set_with(&user, "current: 50, ifCurrent: 9").await;
    assert_eq!(refused.user_errors("setCurrent"), ["CONFLICT input.ifCurrent"]);
    assert_eq!(refused.data()["setCurrent"]["previous"], json!(null));
    assert_eq!(current(&user).await, 10);
    let done = set_with(&user, "current: 50, ifCurrent: 10").await;
    assert_eq!(done.data()["setCurrent"]["previous"], 10);
    let unconditional = set_with(&user, "current: 51, ifCurrent: null").await;
    assert_eq!(unconditional.data()["setCurrent"]["previous"], 50);
}

#[tokio::test]
async fn a_counter_that_the_caller_does_not_have_is_not_found() {
    let (test, user) = TestApp::with_user().await;
    let long = "x".repeat(10_000);
    for name in ["other", "", "Default", " default", "\\u0000", "default\\u0000", "%", &long] {
        let reply = set_with(&user, &format!("current: 5, counter: \"{name}\"")).await;
        assert_eq!(reply.user_errors("setCurrent"), ["NOT_FOUND input.counter"], "{name}");
        let shown = user.run(&format!("{{ current(counter: \"{name}\") }}")).await;
        assert_eq!(shown.code(), "NOT_FOUND", "{name}");
    }
    assert_eq!(set_with(&user, "current: 5, counter: \"default\"").await.data()["setCurrent"]["previous"], 0);
    assert_eq!(current(&test.sign_up("bob").await).await, 0, "the other one's is another counter");
}

#[tokio::test]
async fn what_is_refused_does_not_disturb_its_neighbours_in_the_batch() {
    let (test, anna) = TestApp::with_user().await;
    let bob = test.sign_up("bob").await;
    assert_eq!((anna.next().await, bob.next().await), (1, 1));
    let refusals = ["current: 5, counter: \"none\"", "current: -1", "current: 900, ifCurrent: 77"];
    let call = |call: usize| {
        let caller = if call.is_multiple_of(2) { anna.clone() } else { bob.clone() };
        async move {
            match call % 3 {
                0 => Some(number(&caller.run(super::NEXT).await)),
                _ => {
                    let refused = set_with(&caller, refusals[call / 3 % 3]).await;
                    assert_eq!(refused.user_errors("setCurrent").len(), 1, "{}", refused.body);
                    None
                }
            }
        }
    };
    let numbers: Vec<_> = all((0..60).map(call)).await.into_iter().flatten().collect();
    let mut numbers: Vec<i64> = numbers.into_iter().collect::<Result<_, _>>().expect("numbers for everybody else");
    numbers.sort_unstable();
    let each_twice: Vec<i64> = (2..=11).flat_map(|number| [number, number]).collect();
    assert_eq!(numbers, each_twice);
    assert_eq!((current(&anna).await, current(&bob).await), (11, 11));
}
