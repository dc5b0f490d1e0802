//! `cloakroom counters`: numbers that an operator skips, also beside a running server.

use serde_json::{Value, json};

use super::{Place, Said};
use crate::cli::photos::serve;
use crate::support::Process;

fn advance(place: &Place, arguments: &[&str]) -> Said {
    place.run(&[&["counters", "advance"], arguments].concat())
}

fn advanced(place: &Place, arguments: &[&str]) -> Value {
    let said = advance(place, &[arguments, &["--json"]].concat()).output();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

async fn next(server: &Process, token: &str, counter: &str) -> Value {
    let query = format!(r#"mutation {{ next(input: {{ counter: "{counter}" }}) {{ value }} }}"#);
    let answer = server.run(Some(token), &query).await.expect("an answer");
    match &answer["data"]["next"]["value"] {
        Value::Null => answer["errors"][0]["extensions"]["code"].clone(),
        value => value.clone(),
    }
}

async fn create(server: &Process, token: &str, input: &str) {
    let query = format!("mutation {{ createCounter(input: {{ {input} }}) {{ counter {{ id }} }} }}");
    let answer = server.run(Some(token), &query).await.expect("an answer");
    assert!(answer["data"]["createCounter"]["counter"]["id"].is_string(), "{answer}");
}

#[tokio::test]
async fn a_counter_is_advanced_beside_a_running_server() {
    let place = Place::create().await;
    let server = serve(&place);
    let token = server.sign_up("anna").await;
    create(&server, &token, r#"name: "invoices", start: 100, step: 10, max: 200"#).await;
    assert_eq!(next(&server, &token, "invoices").await, 110);
    let told = advanced(&place, &["anna", "invoices", "--by", "3"]);
    assert_eq!(told.as_array().expect("an array").len(), 1);
    for (name, value) in [("username", json!("anna")), ("previous", json!(110)), ("current", json!(140))] {
        assert_eq!(told[0][name], value, "{told}");
    }
    assert_eq!(next(&server, &token, "invoices").await, 150);
    let said = advance(&place, &["anna", "invoices", "--to", "175"]).output();
    assert_eq!(said, "anna invoices: 150 -> 175\n");
    assert_eq!(next(&server, &token, "invoices").await, 185);
    // Never past the upper bound, and in whole steps.
    let said = advance(&place, &["anna", "invoices", "--by", "9007199254740991"]).output();
    assert_eq!(said, "anna invoices: 185 -> 195, stopped at its upper bound 200\n");
    assert_eq!(next(&server, &token, "invoices").await, "COUNTER_EXHAUSTED");
    let said = advance(&place, &["anna", "invoices", "--to", "9007199254740991"]).output();
    assert_eq!(said, "anna invoices: 195 -> 200, stopped at its upper bound 200\n");
    let said = advance(&place, &["anna", "invoices", "--to", "200"]).output();
    assert_eq!(said, "anna invoices: 200, unchanged\n");
    let events = "{ viewer { events(first: 50) { nodes { kind } } } }";
    let answer = server.run(Some(&token), events).await.expect("an answer");
    assert_eq!(answer.to_string().matches("COUNTER_ADVANCED").count(), 4, "one for each change: {answer}");
    // The others are where they were.
    assert_eq!(next(&server, &token, "default").await, 1);
}

#[tokio::test]
async fn counters_of_a_user_or_of_all_are_advanced() {
    let place = Place::create().await;
    let server = serve(&place);
    let (anna, bob) = (server.sign_up("anna").await, server.sign_up("bob").await);
    create(&server, &anna, r#"name: "few", max: 5"#).await;
    create(&server, &anna, r#"name: "many", start: 1000"#).await;
    let told = advanced(&place, &["anna", "--by", "10"]);
    let mut seen: Vec<_> = told.as_array().expect("an array").iter().collect();
    seen.sort_by_key(|counter| counter["counter"].as_str());
    let currents: Vec<_> = seen.iter().map(|counter| (&counter["current"], &counter["stoppedAtMax"])).collect();
    let expected = [(10, false), (5, true), (1010, false)].map(|(current, cut)| (json!(current), json!(cut)));
    assert_eq!(currents, expected.iter().map(|(current, cut)| (current, cut)).collect::<Vec<_>>(), "{told}");
    assert_eq!(next(&server, &bob, "default").await, 1);

    let said = advance(&place, &["--all", "--by", "10"]).complaint();
    assert!(said.contains("say --yes"), "{said}");
    let told = advanced(&place, &["--all", "--to", "500", "--yes"]);
    assert_eq!(told.as_array().expect("an array").len(), 4, "{told}");
    // One that is beyond it stays.
    for (token, counter, value) in [(&anna, "default", 501), (&anna, "many", 1011), (&bob, "default", 501)] {
        assert_eq!(next(&server, token, counter).await, value, "{counter}");
    }
}

#[tokio::test]
async fn what_cannot_be_advanced_is_refused_with_the_reason() {
    let place = Place::create().await;
    let server = serve(&place);
    let token = server.sign_up("anna").await;
    let set = "mutation { setCurrent(input: { current: 1005 }) { counter { current } } }";
    server.run(Some(&token), set).await.expect("an answer");
    for (arguments, reason) in [
        (&["anna", "default", "--to", "1004"][..], "is at 1005 already, and is never lowered"),
        (&["anna", "default", "--by", "0"], "must be from 1 to 9007199254740991"),
        (&["anna", "default", "--by", "-5"], "must be from 1 to 9007199254740991"),
        (&["anna", "default", "--to", "-1"], "must be from 0 to 9007199254740991"),
        (&["anna", "default", "--to", "9007199254740992"], "must be from 0 to 9007199254740991"),
        (&["anna", "typo", "--by", "1"], "there is no counter typo of this user"),
        (&["typo", "default", "--by", "1"], "there is no user typo"),
        (&["anna", "default"], "--by"),
        (&["anna", "default", "--by", "1", "--to", "2"], "--by"),
        (&["--by", "1"], "--all"),
        (&["anna", "--all", "--by", "1"], "--all"),
    ] {
        let said = advance(&place, arguments).complaint();
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
    assert_eq!(next(&server, &token, "default").await, 1006);
}

/// Integers that are taken between two advances are unique.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_taken_meanwhile_are_unique_and_in_order() {
    let place = Place::create().await;
    let server = serve(&place);
    let token = server.sign_up("anna").await;
    let (done, stop) = tokio::sync::watch::channel(false);
    let taking = async {
        let mut taken = Vec::new();
        while !*stop.borrow() || taken.len() < 10 {
            taken.push(next(&server, &token, "default").await.as_i64().expect("a number"));
        }
        taken
    };
    let advancing = async {
        for _ in 0..5 {
            let mut command = place.command(&["counters", "advance", "anna", "--by", "1000"]);
            tokio::task::spawn_blocking(move || super::run(&mut command).output()).await.expect("it ends");
        }
        done.send(true).expect("it is heard");
    };
    let (taken, ()) = tokio::join!(taking, advancing);
    assert!(taken.is_sorted_by(|one, other| one < other), "{taken:?}");
    let last = taken[taken.len() - 1];
    assert_eq!(last, 5000 + i64::try_from(taken.len()).expect("a count"), "nothing is lost");
}
