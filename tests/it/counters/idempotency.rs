//! Idempotency keys: what is asked twice under one key is done once, and answered twice.

use serde_json::{Value, json};

use super::{TAKEN, all, create, current, delete, range, set, take};
use crate::support::{Caller, Reply, Statements, TestApp};

/// What `next` says, but for whether it says it again.
fn answer(reply: &Reply) -> (Value, bool) {
    let mut next = reply.data()["next"].clone();
    let replayed = next["replayed"].take();
    (next, replayed.as_bool().expect("a boolean"))
}

/// Runs an operation with values of the header `Idempotency-Key`.
async fn run_under(user: &Caller, keys: &[&[u8]], query: &str) -> Reply {
    let mut request = axum::http::Request::post("/graphql").header("content-type", "application/json");
    for key in keys {
        request = request.header("Idempotency-Key", *key);
    }
    user.send(request.body(json!({ "query": query }).to_string().into()).expect("a request")).await
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_again_and_takes_nothing() {
    let (test, user) = TestApp::with_user().await;
    create(&user, r#"name: "a", start: 10, step: 5"#).await;
    create(&user, r#"name: "b""#).await;
    for (input, first, last) in [("counter: \"a\", count: 3", 15, 25), ("counter: \"a\"", 30, 30), ("count: 1", 1, 1)] {
        let input = format!("{input}, idempotencyKey: \"order {first}\"");
        let original = take(&user, &input).await;
        assert_eq!(range(&original), Ok((first, last)));
        let (original, replayed) = answer(&original);
        assert!(!replayed);
        test.clock.advance(60);
        let another = format!("counter: \"b\", idempotencyKey: \"order {first}\"");
        take(&user, &another).await.data();
        for _ in 0..3 {
            assert_eq!(answer(&take(&user, &input).await), (original.clone(), true));
        }
    }
    assert_eq!(range(&take(&user, "counter: \"a\"").await), Ok((35, 35)));
    assert_eq!(current(&user).await, 1);
}

#[tokio::test]
async fn simultaneous_requests_with_one_key_get_one_number() {
    let (_test, user) = TestApp::with_user().await;
    for round in 1..=3 {
        let call = |_| {
            let user = user.clone();
            async move { answer(&take(&user, &format!("idempotencyKey: \"{round}\"")).await) }
        };
        let heard = all((0..50).map(call)).await;
        assert!(heard.iter().all(|(next, _)| *next == heard[0].0 && next["value"] == round), "{heard:?}");
        assert_eq!(heard.iter().filter(|(_, replayed)| !replayed).count(), 1, "one of them took it");
    }
    assert_eq!(current(&user).await, 3);
}

#[tokio::test]
async fn a_key_that_was_used_for_something_else_is_a_conflict() {
    let (_test, user) = TestApp::with_user().await;
    assert_eq!(range(&take(&user, "count: 2, idempotencyKey: \"k\"").await), Ok((1, 2)));
    for input in ["count: 3, idempotencyKey: \"k\"", "idempotencyKey: \"k\""] {
        let refused = take(&user, input).await;
        assert_eq!((refused.code(), refused.has_no_result()), ("CONFLICT", true));
    }
    let set = "mutation { setCurrent(input: { current: 2, idempotencyKey: \"k\" }) { previous userErrors { code } } }";
    assert_eq!(user.run(set).await.code(), "CONFLICT");
    assert_eq!(range(&take(&user, "count: 2, idempotencyKey: \"k\"").await), Ok((1, 2)));
    assert_eq!(current(&user).await, 2);
}

#[tokio::test]
async fn keys_of_two_counters_and_of_two_users_are_independent() {
    let (test, anna) = TestApp::with_user().await;
    let bob = test.sign_up("bob").await;
    for name in ["a", "b"] {
        create(&anna, &format!("name: \"{name}\"")).await;
    }
    create(&bob, r#"name: "a", start: 50"#).await;
    for (user, input, value) in [(&anna, "\"a\"", 1), (&anna, "\"b\", count: 7", 7), (&bob, "\"a\"", 51)] {
        for replayed in [false, true] {
            let reply = take(user, &format!("counter: {input}, idempotencyKey: \"k\"")).await;
            assert_eq!(
                (&reply.data()["next"]["value"], &reply.data()["next"]["replayed"]),
                (&json!(value), &json!(replayed))
            );
        }
    }
}

#[tokio::test]
async fn keys_die_with_their_counter() {
    let (_test, user) = TestApp::with_user().await;
    create(&user, r#"name: "a", start: 10"#).await;
    let input = "counter: \"a\", idempotencyKey: \"k\"";
    assert_eq!(range(&take(&user, input).await), Ok((11, 11)));
    delete(&user, "a").await.data();
    assert_eq!(take(&user, input).await.code(), "NOT_FOUND");
    create(&user, r#"name: "a", start: 20"#).await;
    let (next, replayed) = answer(&take(&user, input).await);
    assert_eq!((&next["value"], replayed), (&json!(21), false));
}

#[tokio::test]
async fn what_is_no_key_is_refused_with_the_limit() {
    let (_test, user) = TestApp::with_user().await;
    let (fits, long) = ("k".repeat(128), "k".repeat(129));
    for key in ["", long.as_str(), "ä", "a\\tb", "a\\nb", "\\u0000", "\\u007f", "🔑"] {
        let refused = take(&user, &format!("idempotencyKey: \"{key}\"")).await;
        assert_eq!((refused.code(), refused.has_no_result()), ("BAD_USER_INPUT", true), "{key}");
        let message = refused.at("/errors/0/message").as_str().unwrap_or_default();
        assert!(message.contains("idempotencyKey") && message.contains("128"), "{message}");
        let set =
            format!("mutation {{ setCurrent(input: {{ current: 5, idempotencyKey: \"{key}\" }}) {{ previous }} }}");
        assert_eq!(user.run(&set).await.code(), "BAD_USER_INPUT", "{key}");
    }
    assert_eq!(current(&user).await, 0);
    // What means something to SQL, JSON or GraphQL is text here, and case and blanks count.
    let odd = ["k", "K", " k", "k ", "'", "\\\"", "\\\\", "%", "_", "null", "1", "[]", "{}", "~", "\\\"k\\\"", &fits];
    for (key, value) in odd.iter().zip(1..) {
        for _ in 0..2 {
            let reply = take(&user, &format!("idempotencyKey: \"{key}\"")).await;
            assert_eq!(range(&reply), Ok((value, value)), "{key}");
        }
    }
    assert_eq!(range(&take(&user, "idempotencyKey: null").await), Ok((17, 17)), "null is none");
}

#[tokio::test]
async fn the_header_does_the_same() {
    let (_test, user) = TestApp::with_user().await;
    let next = format!("mutation {{ next {TAKEN} }}");
    for replayed in [false, true, true] {
        let reply = run_under(&user, &[b"k"], &next).await;
        assert_eq!((&reply.data()["next"]["value"], &reply.data()["next"]["replayed"]), (&json!(1), &json!(replayed)));
    }
    assert!(answer(&take(&user, "idempotencyKey: \"k\"").await).1, "they mean the same");
    let both = format!("mutation {{ next(input: {{ idempotencyKey: \"argument\" }}) {TAKEN} }}");
    assert_eq!(range(&run_under(&user, &[b"argument"], &both).await), Ok((2, 2)), "they are equal");
    for key in [&b"k"[..], b"\"k\"", b"\xff", b"ARGUMENT", b"\"argument \""] {
        let refused = run_under(&user, &[key], &both).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (200, "BAD_USER_INPUT"), "{key:?}: {}", refused.body);
    }
    assert_eq!(range(&take(&user, "idempotencyKey: \"argument\"").await), Ok((2, 2)));

    let long = [b'k'; 129];
    for keys in [
        &[&b""[..]][..],
        &[b"\xc3\xa4"],
        &[b"a\tb"],
        &[&long],
        &[b"k", b"k"],
        &[b"k", b"other"],
        &[b"\"k"],
        &[b"k\""],
        &[b"\"\""],
        &[b"\"k\";p=1"],
        &[b"k;p=1"],
        &[b"\"k\", \"other\""],
        &[b"k, other"],
        &[b"\"k\\x\""],
    ] {
        let refused = run_under(&user, keys, &next).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (200, "BAD_USER_INPUT"), "{keys:?}");
        assert_eq!(run_under(&user, keys, "{ current }").await.data()["current"], 2, "a query needs no key");
    }
    assert_eq!(user.next().await, 3);
}

/// With one key for both, the second would get the first one's number as if it were its own.
#[tokio::test]
async fn the_header_is_the_key_of_one_field_of_a_request() {
    let (_test, user) = TestApp::with_user().await;
    let with_own =
        "a: next(input: { idempotencyKey: \"k\" }) { value } b: next(input: { idempotencyKey: \"k\" }) { value }";
    for fields in ["a: next { value } b: next { value }", with_own, "... on Mutation { next { value } }"] {
        let reply = run_under(&user, &[b"k"], &format!("mutation {{ {fields} }}")).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (200, "BAD_USER_INPUT"), "{fields}: {}", reply.body);
        assert!(reply.at("/errors/0/message").to_string().contains("Idempotency-Key"), "{}", reply.body);
        assert!(reply.has_no_result(), "{}", reply.body);
    }
    assert_eq!(current(&user).await, 0, "nothing was taken");
    let own = ["a", "b"].map(|key| format!("{key}: next(input: {{ idempotencyKey: \"{key}\" }}) {TAKEN}"));
    let own = format!("mutation {{ {} }}", own.join(" "));
    for replayed in [false, true] {
        let reply = user.run(&own).await;
        assert_eq!(
            (&reply.data()["a"]["replayed"], &reply.data()["b"]["replayed"]),
            (&json!(replayed), &json!(replayed))
        );
        assert_ne!(reply.data()["a"]["value"], reply.data()["b"]["value"]);
    }
}

/// RFC 8941, section 3.3.3.
#[tokio::test]
async fn a_quoted_and_a_bare_header_are_one_key() {
    let (_test, user) = TestApp::with_user().await;
    let next = format!("mutation {{ next {TAKEN} }}");
    for (keys, argument) in [
        (&[&b"k1"[..], b"\"k1\"", b" \"k1\" "][..], "k1"),
        (&[b"\"order 4711; a, b\""], "order 4711; a, b"),
        (&[br#""a\"b\\c""#], r#"a\"b\\c"#),
        (
            &[b"8e03978e-40d5-43dd-bc93-6894a57f9324", b"\"8e03978e-40d5-43dd-bc93-6894a57f9324\""],
            "8e03978e-40d5-43dd-bc93-6894a57f9324",
        ),
    ] {
        let first = take(&user, &format!("idempotencyKey: \"{argument}\"")).await;
        for key in keys {
            let replayed = run_under(&user, &[key], &next).await;
            assert_eq!((range(&replayed), answer(&replayed).1), (range(&first), true), "{argument}: {}", replayed.body);
        }
    }
}

#[tokio::test]
async fn set_current_is_done_once_under_a_key() {
    let (_test, user) = TestApp::with_user().await;
    set(&user, 7).await;
    let input = "current: 100, ifCurrent: 7, idempotencyKey: \"k\"";
    let run = |input: &'static str| {
        let user = user.clone();
        async move {
            let fields = "{ previous counter { current updatedAt } userErrors { code field } }";
            user.run(&format!("mutation {{ setCurrent(input: {{ {input} }}) {fields} }}")).await
        }
    };
    let first = run(input).await.data().clone();
    assert_eq!(
        (&first["setCurrent"]["previous"], &first["setCurrent"]["counter"]["current"]),
        (&json!(7), &json!(100))
    );
    user.next().await;
    assert_eq!(run(input).await.data(), &first, "without a conflict, though it is 101 by now");
    for other in ["current: 100, idempotencyKey: \"k\"", "current: 99, ifCurrent: 7, idempotencyKey: \"k\""] {
        assert_eq!(run(other).await.code(), "CONFLICT");
    }
    assert_eq!(take(&user, "idempotencyKey: \"k\"").await.code(), "CONFLICT");
    assert_eq!(current(&user).await, 101);
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let (_test, user) = TestApp::with_user().await;
    create(&user, r#"name: "a", start: 9, max: 10"#).await;
    let two = "counter: \"a\", count: 2, idempotencyKey: \"k\"";
    assert_eq!(take(&user, two).await.code(), "COUNTER_EXHAUSTED");
    let set = |input: &str| {
        format!(
            "mutation {{ setCurrent(input: {{ counter: \"a\", {input} }}) {{ previous userErrors {{ code field }} }} }}"
        )
    };
    let conditional = set("current: 4, ifCurrent: 3, idempotencyKey: \"set\"");
    assert_eq!(user.run(&conditional).await.user_errors("setCurrent"), ["CONFLICT input.ifCurrent"]);
    let beyond = set("current: 11, idempotencyKey: \"beyond\"");
    assert_eq!(user.run(&beyond).await.user_errors("setCurrent"), ["INVALID input.current"]);
    user.run(&set("current: 3")).await.data();
    assert_eq!(user.run(&conditional).await.data()["setCurrent"]["previous"], 3);
    assert!(!answer(&take(&user, two).await).1);
    let other = "counter: \"a\", count: 3, idempotencyKey: \"beyond\"";
    assert_eq!(range(&take(&user, other).await), Ok((7, 9)), "a key that did nothing is free");
}

/// As many statements for 40 keyed calls of two users as one would need: they ride in one commit.
#[tokio::test]
async fn keys_ride_in_the_group_commit() {
    let (test, anna) = TestApp::with_user().await;
    Statements::count();
    let bob = test.sign_up("bob").await;
    let mut statements = Vec::new();
    for calls in [2, 2, 40] {
        let call = |call: usize| {
            let user = if call.is_multiple_of(2) { anna.clone() } else { bob.clone() };
            async move { range(&take(&user, &format!("idempotencyKey: \"{calls} {}\"", call / 2 * 2)).await) }
        };
        let before = Statements::count();
        let heard = all((0..calls).map(call)).await;
        statements.push((before.so_far(), before.in_transactions()));
        assert!(heard.iter().all(Result::is_ok), "{heard:?}");
    }
    // The second time around: the first one may have looked for the session.
    assert_eq!(statements[1], (2, 2), "again: lock and look");
    assert_eq!(statements[2], (4, 4), "lock, look, store, keep");
}
