//! `createCounter` and `deleteCounter`, and what a counter of one's own making does.

use serde_json::json;

use super::{CREATED, NEXT, all, create, current, delete, number, range, take};
use crate::support::{Caller, Reply, TestApp};

const MAX: i64 = 9_007_199_254_740_991;

async fn try_to_create(caller: &Caller, input: &str) -> Reply {
    caller.run(&format!("mutation {{ createCounter(input: {{ {input} }}) {CREATED} }}")).await
}

#[tokio::test]
async fn a_counter_begins_at_its_start_and_goes_on_in_its_steps_to_its_bound() {
    let (_test, user) = TestApp::with_user().await;
    let reply = try_to_create(&user, r#"name: "tickets", start: 100, step: 7, max: 121"#).await;
    let payload = &reply.data()["createCounter"];
    let made = json!({ "name": "tickets", "current": 100, "step": 7, "max": 121 });
    for (field, value) in made.as_object().expect("fields") {
        assert_eq!(&payload["counter"][field], value, "{field}");
    }
    assert_eq!(payload["userErrors"], json!([]));
    for expected in [107, 114, 121] {
        assert_eq!(range(&take(&user, r#"counter: "tickets""#).await), Ok((expected, expected)));
    }
    for _ in 0..3 {
        let refused = take(&user, r#"counter: "tickets""#).await;
        assert_eq!((refused.code(), refused.has_no_result()), ("COUNTER_EXHAUSTED", true));
        assert!(refused.at("/errors/0/message").as_str().is_some_and(|text| text.contains("121")), "{}", refused.body);
    }
    let shown = user.run(r#"{ current(counter: "tickets") viewer { counter(name: "tickets") { current } } }"#).await;
    assert_eq!(shown.data(), &json!({ "current": 121, "viewer": { "counter": { "current": 121 } } }));
    assert_eq!(current(&user).await, 0, "the default counter is another one");
}

#[tokio::test]
async fn a_step_that_would_go_past_the_bound_is_refused_and_a_counter_can_be_full_at_once() {
    let (_test, user) = TestApp::with_user().await;
    create(&user, r#"name: "a", step: 10, max: 15"#).await;
    assert_eq!(range(&take(&user, r#"counter: "a""#).await), Ok((10, 10)));
    assert_eq!(range(&take(&user, r#"counter: "a""#).await), Err("COUNTER_EXHAUSTED".to_owned()));
    create(&user, r#"name: "b", start: 5, max: 5"#).await;
    create(&user, r#"name: "c", max: 0"#).await;
    create(&user, &format!(r#"name: "d", start: {}, step: 1000000"#, MAX - 1)).await;
    for name in ["b", "c", "d"] {
        assert_eq!(range(&take(&user, &format!("counter: \"{name}\"")).await), Err("COUNTER_EXHAUSTED".to_owned()));
    }
    let reply = user.run(r#"{ a: current(counter: "a") b: current(counter: "b") d: current(counter: "d") }"#).await;
    assert_eq!(reply.data(), &json!({ "a": 10, "b": 5, "d": MAX - 1 }), "nothing wraps, nothing moves");
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_every_field_and_makes_nothing() {
    let (test, user) = TestApp::with_user().await;
    let before = test.rows().await;
    let (fits, long) = ("x".repeat(128), "x".repeat(129));
    for (input, expected) in [
        (r#"name: """#, vec!["REQUIRED input.name"]),
        (&format!(r#"name: "{long}""#), vec!["TOO_LONG input.name"]),
        (r#"name: "a b""#, vec!["INVALID input.name"]),
        (r#"name: "ä""#, vec!["INVALID input.name"]),
        (r#"name: "a/b""#, vec!["INVALID input.name"]),
        (r#"name: " a""#, vec!["INVALID input.name"]),
        (r#"name: "a\u0000""#, vec!["INVALID input.name"]),
        (r#"name: "a", step: 0"#, vec!["INVALID input.step"]),
        (r#"name: "a", step: -1"#, vec!["INVALID input.step"]),
        (r#"name: "a", step: 1000001"#, vec!["INVALID input.step"]),
        (r#"name: "a", start: -1"#, vec!["INVALID input.start"]),
        (r#"name: "a", start: 11, max: 10"#, vec!["INVALID input.start"]),
        (r#"name: "a", max: -1"#, vec!["INVALID input.max"]),
        (r#"name: "", step: 0, max: -1"#, vec!["REQUIRED input.name", "INVALID input.step", "INVALID input.max"]),
        (r#"name: "default""#, vec!["TAKEN input.name"]),
    ] {
        let refused = try_to_create(&user, input).await;
        assert_eq!(refused.user_errors("createCounter"), expected, "{input}");
        assert_eq!(refused.data()["createCounter"]["counter"], json!(null), "{input}");
    }
    for input in [r#"name: "a", max: 9007199254740992"#, r#"name: "a", start: 1.5"#, r#"name: "a", step: null"#] {
        let refused = try_to_create(&user, input).await;
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&refused.code()), "{}", refused.body);
    }
    assert_eq!(test.rows().await, before);
    for good in [fits.as_str(), "a", "A", "0", ".", "_", ":", "-", "invoices:2026-11.DE_north"] {
        create(&user, &format!("name: \"{good}\"")).await;
        assert_eq!(
            try_to_create(&user, &format!("name: \"{good}\"")).await.user_errors("createCounter"),
            ["TAKEN input.name"]
        );
    }
    create(&user, &format!(r#"name: "bounds", start: {MAX}, step: 1000000, max: {MAX}"#)).await;
    create(&user, r#"name: "nulls", max: null"#).await;
}

#[tokio::test]
async fn an_unknown_name_is_not_found_and_is_not_made() {
    let (test, user) = TestApp::with_user().await;
    let other = test.sign_up("bob").await;
    create(&other, r#"name: "theirs""#).await;
    let before = test.rows().await;
    let long = "x".repeat(10_000);
    for name in ["theirs", "Default", "defaul", "", " default", "default\\u0000", "ä", &long] {
        let refused = take(&user, &format!("counter: \"{name}\"")).await;
        assert_eq!((refused.code(), refused.has_no_result()), ("NOT_FOUND", true), "{name}");
        let keyed = take(&user, &format!("counter: \"{name}\", count: 3, idempotencyKey: \"k\"")).await;
        assert_eq!(keyed.code(), "NOT_FOUND", "{name}");
        assert_eq!(user.run(&format!("{{ current(counter: \"{name}\") }}")).await.code(), "NOT_FOUND", "{name}");
        let viewer = user.run(&format!("{{ viewer {{ counter(name: \"{name}\") {{ id }} }} }}")).await;
        assert_eq!(viewer.data()["viewer"]["counter"], json!(null), "{name}");
        assert_eq!(delete(&user, &name.replace("\\u0000", "\0")).await.user_errors("deleteCounter").len(), 1, "{name}");
    }
    assert_eq!(test.rows().await, before);
    assert_eq!(range(&take(&other, r#"counter: "theirs""#).await), Ok((1, 1)));
}

#[tokio::test]
async fn whoever_is_not_signed_in_makes_and_deletes_nothing() {
    let test = TestApp::start().await;
    assert_eq!(try_to_create(&test.anonymous(), r#"name: "a""#).await.code(), "UNAUTHENTICATED");
    assert_eq!(try_to_create(&test.anonymous(), r#"name: """#).await.code(), "UNAUTHENTICATED");
    assert_eq!(delete(&test.anonymous(), "default").await.code(), "UNAUTHENTICATED");
    assert_eq!(take(&test.anonymous(), r#"counter: "a""#).await.code(), "UNAUTHENTICATED");
    assert_eq!(test.rows().await.counters, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_race_for_the_last_place_one_gets_it() {
    let test = TestApp::with_config(|config| config.counters.max_per_user = 4).await;
    let (anna, bob) = (test.sign_up("anna").await, test.sign_up("bob").await);
    let call = |call: usize| {
        let user = anna.clone();
        async move { try_to_create(&user, &format!(r#"name: "c{call}""#)).await }
    };
    let replies = all((0..12).map(call)).await;
    let (made, refused): (Vec<_>, Vec<_>) =
        replies.iter().partition(|reply| reply.user_errors("createCounter").is_empty());
    assert_eq!(made.len(), 3, "beside the default one");
    for reply in refused {
        assert_eq!(reply.user_errors("createCounter"), ["LIMIT_REACHED"], "{}", reply.body);
        let message = reply.data()["createCounter"]["userErrors"][0]["message"].as_str().unwrap_or_default();
        assert!(message.contains('4'), "{message}");
    }
    create(&bob, r#"name: "c0""#).await;
    let name = made[0].data()["createCounter"]["counter"]["name"].as_str().expect("a name").to_owned();
    assert_eq!(delete(&anna, &name).await.user_errors("deleteCounter"), [""; 0]);
    create(&anna, r#"name: "room-again""#).await;
    assert_eq!(try_to_create(&anna, r#"name: "one-more""#).await.user_errors("createCounter"), ["LIMIT_REACHED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_race_for_a_name_one_gets_it() {
    let (test, user) = TestApp::with_user().await;
    for round in 0..5 {
        let call = |_| {
            let user = user.clone();
            async move { try_to_create(&user, &format!(r#"name: "r{round}""#)).await.user_errors("createCounter") }
        };
        let mut heard = all((0..8).map(call)).await;
        heard.sort();
        assert_eq!(heard[0], [""; 0]);
        assert!(heard[1..].iter().all(|errors| *errors == ["TAKEN input.name"]), "{heard:?}");
    }
    assert_eq!(test.rows().await.counters, 6);
}

#[tokio::test]
async fn a_deleted_counter_is_gone_and_its_successor_begins_anew() {
    let (test, user) = TestApp::with_user().await;
    let id = create(&user, r#"name: "a", start: 5"#).await;
    assert_eq!(range(&take(&user, r#"counter: "a""#).await), Ok((6, 6)));
    assert_eq!(delete(&user, "a").await.data()["deleteCounter"], json!({ "deletedCounterId": id, "userErrors": [] }));
    assert_eq!(take(&user, r#"counter: "a""#).await.code(), "NOT_FOUND");
    let set = r#"mutation { setCurrent(input: { current: 1, counter: "a" }) { previous userErrors { code field } } }"#;
    assert_eq!(user.run(set).await.user_errors("setCurrent"), ["NOT_FOUND input.counter"]);
    assert_eq!(user.run(&format!("{{ node(id: \"{id}\") {{ id }} }}")).await.data()["node"], json!(null));
    assert_eq!(delete(&user, "a").await.user_errors("deleteCounter"), ["NOT_FOUND input.name"]);
    let successor = create(&user, r#"name: "a""#).await;
    assert_ne!(successor, id);
    assert_eq!(range(&take(&user, r#"counter: "a""#).await), Ok((1, 1)));

    let refused = delete(&user, "default").await;
    assert_eq!(refused.user_errors("deleteCounter"), ["CONFLICT input.name"]);
    assert_eq!(refused.data()["deleteCounter"]["deletedCounterId"], json!(null));
    assert_eq!(number(&user.run(NEXT).await), Ok(1));
    assert_eq!(test.rows().await.counters, 2);
}

/// One deletes while 15 take: every answered number was real, and after the deletion there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_end_with_the_counter() {
    let (_test, user) = TestApp::with_user().await;
    for _ in 0..5 {
        create(&user, r#"name: "a""#).await;
        let taker = |_| {
            let user = user.clone();
            async move {
                let mut taken = Vec::new();
                loop {
                    match range(&take(&user, r#"counter: "a", count: 2"#).await) {
                        Ok(range) => taken.push(range),
                        Err(code) => return (taken, code),
                    }
                }
            }
        };
        let deleter = async {
            while user.run(r#"{ current(counter: "a") }"#).await.data()["current"].as_i64() < Some(40) {}
            delete(&user, "a").await.user_errors("deleteCounter")
        };
        let (heard, deleted) = tokio::join!(all((0..15).map(taker)), deleter);
        assert_eq!(deleted, [""; 0]);
        assert!(heard.iter().all(|(_, code)| code == "NOT_FOUND"), "{heard:?}");
        let mut taken: Vec<_> = heard.into_iter().flat_map(|(taken, _)| taken).collect();
        taken.sort_unstable();
        let expected: Vec<_> = (0..).map(|place| (2 * place + 1, 2 * place + 2)).take(taken.len()).collect();
        assert_eq!(taken, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_delete_a_counter_one_does() {
    let (_test, user) = TestApp::with_user().await;
    create(&user, r#"name: "a""#).await;
    let call = |_| {
        let user = user.clone();
        async move { delete(&user, "a").await.user_errors("deleteCounter") }
    };
    let mut heard = all((0..8).map(call)).await;
    heard.sort();
    assert_eq!(heard[0], [""; 0]);
    assert!(heard[1..].iter().all(|errors| *errors == ["NOT_FOUND input.name"]), "{heard:?}");
}
