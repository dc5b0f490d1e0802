//! A number is on disk before it is answered: syncs are counted, and made to fail. SQLite only, because
//! The others' syncs are another process's; that they are asked for them is asserted when the pool opens.

use serde_json::Value;

use super::load::{Ledger, Load};
use super::sync_shim::Syncs;
use super::{Home, code, current, next};
use crate::support::{Process, TestDatabase};

async fn start() -> (Home, Syncs, Process, String) {
    let home = Home::new().await;
    let syncs = Syncs::compile(home.folder.path());
    let process = home.start_with(|command| syncs.preload(command));
    let anna = process.sign_up("anna").await;
    (home, syncs, process, anna)
}

async fn take(process: &Process, token: &str) -> i64 {
    next(process, token).await.expect("an answer").expect("a number")
}

#[tokio::test]
async fn every_number_has_a_sync_before_its_answer() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    let (_home, syncs, process, anna) = start().await;
    let (first, numbers) = (syncs.done(), 40);
    for number in 1..=numbers {
        let before = syncs.done();
        assert_eq!(take(&process, &anna).await, number);
        assert!(syncs.done() > before, "{number} was answered without a sync");
    }
    let syncs = i64::try_from(syncs.done() - first).expect("a count");
    assert!(syncs <= numbers + numbers / 4, "{syncs} syncs for {numbers} numbers: more than one each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_callers_share_syncs() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    let (_home, syncs, process, anna) = start().await;
    let before = syncs.done();
    let load = Load::new();
    let until_enough = async {
        load.reached(1500).await;
        load.stop();
    };
    let (ledger, ()) = tokio::join!(load.run(&process, &anna, 64), until_enough);
    let (numbers, syncs) = (ledger.acknowledged(), syncs.done() - before);
    ledger.check(current(&process, &anna).await);
    // Nobody has more than one number from one batch.
    assert!(syncs >= numbers / 64, "{syncs} syncs for {numbers} numbers of 64 clients");
    assert!(syncs < numbers / 2, "{syncs} syncs for {numbers} numbers: they do not share");
}

#[tokio::test]
async fn nothing_is_acknowledged_whose_sync_failed() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    let (home, syncs, mut process, anna) = start().await;
    let bob = process.sign_up("bob").await;
    assert_eq!(take(&process, &anna).await, 1);

    syncs.fail_every(1);
    let sign_up = sign_up("carol");
    for write in ["mutation { next { value } }", SET_TO_50, "mutation { logout { endedSessions } }", &sign_up] {
        for _ in 0..3 {
            let answer = process.run(Some(&bob), write).await.expect("an answer");
            assert_eq!(code(&answer), "INTERNAL_SERVER_ERROR", "{write}");
            assert!(!answer.to_string().to_lowercase().contains("disk"), "its cause is for the log: {answer}");
        }
    }
    assert_eq!(next(&process, &anna).await, Some(Err("INTERNAL_SERVER_ERROR".to_owned())));
    assert_eq!(current(&process, &anna).await, 1, "reads go on");

    syncs.fail_every(0);
    assert_recovered(&process, &syncs, &anna).await;
    process.end_with("KILL");
    let process = home.start();
    assert_eq!(current(&process, &anna).await, 101);
    assert_eq!(take(&process, &anna).await, 102);
}

const SET_TO_50: &str = "mutation { setCurrent(input: {current: 50}) { previous } }";

fn sign_up(username: &str) -> String {
    format!(
        r#"mutation {{ signUp(input: {{ username: "{username}", password: "{}" }}) {{ userErrors {{ code }} }} }}"#,
        crate::support::PASSWORD
    )
}

/// Each kind of write is whole and synced again: the ones that succeed, and, after one that is rolled back,
/// the next ones.
async fn assert_recovered(process: &Process, syncs: &Syncs, token: &str) {
    assert_eq!(take(process, token).await, 2, "by itself");
    let set = process.run(Some(token), "mutation { setCurrent(input: {current: 80}) { previous } }").await;
    assert_eq!(set.expect("an answer")["data"]["setCurrent"]["previous"], 2);
    let taken = process.run(None, &sign_up("anna")).await.expect("an answer");
    assert_eq!(taken.pointer("/data/signUp/userErrors/0/code").and_then(Value::as_str), Some("TAKEN"), "{taken}");
    for number in 81..=101 {
        let before = syncs.done();
        assert_eq!(take(process, token).await, number);
        assert!(syncs.done() > before, "{number} was answered without a sync");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_stay_unique_while_every_seventh_sync_fails() {
    if !TestDatabase::is_sqlite() {
        return;
    }
    let (home, syncs, mut process, anna) = start().await;
    let mut ledger = Ledger::default();
    for fail_every in [7, 0] {
        syncs.fail_every(fail_every);
        let load = Load::new();
        let until_enough = async {
            load.reached(300).await;
            load.stop();
        };
        let (heard, ()) = tokio::join!(load.run(&process, &anna, 16), until_enough);
        assert_eq!(heard.unknown() > 0, fail_every > 0, "{} failed", heard.unknown());
        ledger.add(heard);
        ledger.check(current(&process, &anna).await);
    }
    process.end_with("KILL");
    ledger.check(current(&home.start(), &anna).await);
}
