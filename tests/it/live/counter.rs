//! `counter`, live: the object itself, so that a client's cache follows it by its id.

use serde_json::{Value, json};

use super::client::Socket;
use super::event_stream::Events;
use super::{serve, sign_on};
use crate::support::{Caller, Listening};

const COUNTER: &str = "subscription { counter { __typename id name current step updatedAt } }";

async fn watch(socket: &mut Socket, id: &str, name: &str) -> Value {
    socket.subscribe(id, &format!("subscription {{ counter(name: \"{name}\") {{ id current }} }}")).await;
    socket.answer(id).await
}

async fn run(caller: &Caller, mutation: &str) {
    caller.run(&format!("mutation {{ {mutation} {{ userErrors {{ code }} }} }}")).await.data();
}

fn code(answer: &Value) -> &str {
    assert_eq!(answer["data"], Value::Null, "{answer}");
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

/// The counter as a query has it.
async fn queried(caller: &Caller) -> Value {
    let query = "{ viewer { counter { __typename id name current step updatedAt } } }";
    caller.run(query).await.data()["viewer"].clone()
}

#[tokio::test]
async fn each_event_is_the_counter_as_a_query_has_it() {
    let (test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    socket.subscribe("a", COUNTER).await;
    let mut events = Events::post(&server, user.token.as_deref(), COUNTER).await;
    for expected in [0, 1, 2] {
        let counter = queried(&user).await;
        assert_eq!(counter["counter"]["current"], expected);
        assert_eq!(socket.answer("a").await, json!({ "data": counter }));
        assert_eq!(events.next().await, json!({ "data": counter }));
        test.clock.advance(1);
        user.next().await;
    }
}

#[tokio::test]
async fn current_is_a_shorthand_for_it() {
    let (_test, server, user) = serve().await;
    run(&user, "createCounter(input: { name: \"invoices\", start: 100, step: 10 })").await;
    let mut socket = sign_on(&server, &user).await;
    socket.subscribe("c", "subscription { current(counter: \"invoices\") }").await;
    socket
        .subscribe("o", "subscription { live: counter(name: \"invoices\") { ...C } } fragment C on Counter { current }")
        .await;
    for expected in [100, 110, 120] {
        let mut heard = [socket.hear().await.expect("a message"), socket.hear().await.expect("a message")];
        heard.sort_by_key(|message| message["id"].to_string());
        assert_eq!(heard[0]["payload"]["data"], json!({ "current": expected }));
        assert_eq!(heard[1]["payload"]["data"], json!({ "live": { "current": expected } }));
        user.run("mutation { next(input: { counter: \"invoices\" }) { value } }").await.data();
    }
}

/// `updatedAt` follows without an event of its own.
#[tokio::test]
async fn setting_a_counter_to_its_own_integer_is_no_event() {
    let (test, server, user) = serve().await;
    let mut socket = sign_on(&server, &user).await;
    socket.subscribe("a", COUNTER).await;
    socket.answer("a").await;
    test.clock.advance(1);
    run(&user, "setCurrent(input: { current: 0 })").await;
    let mut late = sign_on(&server, &user).await;
    late.subscribe("a", COUNTER).await;
    assert_eq!(late.answer("a").await["data"], queried(&user).await, "it begins with the newest row");
    socket.is_quiet().await;
}

#[tokio::test]
async fn it_ends_with_its_counter_even_if_another_one_has_the_name() {
    let (_test, server, user) = serve().await;
    run(&user, "createCounter(input: { name: \"short\", start: 5 })").await;
    let mut socket = sign_on(&server, &user).await;
    let first = watch(&mut socket, "a", "short").await;
    run(&user, "deleteCounter(input: { name: \"short\" })").await;
    run(&user, "createCounter(input: { name: \"short\", start: 5 })").await;
    assert_eq!(code(&socket.answer("a").await), "NOT_FOUND");
    socket.completed("a").await;
    let second = watch(&mut socket, "a", "short").await;
    assert_ne!(first["data"]["counter"]["id"], second["data"]["counter"]["id"]);
    assert_eq!(second["data"]["counter"]["current"], 5);
}

/// Asserts what this caller hears to a subscription of this counter.
async fn hears(server: &Listening, caller: &Caller, name: &str, expected: &str) {
    let mut socket = sign_on(server, caller).await;
    let answer = watch(&mut socket, "a", name).await;
    if expected == "OK" {
        assert_eq!(answer["data"]["counter"]["current"], 0, "{answer}");
        return socket.is_quiet().await;
    }
    assert_eq!(code(&answer), expected, "{answer}");
    socket.completed("a").await;
}

#[tokio::test]
async fn only_who_may_read_a_counter_may_watch_it() {
    let (test, server, anna) = serve().await;
    let bert = test.sign_up("bert").await;
    run(&anna, "createCounter(input: { name: \"other\" })").await;
    let read = test.key_of(&anna, "scopes: [COUNTERS_READ]").await;
    let write = test.key_of(&anna, "scopes: [COUNTERS_NEXT, COUNTERS_WRITE, ACCOUNT_READ]").await;
    let this = test.key_of(&anna, "scopes: [COUNTERS_READ], counter: \"default\"").await;
    for (caller, default, other) in [
        (&test.anonymous(), "UNAUTHENTICATED", "UNAUTHENTICATED"),
        (&anna, "OK", "OK"),
        (&bert, "OK", "NOT_FOUND"),
        (&read, "OK", "OK"),
        (&write, "FORBIDDEN", "FORBIDDEN"),
        (&this, "OK", "FORBIDDEN"),
    ] {
        hears(&server, caller, "default", default).await;
        hears(&server, caller, "other", other).await;
    }
    for name in ["", " ", "Default", "none"] {
        hears(&server, &anna, name, "NOT_FOUND").await;
    }
}
