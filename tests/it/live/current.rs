//! `current`, live: the integer now, then every change.

use serde_json::Value;

use super::client::Socket;
use super::{CURRENT, current, serve, sign_on};
use crate::support::{Caller, Hold, Listening, PATIENCE, TestApp};

async fn set(caller: &Caller, counter: &str, integer: i64) {
    let mutation = format!(
        "mutation {{ setCurrent(input: {{ counter: \"{counter}\", current: {integer} }}) {{ userErrors {{ code }} }} }}"
    );
    assert_eq!(caller.run(&mutation).await.user_errors("setCurrent"), [""; 0]);
}

async fn create(caller: &Caller, input: &str) {
    let mutation = format!("mutation {{ createCounter(input: {{ {input} }}) {{ userErrors {{ code }} }} }}");
    assert_eq!(caller.run(&mutation).await.user_errors("createCounter"), [""; 0]);
}

async fn watch(socket: &mut Socket, id: &str, counter: &str) -> Value {
    socket.subscribe(id, &format!("subscription {{ current(counter: \"{counter}\") }}")).await;
    socket.answer(id).await
}

fn code(answer: &Value) -> &str {
    assert_eq!(answer["data"], Value::Null, "{answer}");
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

/// Asserts what this caller hears to a subscription of this counter.
async fn hears(server: &Listening, caller: &Caller, counter: &str, expected: &str) {
    let mut socket = sign_on(server, caller).await;
    let answer = watch(&mut socket, "a", counter).await;
    if expected == "OK" {
        assert_eq!(current(&answer), 0);
        return socket.is_quiet().await;
    }
    assert_eq!(code(&answer), expected, "{answer}");
    socket.completed("a").await;
}

#[tokio::test]
async fn the_integer_now_comes_first_and_then_every_change() {
    let (_test, server, user) = serve().await;
    set(&user, "default", 41).await;
    let mut socket = sign_on(&server, &user).await;
    socket.subscribe("a", CURRENT).await;
    assert_eq!(current(&socket.answer("a").await), 41);
    assert_eq!(user.next().await, 42);
    assert_eq!(current(&socket.answer("a").await), 42);
    user.run("mutation { next(input: { count: 1000 }) { last } }").await.data();
    assert_eq!(current(&socket.answer("a").await), 1042);
    for integer in [7, 0, 9_007_199_254_740_991] {
        set(&user, "default", integer).await;
        assert_eq!(current(&socket.answer("a").await), integer);
    }
    // What changes nothing is no change.
    set(&user, "default", 9_007_199_254_740_991).await;
    assert_eq!(user.run("mutation { next { value } }").await.code(), "COUNTER_EXHAUSTED");
    user.run("mutation { setCurrent(input: { current: 5, ifCurrent: 4 }) { userErrors { code } } }").await.data();
    set(&user, "default", 1).await;
    assert_eq!(current(&socket.answer("a").await), 1);
    for key in ["k", "k", "l"] {
        user.run(&format!("mutation {{ next(input: {{ idempotencyKey: \"{key}\" }}) {{ value }} }}")).await.data();
    }
    socket.hear_until("a", |answer| current(answer) == 3).await;
    // Over the socket itself.
    socket.subscribe("n", "mutation { next { value } }").await;
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(socket.hear().await.expect("a message").to_string());
    }
    assert!(heard.iter().any(|message| message.contains(r#"{"current":4}"#)), "{heard:?}");
}

#[tokio::test]
async fn each_counter_shows_its_own_changes() {
    let (_test, server, user) = serve().await;
    create(&user, "name: \"invoices\", start: 100, step: 10").await;
    let mut socket = sign_on(&server, &user).await;
    assert_eq!(current(&watch(&mut socket, "d", "default").await), 0);
    assert_eq!(current(&watch(&mut socket, "i", "invoices").await), 100);
    user.run("mutation { next(input: { counter: \"invoices\" }) { value } }").await.data();
    assert_eq!(current(&socket.answer("i").await), 110);
    user.next().await;
    assert_eq!(current(&socket.answer("d").await), 1);
    socket.complete("i").await;
    user.run("mutation { next(input: { counter: \"invoices\" }) { value } }").await.data();
    user.next().await;
    assert_eq!(current(&socket.answer("d").await), 2, "what is complete says nothing more");
    socket.is_quiet().await;
}

#[tokio::test]
async fn a_subscription_ends_when_its_counter_does() {
    let (_test, server, user) = serve().await;
    create(&user, "name: \"short\"").await;
    let (mut one, mut two) = (sign_on(&server, &user).await, sign_on(&server, &user).await);
    for socket in [&mut one, &mut two] {
        assert_eq!(current(&watch(socket, "a", "short").await), 0);
    }
    let delete = "mutation { deleteCounter(input: { name: \"short\" }) { deletedCounterId } }";
    assert!(user.run(delete).await.data()["deleteCounter"]["deletedCounterId"].is_string());
    for socket in [&mut one, &mut two] {
        assert_eq!(code(&socket.answer("a").await), "NOT_FOUND");
        socket.completed("a").await;
        assert_eq!(code(&watch(socket, "b", "short").await), "NOT_FOUND");
        socket.completed("b").await;
    }
    create(&user, "name: \"short\", start: 5").await;
    assert_eq!(current(&watch(&mut one, "a", "short").await), 5);
}

#[tokio::test]
async fn a_deletion_is_told_even_if_who_asked_for_it_has_gone() {
    let test = TestApp::with_config(|config| {
        // Far less often than the test has patience for: nobody finds it by looking for it.
        config.counters.poll_milliseconds = 3_600_000;
        // A read beside a deletion that waits for a lock waits as long.
        config.database.answer_seconds = 8;
    })
    .await;
    let (server, user) = (Listening::start(&test).await, test.sign_up("anna").await);
    create(&user, "name: \"short\"").await;
    let mut socket = sign_on(&server, &user).await;
    assert_eq!(current(&watch(&mut socket, "a", "short").await), 0);
    let mut patience = 0;
    while user.run("{ current(counter: \"short\") }").await.code().is_empty() {
        // More of it each time, until the deletion has begun when it is abandoned.
        patience += 1;
        let hold = Hold::of_counters(&test).await;
        let deleting = tokio::spawn({
            let user = user.clone();
            async move { user.run("mutation { deleteCounter(input: { name: \"short\" }) { deletedCounterId } }").await }
        });
        for _ in 0..patience {
            user.run("{ current }").await.data();
        }
        deleting.abort();
        hold.release().await;
    }
    // Pings come all along.
    let told = tokio::time::timeout(PATIENCE, socket.answer("a")).await.expect("it is told");
    assert_eq!(code(&told), "NOT_FOUND");
    socket.completed("a").await;
}

#[tokio::test]
async fn only_who_may_read_a_counter_may_watch_it() {
    let (test, server, anna) = serve().await;
    create(&anna, "name: \"other\"").await;
    let read = test.key_of(&anna, "scopes: [COUNTERS_READ]").await;
    let write = test.key_of(&anna, "scopes: [COUNTERS_NEXT, COUNTERS_WRITE, ACCOUNT_READ]").await;
    let this = test.key_of(&anna, "scopes: [COUNTERS_READ], counter: \"default\"").await;
    let next = test.key_of(&anna, "scopes: [COUNTERS_NEXT], counter: \"default\"").await;
    for (caller, default, other, none) in [
        (&test.anonymous(), "UNAUTHENTICATED", "UNAUTHENTICATED", "UNAUTHENTICATED"),
        (&anna, "OK", "OK", "NOT_FOUND"),
        (&read, "OK", "OK", "NOT_FOUND"),
        (&write, "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
        (&this, "OK", "FORBIDDEN", "FORBIDDEN"),
        (&next, "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
    ] {
        for (counter, expected) in [("default", default), ("other", other), ("none", none)] {
            hears(&server, caller, counter, expected).await;
        }
    }
    for name in ["", " ", "Default", "default ", "a/b"] {
        hears(&server, &anna, name, "NOT_FOUND").await;
    }
}

/// Z3.
#[tokio::test]
async fn nobody_hears_of_the_counters_of_others() {
    let (test, server, anna) = serve().await;
    let bert = test.sign_up("bert").await;
    for caller in [&anna, &bert] {
        create(caller, "name: \"same\"").await;
    }
    create(&anna, "name: \"annas\"").await;
    let mut socket = sign_on(&server, &bert).await;
    for (id, counter) in [("d", "default"), ("s", "same")] {
        assert_eq!(current(&watch(&mut socket, id, counter).await), 0);
    }
    assert_eq!(code(&watch(&mut socket, "n", "annas").await), "NOT_FOUND");
    socket.completed("n").await;
    for round in 1..=20 {
        anna.next().await;
        set(&anna, "same", 100 + round).await;
        set(&anna, "annas", 100 + round).await;
        bert.next().await;
        assert_eq!(socket.hear().await.expect("a message")["payload"]["data"]["current"], round);
    }
    set(&bert, "same", 7).await;
    assert_eq!(current(&socket.answer("s").await), 7);
    socket.is_quiet().await;
}

#[tokio::test]
async fn all_watchers_of_a_counter_hear_of_it() {
    let (test, server, user) = serve().await;
    let key = test.key_of(&user, "scopes: [COUNTERS_READ]").await;
    let mut sockets = Vec::new();
    for caller in [&user, &key].into_iter().cycle().take(20) {
        let mut socket = sign_on(&server, caller).await;
        for id in ["a", "b"] {
            socket.subscribe(id, CURRENT).await;
            socket.answer(id).await;
        }
        sockets.push(socket);
    }
    for expected in 1..=5 {
        user.next().await;
        for socket in &mut sockets {
            for _ in ["a", "b"] {
                assert_eq!(socket.hear().await.expect("a message")["payload"]["data"]["current"], expected);
            }
        }
    }
}
