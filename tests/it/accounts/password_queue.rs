//! The pool that hashes passwords is bounded, and keeps off the runtime's threads (P3, C8).

use std::time::{Duration, Instant};

use futures_util::future::{Either, join_all, select};
use serde_json::json;

use crate::support::{PASSWORD, Reply, TestApp};

const LOGIN: &str = "mutation ($identifier: String!, $password: String!) {
    login(input: { identifier: $identifier, password: $password }) { user { id } userErrors { code field } } }";

/// One hash at a time, two in the queue; each takes long enough for others to arrive meanwhile. Hashes step back
/// behind everything else, such as the other tests: nothing is given up because of that.
async fn slow() -> TestApp {
    TestApp::with_config(|config| {
        config.accounts.password_memory_kib = 65_536;
        config.accounts.password_passes = 4;
        config.accounts.password_threads = 1;
        config.accounts.password_queue = 2;
        config.http.request_seconds = 600;
    })
    .await
}

async fn login(test: &TestApp, identifier: &str) -> Reply {
    test.anonymous().run_with(LOGIN, json!({ "identifier": identifier, "password": PASSWORD })).await
}

#[tokio::test]
async fn beyond_the_queue_a_login_is_unavailable_and_the_others_succeed() {
    let test = slow().await;
    test.sign_up("anna").await;
    let before = test.rows().await;
    let replies = join_all((0..9).map(|_| login(&test, "anna"))).await;

    let (admitted, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert!(admitted.len() >= 3, "one that is hashed and two that wait: {admitted:?}");
    assert!(!refused.is_empty(), "nine are too many");
    for reply in &admitted {
        assert!(reply.data()["login"]["user"].is_object(), "{}", reply.body);
    }
    for reply in &refused {
        assert_eq!((reply.status.as_u16(), reply.code()), (503, "UNAVAILABLE"), "{}", reply.body);
        let seconds: u32 = reply.header("retry-after").parse().expect("seconds");
        assert!(seconds >= 1);
    }
    let sessions = u64::try_from(admitted.len()).expect("a few");
    assert_eq!(test.rows().await.sessions, before.sessions + sessions, "who was refused has no session");

    let later = login(&test, "anna").await;
    assert!(later.data()["login"]["user"].is_object(), "the queue is free again");
}

/// 503 says that the whole request can be sent again, which would take another number.
#[tokio::test]
async fn a_busy_field_beside_one_that_took_effect_is_no_503() {
    let test = slow().await;
    let anna = test.sign_up("anna").await;
    let flood = join_all((0..9).map(|_| login(&test, "anna")));
    let both = "mutation ($identifier: String!, $password: String!) { next { value } \
        login(input: { identifier: $identifier, password: $password }) { user { id } } }";
    let both = anna.run_with(both, json!({ "identifier": "anna", "password": PASSWORD }));
    let (_, reply) = futures_util::future::join(flood, both).await;
    assert_eq!((reply.status.as_u16(), reply.code(), reply.header("retry-after")), (200, "UNAVAILABLE", ""));
    assert_eq!((reply.at("/data/next/value"), reply.at("/data/login")), (&json!(1), &json!(null)));
    assert_eq!(anna.next().await, 2);
}

#[tokio::test]
async fn an_unknown_identifier_takes_a_place_in_the_queue_as_well() {
    let test = slow().await;
    let replies = join_all((0..9).map(|_| login(&test, "nobody"))).await;
    let refused = replies.iter().filter(|reply| reply.status == 503).count();
    assert!((1..=6).contains(&refused), "{refused} of 9 were refused");
}

#[tokio::test]
async fn sign_ups_beyond_the_queue_leave_nothing() {
    let test = slow().await;
    let mutation =
        "mutation ($u: String!, $p: String!) { signUp(input: { username: $u, password: $p }) { user { id } } }";
    let sign_up = |number: usize| {
        let (caller, variables) = (test.anonymous(), json!({ "u": format!("user{number}"), "p": PASSWORD }));
        async move { caller.run_with(mutation, variables).await }
    };
    let replies = join_all((0..9).map(sign_up)).await;
    let refused = replies.iter().filter(|reply| reply.status == 503).count();
    assert!((1..=6).contains(&refused), "{refused} of 9 were refused");
    let made = u64::try_from(9 - refused).expect("a few");
    let rows = test.rows().await;
    assert_eq!((rows.users, rows.sessions, rows.counters), (made, made, made));
}

/// On a runtime of one thread, a hash on it would let nobody else be answered for a third of the time that
/// three of them take. A busy machine slows both.
#[tokio::test(flavor = "current_thread")]
async fn others_are_answered_while_passwords_are_hashed() {
    let test = slow().await;
    // A single pause may be the machine's.
    let mut shares = Vec::new();
    while shares.len() < 3 && shares.last().is_none_or(|share| *share >= 0.2) {
        shares.push(longest_silence(&test).await);
    }
    assert!(shares.last().is_some_and(|share| *share < 0.2), "{shares:?} of the time without an answer");
}

/// For which share of the time that three logins take nobody else is answered.
async fn longest_silence(test: &TestApp) -> f64 {
    let started = Instant::now();
    let mut logins = Box::pin(join_all((0..3).map(|_| login(test, "nobody"))));
    let (mut last, mut longest_silence) = (started, Duration::ZERO);
    let replies = loop {
        let greeting = test.anonymous().run("{ hello }").await;
        assert_eq!(greeting.data()["hello"], "Hello from Cloakroom");
        longest_silence = longest_silence.max(last.elapsed());
        last = Instant::now();
        // Lets the logins go on, and everything else as well, before the next greeting.
        match select(&mut logins, Box::pin(tokio::task::yield_now())).await {
            Either::Left((replies, _)) => break replies,
            Either::Right(_) => {}
        }
    };
    let silence = longest_silence.max(last.elapsed());
    assert!(replies.iter().all(|reply| reply.user_errors("login") == ["WRONG_CREDENTIALS"]));
    silence.div_duration_f64(started.elapsed())
}
