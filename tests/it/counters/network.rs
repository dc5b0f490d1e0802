//! A network that loses answers, or goes silent, between a server and its database. Not on SQLite, which is within the
//! server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::proxy::Proxy;
use super::replicas::replica;
use super::{NEXT, all, current, number, set};
use crate::support::{Length, PATIENCE, TestApp, TestDatabase};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_whose_answer_was_lost_is_taken_at_most_once() {
    const ENOUGH: usize = 400;
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, here) = TestApp::with_user().await;
    let proxy = Proxy::start(&test.config.database.url.to_string()).await;
    let (second, there) = replica(&test, &here, Some(&proxy.url)).await;
    assert_eq!(there.next().await, 1);
    let answered = Arc::new(AtomicUsize::new(0));
    let client = |_| {
        let (there, answered) = (there.clone(), Arc::clone(&answered));
        async move {
            let (mut given, mut unknown) = (Vec::new(), 0);
            while answered.load(Ordering::SeqCst) < ENOUGH {
                match number(&there.run(NEXT).await) {
                    Ok(number) => {
                        answered.fetch_add(1, Ordering::SeqCst);
                        given.push(number);
                    }
                    Err(code) if code == "UNAVAILABLE" => {}
                    Err(code) => {
                        assert_eq!(code, "INTERNAL_SERVER_ERROR");
                        unknown += 1;
                    }
                }
            }
            (given, unknown)
        }
    };
    let (mut given, mut unknown, mut taken, mut every, mut length) = (vec![1], 0, 1, 20, Length::rounds(1));
    // What is lost may be no commit's answer.
    while length.goes_on_until(unknown > 0 && taken > given.len()) {
        // More answers than a new connection needs to commit its first number; another number in each round, so that it
        // is not the same answer that is lost each time.
        proxy.lose_every(every);
        every += 1;
        answered.store(0, Ordering::SeqCst);
        for (numbers, failures) in all((0..16).map(client)).await {
            given.extend(numbers);
            unknown += failures;
        }
        taken = usize::try_from(current(&here).await).expect("a count");
    }
    let count = given.len();
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), count, "no number twice");
    assert!(unknown > 0 && taken > count, "no taken number's answer was lost: {taken} taken, {count} answered");
    assert!(taken <= count + unknown, "{taken} taken, {count} answered, {unknown} unknown: one was taken twice");
    length.tell(&[("answered", count), ("taken", taken), ("unknown", unknown)]);
    proxy.lose_every(0);
    second.stop().await;
}

#[tokio::test]
async fn a_replica_cut_off_in_the_midst_of_a_write_neither_stops_the_others_nor_writes_later() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let (test, here) = TestApp::with_user().await;
    let proxy = Proxy::start(&test.config.database.url.to_string()).await;
    let (second, there) = replica(&test, &here, Some(&proxy.url)).await;
    assert_eq!((here.next().await, there.next().await), (1, 2));

    proxy.fall_silent_at_lock();
    let cut_off = tokio::spawn({
        let there = there.clone();
        async move { there.run("mutation { setCurrent(input: {current: 500}) { previous } }").await }
    });
    tokio::time::timeout(PATIENCE, proxy.silence()).await.expect("the rows are locked, and the network silent");
    let next = tokio::time::timeout(PATIENCE, here.next()).await;
    assert_eq!(
        next,
        Ok(3),
        "the lock of the replica that was cut off does not outlast it, as it would without a limit of ours"
    );

    proxy.heal();
    let late = cut_off.await.expect("no panic");
    assert_eq!(late.code(), "UNAVAILABLE", "nothing was done: {}", late.body);
    assert_eq!((there.next().await, current(&here).await), (4, 4), "its write came too late, and it goes on");
    set(&there, 600).await;
    assert_eq!(here.next().await, 601);
    second.stop().await;
}

#[tokio::test]
async fn a_database_that_falls_silent_is_not_waited_for_without_end() {
    if TestDatabase::is_sqlite() {
        return;
    }
    let test = TestApp::with_config(|config| {
        (config.database.answer_seconds, config.database.acquire_seconds) = (2, 2);
        config.http.request_seconds = 600;
    })
    .await;
    let here = test.sign_up("anna").await;
    let proxy = Proxy::start(&test.config.database.url.to_string()).await;
    let (second, there) = replica(&test, &here, Some(&proxy.url)).await;

    // Statements are under way when it happens.
    let (counted, mut counts) = tokio::sync::watch::channel(0);
    let counting = tokio::spawn({
        let there = there.clone();
        async move {
            loop {
                match number(&there.run(NEXT).await) {
                    Ok(number) => drop(counted.send_replace(number)),
                    Err(code) => break code,
                }
            }
        }
    });
    counts.wait_for(|number| *number >= 20).await.expect("numbers come");
    proxy.fall_silent();
    let given_up = tokio::time::timeout(PATIENCE, counting).await.expect("an answer").expect("no panic");
    assert!(["INTERNAL_SERVER_ERROR", "UNAVAILABLE"].contains(&given_up.as_str()), "{given_up}");
    // Nobody stands behind it for ever.
    let next = tokio::time::timeout(PATIENCE, there.run(NEXT)).await.expect("an answer");
    assert!(number(&next).is_err(), "{}", next.body);
    assert!(here.next().await > 20, "the others count on");

    proxy.heal();
    let again = async { while number(&there.run(NEXT).await).is_err() {} };
    tokio::time::timeout(PATIENCE, again).await.expect("numbers come again without a restart");
    second.stop().await;
}
